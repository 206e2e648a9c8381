import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeDefinition, local } from '../../llb/index.ts';
import { fileSystemUsage, mount, unmountOrDetach } from '../../sys/index.ts';
import { OURS, type Output, TestDaemon } from './testing/test-daemon.ts';

/** Directories of clients that are too large, for a daemon with a small disk. */
const temp = mkdtempSync(join(tmpdir(), 'slipway-contexts-'));
const disk = join(temp, 'disk');
const MIB = 1 << 20;
let daemon: TestDaemon;

beforeAll(async () => {
  mkdirSync(disk);
  mount({ type: 'tmpfs', source: 'tmpfs', options: ['size=400M'] }, disk);
  const args = ['--max-context-bytes', '1GiB', '--oci-worker-gc-min-free-space', '300MB'];
  daemon = await new TestDaemon(disk, 'ours', { ...OURS, args }).ready();
});
afterAll(async () => {
  await daemon.stop();
  unmountOrDetach(disk);
  rmSync(temp, { recursive: true });
});

function directory(name: string, bytes: number): string {
  const path = join(temp, name);
  mkdirSync(path);
  writeFileSync(join(path, 'file'), name);
  truncateSync(join(path, 'file'), bytes);
  return path;
}

/** Sends a directory and takes it back. */
function send(path: string): Promise<Output> {
  const definition = encodeDefinition(local('context').marshal());
  const output = ['--output', `type=local,dest=${path}.out`];
  return daemon.run(['build', '--progress=plain', '--local', `context=${path}`, ...output], { input: definition });
}

const free = () => fileSystemUsage(disk).free;

test('a directory of more bytes than the builder takes is refused before it is sent, by the name of the limit', async () => {
  const before = free();
  const { code, text } = await send(directory('enormous', 1024 * MIB + 1));
  expect(code).not.toBe(0);
  expect(text).toContain('the files of context have more than 1073741824 bytes (max-context-bytes)');
  expect(before - free()).toBeLessThan(10 * MIB);
});

test('one that would fill the disk is cut off with room left, nothing of it stays, and others are built beside it and after', async () => {
  const before = free();
  const filling = send(directory('filling', 700 * MIB));
  const small = directory('small', 5 * MIB);
  expect(await send(small)).toMatchObject({ code: 0 });
  const { code, text } = await filling;
  expect(code).not.toBe(0);
  expect(text).toContain("the builder's disk is almost full");
  await expect.poll(() => before - free()).toBeLessThan(10 * MIB);
  writeFileSync(join(small, 'more'), 'more');
  expect(await send(small)).toMatchObject({ code: 0 });
});
