import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readGroups, readUsers } from './accounts.ts';
import { openRoot, type Root } from './root.ts';

let base: string;
let root: Root;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'slipway-accounts-'));
  mkdirSync(join(base, 'etc'));
  root = openRoot(base);
});
afterEach(() => {
  root[Symbol.dispose]();
  rmSync(base, { recursive: true });
});

test('users and groups by line; comments and empty lines are none, and what is no id is undefined', () => {
  writeFileSync(join(base, 'etc/passwd'), '# c\n\n app:x:1000:1001::/:/bin/sh\r\nodd:x:0x10:4294967296\nbare\n');
  expect(readUsers(root)).toEqual([
    { name: 'app', uid: 1000, gid: 1001 },
    { name: 'odd', uid: undefined, gid: undefined },
    { name: 'bare', uid: undefined, gid: undefined },
  ]);
  writeFileSync(join(base, 'etc/group'), 'app:x:1001:\nwheel:x:10:root,app');
  expect(readGroups(root)).toEqual([
    { name: 'app', gid: 1001, members: [] },
    { name: 'wheel', gid: 10, members: ['root', 'app'] },
  ]);
});

test('a file system without the files has no users; one whose file cannot be read is refused', () => {
  expect([readUsers(root), readGroups(root)]).toEqual([[], []]);
  symlinkSync('passwd', join(base, 'etc/passwd'));
  mkdirSync(join(base, 'etc/group'));
  expect(() => readUsers(root)).toThrow('/etc/passwd of the root file system is not a readable file');
  expect(() => readGroups(root)).toThrow('/etc/group of the root file system is not a readable file');
});
