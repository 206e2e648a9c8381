import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { FileAction, FileCopy } from '../../../llb/index.ts';
import type { TaskContext } from '../../../sys/index.ts';
import { fileAction } from './file-task.ts';

const me = process.getuid!();
const context = { throwIfAborted() {}, post() {} } as unknown as TaskContext;
const COPY: FileCopy = {
  src: '/',
  dest: '/',
  mode: -1,
  modeStr: '',
  followSymlink: false,
  dirCopyContents: false,
  attemptUnpack: false,
  createDestPath: true,
  allowWildcard: false,
  allowEmptyWildcard: false,
  timestamp: -1n,
  includePatterns: [],
  excludePatterns: [],
  alwaysReplaceExistingDestPaths: false,
  requiredPaths: [],
};

/** Files by path; a value that starts with `->` is a symlink, a path that ends in `/` a directory. */
function tree(files: Record<string, string>) {
  const dir = mkdtempDisposableSync(join(tmpdir(), 'slipway-file-'));
  for (const [path, content] of Object.entries(files)) {
    const full = join(dir.path, path);
    mkdirSync(path.endsWith('/') ? full : dirname(full), { recursive: true });
    if (path.endsWith('/')) continue;
    if (content.startsWith('->')) symlinkSync(content.slice(2), full);
    else writeFileSync(full, content);
  }
  return Object.assign(dir, {
    /** All paths below, sorted, directories with a slash. */
    list: () => walk(dir.path, ''),
    read: (path: string) => readFileSync(join(dir.path, path), 'utf8'),
    stat: (path: string) => lstatSync(join(dir.path, path)),
  });
}

function walk(root: string, path: string): string[] {
  return readdirSync(join(root, path), { withFileTypes: true })
    .flatMap((entry) => {
      const name = join(path, entry.name);
      return entry.isDirectory() ? [`${name}/`, ...walk(root, name)] : [name];
    })
    .sort();
}

function act(body: FileAction['body'], target: string, source?: string) {
  fileAction(
    { body, target, ...(source === undefined ? {} : { source }), userRoot: target, groupRoot: target },
    context,
  );
}

function copy(source: { path: string }, target: { path: string }, options: Partial<FileCopy>) {
  act({ kind: 'copy', copy: { ...COPY, ...options } }, target.path, source.path);
}

test.each<[string, Partial<FileCopy>, Record<string, string>, string[]]>([
  ['a file under a new name', { src: '/d/f', dest: '/x/y' }, {}, ['x/', 'x/y']],
  ['a file into a directory by slash', { src: '/d/f', dest: '/x/' }, {}, ['x/', 'x/f']],
  ['a file into a directory that exists', { src: '/d/f', dest: '/x' }, { 'x/': '' }, ['x/', 'x/f']],
  ['a directory under a new name', { src: '/d', dest: '/x' }, {}, ['x/', 'x/e/', 'x/e/g', 'x/f']],
  [
    'a directory into one that exists',
    { src: '/d', dest: '/x' },
    { 'x/': '' },
    ['x/', 'x/d/', 'x/d/e/', 'x/d/e/g', 'x/d/f'],
  ],
  [
    'what is in a directory',
    { src: '/d', dest: '/x', dirCopyContents: true },
    { 'x/': '' },
    ['x/', 'x/e/', 'x/e/g', 'x/f'],
  ],
  [
    'the root',
    { src: '/', dest: '/x', dirCopyContents: true },
    {},
    ['x/', 'x/d/', 'x/d/e/', 'x/d/e/g', 'x/d/f', 'x/link'],
  ],
  [
    'the root into the root',
    { src: '/', dest: '/', dirCopyContents: true },
    {},
    ['d/', 'd/e/', 'd/e/g', 'd/f', 'link'],
  ],
  ['a symlink as it is', { src: '/link', dest: '/x' }, {}, ['x']],
  ['what a symlink names', { src: '/link', dest: '/x', followSymlink: true }, {}, ['x']],
  ['by wildcard', { src: '/d/*', dest: '/x/', allowWildcard: true, dirCopyContents: true }, {}, ['x/', 'x/f', 'x/g']],
  [
    'by include patterns',
    { src: '/', dest: '/x', dirCopyContents: true, includePatterns: ['d/*/g'] },
    {},
    ['x/', 'x/d/', 'x/d/e/', 'x/d/e/g'],
  ],
  [
    'without excluded ones',
    { src: '/', dest: '/x', dirCopyContents: true, excludePatterns: ['d/e', 'link'] },
    {},
    ['x/', 'x/d/', 'x/d/f'],
  ],
  [
    'without excluded ones but for exceptions',
    { src: '/', dest: '/x', dirCopyContents: true, excludePatterns: ['d', '!d/e/g', 'link'] },
    {},
    ['x/', 'x/d/', 'x/d/e/', 'x/d/e/g'],
  ],
  [
    'nothing by a wildcard that may be empty',
    { src: '/q*', dest: '/x/', allowWildcard: true, allowEmptyWildcard: true },
    {},
    [],
  ],
  [
    'through a symlink of the target',
    { src: '/d/f', dest: '/s/f' },
    { 'real/': '', s: '->/real' },
    ['real/', 'real/f', 's'],
  ],
  ['never out of the target', { src: '/d/f', dest: '/s/f' }, { s: '->../../../..' }, ['f', 's']],
])('copies %s', (_, options, existing, expected) => {
  using source = tree({ 'd/f': 'f', 'd/e/g': 'g', link: '->d/f' });
  using target = tree(existing);
  copy(source, target, options);
  expect(target.list()).toEqual(expected);
});

test.each<[string, Partial<FileCopy>, string]>([
  ['a missing path', { src: '/nosuch', dest: '/x' }, 'lstat /nosuch: no such file or directory'],
  ['a wildcard without match', { src: '/q*', dest: '/x', allowWildcard: true }, '/q* not found'],
  ['a missing parent that must be there', { src: '/f', dest: '/a/b', createDestPath: false }, 'failed to stat /a/b'],
  ['a file over a directory', { src: '/dir', dest: '/' }, 'cannot replace to directory /dir'],
  ['a directory over a file', { src: '/f', dest: '/' }, 'cannot copy to non-directory: /f'],
])('refuses %s', (_, options, message) => {
  using source = tree(options.src === '/f' ? { 'f/x': '' } : { dir: 'a file' });
  using target = tree({ f: 'file', 'dir/': '' });
  expect(() => copy(source, target, options)).toThrow(message);
});

test('entries of another type give way when told so', () => {
  using source = tree({ 'a/x': 'x', b: 'b' });
  using target = tree({ a: 'file', 'b/y': 'y' });
  copy(source, target, { src: '/', dest: '/', dirCopyContents: true, alwaysReplaceExistingDestPaths: true });
  expect(target.list()).toEqual(['a/', 'a/x', 'b']);
});

test('times, modes, hardlinks and symlinks stay what they were', () => {
  using source = tree({ 'd/a': 'same', 'd/s': '->a' });
  linkSync(join(source.path, 'd/a'), join(source.path, 'd/b'));
  chmodSync(join(source.path, 'd/a'), 0o4751);
  utimesSync(join(source.path, 'd/a'), 1000, 2000);
  chmodSync(join(source.path, 'd'), 0o1711);
  utimesSync(join(source.path, 'd'), 1000, 3000);
  using target = tree({});
  copy(source, target, { src: '/d', dest: '/d' });
  expect(target.stat('d/a')).toMatchObject({ mode: 0o104751, mtimeMs: 2_000_000, nlink: 2 });
  expect(target.stat('d/b').ino).toBe(target.stat('d/a').ino);
  expect(target.stat('d')).toMatchObject({ mode: 0o041711, mtimeMs: 3_000_000 });
  expect(readlinkSync(join(target.path, 'd/s'))).toBe('a');
});

test('one time and one mode for all, directories made on the way too', () => {
  using source = tree({ 'd/a': 'a' });
  using target = tree({});
  copy(source, target, { src: '/d/a', dest: '/x/y/a', timestamp: 5_000_000_000n, mode: 0o640 });
  expect(target.stat('x/y/a')).toMatchObject({ mode: 0o100640, mtimeMs: 5000 });
  expect(target.stat('x/y').mtimeMs).toBe(5000);
  copy(source, target, { src: '/d/a', dest: '/z', modeStr: 'a+x,o-r' });
  expect(target.stat('z').mode & 0o777).toBe(0o751 & ((source.stat('d/a').mode & 0o777) | 0o111) & ~0o4);
});

test('names of owners are looked up in the given file system', () => {
  using target = tree({ 'etc/passwd': `app:x:${me}:${process.getgid!()}::/:/bin/sh\n` });
  act(
    {
      kind: 'mkdir',
      mkdir: { path: '/w', mode: 0o700, makeParents: true, owner: { user: { name: 'app', input: 0 } }, timestamp: -1n },
    },
    target.path,
  );
  expect(target.stat('w')).toMatchObject({ uid: me, gid: process.getgid!() });
});

test('mkdir', () => {
  using target = tree({});
  const mkdir = (path: string, makeParents: boolean) =>
    act({ kind: 'mkdir', mkdir: { path, mode: 0o750, makeParents, timestamp: 1_000_000_000n } }, target.path);
  mkdir('/a/b', true);
  expect(target.stat('a/b')).toMatchObject({ mode: 0o040750, mtimeMs: 1000 });
  expect(target.stat('a').mtimeMs).toBe(1000);
  mkdir('/a', false);
  expect(() => mkdir('/x/y', false)).toThrow('mkdir /x/y: no such file or directory');
  writeFileSync(join(target.path, 'f'), '');
  expect(() => mkdir('/f/b', true)).toThrow('lstat /f/b: not a directory');
  symlinkSync('l', join(target.path, 'l'));
  expect(() => mkdir('/l/b', true)).toThrow('too many links');
  expect(() => mkdir('/a\0b', true)).toThrow('lstat /a\0b: invalid argument');
});

test('mkfile replaces what is there and follows symlinks inside the root', () => {
  using target = tree({ f: 'old', l: '->/sub/new', 'sub/': '', 'dir/': '' });
  const mkfile = (path: string) =>
    act({ kind: 'mkfile', mkfile: { path, mode: 0o600, data: Buffer.from('new'), timestamp: -1n } }, target.path);
  mkfile('/f');
  mkfile('/l');
  expect(target.read('f')).toBe('new');
  expect(target.read('sub/new')).toBe('new');
  expect(() => mkfile('/dir')).toThrow('mkfile /dir: is a directory');
  expect(() => mkfile('/no/such')).toThrow('open /no/such: no such file or directory');
  expect(target.list()).toEqual(['dir/', 'f', 'l', 'sub/', 'sub/new']);
});

test('rm', () => {
  using target = tree({ 'a/x': '', 'a/y': '', b: '->a', 'keep/f': '' });
  const rm = (path: string, allowWildcard = false, allowNotFound = false) =>
    act({ kind: 'rm', rm: { path, allowNotFound, allowWildcard } }, target.path);
  rm('/b');
  expect(existsSync(join(target.path, 'a/x'))).toBe(true);
  rm('/a/*', true);
  expect(target.list()).toEqual(['a/', 'keep/', 'keep/f']);
  rm('/nosuch', false, true);
  expect(() => rm('/nosuch')).toThrow('stat /nosuch: no such file or directory');
  rm('/a/../keep');
  expect(target.list()).toEqual(['a/']);
});

test('symlink', () => {
  using target = tree({ there: '' });
  const link = (newPath: string) =>
    act({ kind: 'symlink', symlink: { oldPath: '../x', newPath, timestamp: 1_000_000_000n } }, target.path);
  link('/l');
  expect(readlinkSync(join(target.path, 'l'))).toBe('../x');
  expect(target.stat('l').mtimeMs).toBe(1000);
  expect(() => link('/there')).toThrow('file exists');
});
