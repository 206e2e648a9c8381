import { closeSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runs } from '../base/testing/runs.ts';
import { openRoot, type Root } from './root.ts';

let base: string;
let root: Root;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'slipway-root-'));
  mkdirSync(join(base, 'in/etc'), { recursive: true });
  writeFileSync(join(base, 'in/etc/passwd'), 'inside');
  mkdirSync(join(base, 'outside'));
  writeFileSync(join(base, 'outside/secret'), 'outside');
  root = openRoot(join(base, 'in'));
});
afterEach(() => {
  root[Symbol.dispose]();
  rmSync(base, { recursive: true });
});

describe('hostile symlinks stay inside', () => {
  for (const target of ['/etc', '/../../etc', '../../../../../etc', '/etc/../../etc', './etc/.']) {
    test(`a directory link to ${target}`, () => {
      symlinkSync(target, join(base, 'in/link'));
      expect(root.readFile('/link/passwd').toString()).toBe('inside');
      expect(root.resolve('/link/passwd')).toBe('/etc/passwd');
      root.writeFile('/link/new', 'x');
      expect(readFileSync(join(base, 'in/etc/new'), 'utf8')).toBe('x');
    });
  }

  test('a link to the neighbour directory finds nothing', () => {
    symlinkSync('../outside', join(base, 'in/link'));
    symlinkSync(join(base, 'outside'), join(base, 'in/absolute'));
    expect(() => root.readFile('/link/secret')).toThrow(/ENOENT/);
    expect(() => root.readFile('/absolute/secret')).toThrow(/ENOENT/);
    expect(() => root.readFile('../outside/secret')).toThrow(/ENOENT/);
    expect(() => root.readFile('/etc/../../outside/secret')).toThrow(/ENOENT/);
  });

  test('magic links of /proc are not followed', () => {
    using system = openRoot('/');
    expect(() => system.readdir('/proc/self/root/etc')).toThrow(/ELOOP/);
  });

  test('loops end', () => {
    symlinkSync('b', join(base, 'in/a'));
    symlinkSync('a', join(base, 'in/b'));
    expect(() => root.readFile('/a')).toThrow(/ELOOP/);
    expect(() => root.resolveMissing('/a/x')).toThrow(/ELOOP/);
    expect(() => root.mkdirAll('/a/x')).toThrow(/ELOOP/);
  });

  test('removing a tree removes its links, not what they name', () => {
    root.mkdirAll('/tree/deep/er');
    root.symlink('/etc', '/tree/deep/link');
    root.symlink('../../../../outside', '/tree/link');
    expect(root.removeAll('/tree')).toBe(true);
    expect(root.removeAll('/tree')).toBe(false);
    expect(root.readFile('/etc/passwd').toString()).toBe('inside');
    expect(readFileSync(join(base, 'outside/secret'), 'utf8')).toBe('outside');
  });

  test('no mixture of links and paths reads or writes outside', () => {
    const part = fc.constantFrom('..', '.', 'etc', 'l1', 'l2', 'passwd', '/', 'outside', 'secret');
    const path = fc.array(part, { minLength: 1, maxLength: 8 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(path, path, path, (first, second, wanted) => {
        root.removeAll('/l1');
        root.removeAll('/l2');
        root.symlink(first, '/l1');
        root.symlink(second, '/l2');
        try {
          expect(root.readFile(wanted).toString()).not.toBe('outside');
        } catch (error) {
          expect((error as NodeJS.ErrnoException).code).toMatch(/^E(NOENT|NOTDIR|ISDIR|LOOP)$/);
        }
        try {
          root.mkdirAll(wanted);
        } catch (error) {
          expect((error as NodeJS.ErrnoException).code).toMatch(/^E(NOTDIR|LOOP)$/);
        }
        expect(readFileSync(join(base, 'outside/secret'), 'utf8')).toBe('outside');
      }),
      runs(300),
    );
  });
});

test('mkdirAll says what it made and follows dangling links inside', () => {
  expect(root.mkdirAll('/a/b/c', 0o711)).toEqual(['/a', '/a/b', '/a/b/c']);
  expect(root.lstat('/a/b').mode & 0o7777).toBe(0o711);
  expect(root.mkdirAll('/a/b')).toEqual([]);
  root.symlink('/run', '/var-run');
  expect(root.mkdirAll('/var-run/lock')).toEqual(['/run', '/run/lock']);
  expect(root.resolve('/var-run/lock')).toBe('/run/lock');
  expect(() => root.mkdirAll('/etc/passwd/x')).toThrow(/ENOTDIR/);
});

test('calls on an entry act on the link itself', () => {
  root.symlink('/etc/passwd', '/link');
  expect(root.lstat('/link').type).toBe('symlink');
  expect(root.stat('/link').type).toBe('file');
  expect(root.readlink('/link')).toBe('/etc/passwd');
  root.utimens('/link', 1n, 1_234_567_890_123_456_789n);
  expect(root.lstat('/link').mtimeNs).toBe(1_234_567_890_123_456_789n);
  expect(root.lstat('/etc/passwd').mtimeNs).not.toBe(1_234_567_890_123_456_789n);
  expect(() => root.chmod('/link', 0o600)).toThrow(/EOPNOTSUPP|ENOTSUP/);
  root.unlink('/link');
  expect(root.lstatIfAny('/link')).toBeUndefined();
  expect(root.lstat('/etc/passwd').type).toBe('file');
});

test('files, links and renames keep modes and times exactly', () => {
  closeSync(root.createFile('/file', 0o4751));
  expect(root.lstat('/file').mode & 0o7777).toBe(0o4751);
  expect(() => root.createFile('/file')).toThrow(/EEXIST/);
  root.link('/file', '/etc/hard');
  expect(root.lstat('/file').ino).toBe(root.lstat('/etc/hard').ino);
  expect(root.lstat('/file').nlink).toBe(2);
  root.utimens('/file', -1n, -1_500_000_000n);
  expect(root.lstat('/etc/hard').mtimeNs).toBe(-1_500_000_000n);
  root.rename('/etc/hard', '/moved');
  expect(root.readdir('/').sort()).toEqual(['etc', 'file', 'moved']);
  root.chmod('/', 0o700);
  expect(root.lstat('/').mode & 0o7777).toBe(0o700);
});

test('refuses NUL, the root itself and oversized or special files', () => {
  expect(() => root.readFile('/etc/passwd\0x')).toThrow(/EINVAL/);
  expect(() => root.unlink('/')).toThrow(/EINVAL/);
  expect(() => root.readFile('/etc')).toThrow(/EISDIR/);
  expect(() => root.readFile('/etc/passwd', 3)).toThrow(/EFBIG/);
  root.mknod('/fifo', 0o010644);
  expect(() => root.readFile('/fifo')).toThrow(/EINVAL/);
});

test('a directory handle takes single names only', () => {
  using etc = root.openDir('/etc');
  for (const name of ['..', '.', '', 'a/b', '/x', 'a\0']) expect(() => etc.lstat(name)).toThrow(/EINVAL/);
  expect(etc.readdir()).toEqual(['passwd']);
});
