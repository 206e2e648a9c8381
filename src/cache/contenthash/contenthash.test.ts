import { chmodSync, linkSync, mkdirSync, mkdtempDisposableSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { atOnce, digestOf } from '../../base/index.ts';
import { decodeName, type TaskContext } from '../../sys/index.ts';
import { ContentTreeBuilder } from './builder.ts';
import { contentChanges } from './changes.ts';
import type { ContentSelector } from './checksum.ts';
import { entryHash } from './entry-hash.ts';
import { checksum } from './task.ts';
import { ContentTree, type TreeNode } from './tree.ts';
import { decodeTree, encodeTree } from './tree-bytes.ts';

const context = { throwIfAborted() {}, transfer() {} } as unknown as TaskContext;

function tree(files: Record<string, string>) {
  const dir = mkdtempDisposableSync(join(tmpdir(), 'slipway-hash-'));
  for (const [path, content] of Object.entries(files)) {
    const full = join(dir.path, path);
    mkdirSync(path.endsWith('/') ? full : dirname(full), { recursive: true });
    if (path.endsWith('/')) continue;
    if (content.startsWith('->')) symlinkSync(content.slice(2), full);
    else writeFileSync(full, content);
  }
  return dir;
}

function digest(dir: { path: string }, ...selectors: ContentSelector[]) {
  return checksum({ directory: dir.path, selectors }, context).digest;
}

const FILES = { 'd/a': 'one', 'd/sub/b': 'two', 'e/a': 'one', link: '->d', 'd/rel': '->../e/a', 'd/abs': '->/e/a' };

test('equal files in equal places have equal digests, whatever their times', () => {
  using one = tree(FILES);
  using two = tree(FILES);
  utimesSync(join(two.path, 'd/a'), 1, 1);
  expect(digest(one)).toBe(digest(two));
  expect(digest(one, { path: '/d/a' })).toBe(digest(one, { path: '/e/a' }));
});

test.each<[string, (root: string) => void]>([
  ['content', (root) => writeFileSync(join(root, 'd/a'), 'other')],
  ['size alone', (root) => writeFileSync(join(root, 'd/a'), 'one\0')],
  ['a mode', (root) => chmodSync(join(root, 'd/a'), 0o751)],
  ['the mode of a directory', (root) => chmodSync(join(root, 'd'), 0o700)],
  ['a new file', (root) => writeFileSync(join(root, 'd/new'), '')],
  ['a new directory', (root) => mkdirSync(join(root, 'd/new'))],
  ['a new symlink', (root) => symlinkSync('a', join(root, 'd/new'))],
])('%s changes the digest of all above it and of nothing else', (_, change) => {
  using one = tree(FILES);
  using two = tree(FILES);
  change(two.path);
  for (const path of ['/', '/d', '/link/'])
    expect(digest(one, { path, followLinks: true })).not.toBe(digest(two, { path, followLinks: true }));
  for (const path of ['/e', '/d/sub']) expect(digest(one, { path })).toBe(digest(two, { path }));
});

test('symlinks: on the way always followed, the last one when asked, never out of the root', () => {
  using dir = tree({ ...FILES, up: '->../../../d/a', loop: '->loop', gone: '->nosuch' });
  const file = digest(dir, { path: '/d/a' });
  expect(digest(dir, { path: '/link/a' })).toBe(file);
  expect(digest(dir, { path: '/d/rel', followLinks: true })).toBe(file);
  expect(digest(dir, { path: '/d/abs', followLinks: true })).toBe(file);
  expect(digest(dir, { path: '/up', followLinks: true })).toBe(file);
  expect(digest(dir, { path: '/up' })).not.toBe(file);
  expect(() => digest(dir, { path: '/loop', followLinks: true })).toThrow('too many links');
  expect(() => digest(dir, { path: '/gone', followLinks: true })).toThrow('"/gone": not found');
});

test('a missing path is an error, a pattern without match is not', () => {
  using dir = tree(FILES);
  expect(() => digest(dir, { path: '/nosuch' })).toThrow('"/nosuch": not found');
  expect(() => digest(dir, { path: '/d/a/below' })).toThrow('"/d/a/below": not found');
  expect(digest(dir, { path: '/no*', wildcard: true })).toBe(digestOf(digestOf('')));
  expect(() => digest(dir, { path: '/d', includePatterns: ['a'], requiredPaths: ['/d/q'] })).toThrow(
    '"/d/q": not found',
  );
});

test('wildcards and patterns', () => {
  using dir = tree(FILES);
  // A single match of the asked name is that file; files outside the patterns change nothing.
  expect(digest(dir, { path: '/d/[a]', wildcard: true })).not.toBe(digest(dir, { path: '/d/a' }));
  using other = tree({ ...FILES, 'd/sub/c': 'new', 'd/z': 'new' });
  const only = { path: '/d', includePatterns: ['a', 'sub/b'] };
  expect(digest(dir, only)).toBe(digest(other, only));
  const without = { path: '/d', excludePatterns: ['sub/c', 'z'] };
  expect(digest(dir, without)).toBe(digest(other, without));
  expect(digest(dir, { path: '/d', excludePatterns: ['z'] })).not.toBe(
    digest(other, { path: '/d', excludePatterns: ['z'] }),
  );
  expect(digest(dir, { path: '/*/a', wildcard: true })).toBe(digest(other, { path: '/*/a', wildcard: true }));
});

test('hardlinks count as what they name', () => {
  using dir = tree({ a: 'x' });
  linkSync(join(dir.path, 'a'), join(dir.path, 'b'));
  expect(digest(dir, { path: '/a' })).toBe(digest(dir, { path: '/b' }));
});

test('what was learned is kept: the same answer without the files', () => {
  using dir = tree(FILES);
  const selectors = [{ path: '/d' }, { path: '/link/a' }];
  const first = checksum({ directory: dir.path, selectors }, context);
  const again = checksum({ tree: first.tree!, selectors }, context);
  expect(again).toEqual({ digest: first.digest });
  // Nothing is known of /e but that it is there.
  expect(checksum({ tree: first.tree!, selectors: [{ path: '/e' }] }, context)).toEqual({});
  const more = checksum({ directory: dir.path, tree: first.tree!, selectors: [{ path: '/' }] }, context);
  expect(more.digest).toBe(digest(dir));
});

test('only what is asked for is read', () => {
  using dir = tree(FILES);
  const { tree: bytes } = checksum({ directory: dir.path, selectors: [{ path: '/d/a' }] }, context);
  expect([...decodeTree(bytes!).children!.keys()]).toEqual(['d']);
});

test('damaged trees are found out anew', () => {
  using dir = tree(FILES);
  const first = checksum({ directory: dir.path, selectors: [] }, context);
  for (const length of [0, 1, 10, 100]) {
    const damaged = first.tree!.slice(0, length);
    expect(checksum({ directory: dir.path, tree: damaged, selectors: [] }, context).digest).toBe(first.digest);
  }
});

test('a received tree: changes leave what is elsewhere, hardlinks name what came before', () => {
  const hash = (content: string) => {
    const header = { uid: 0, gid: 0, mode: 0o644, linkname: '', devMajor: 0, devMinor: 0, xattrs: new Map() };
    const running = entryHash({ ...header, type: 'file', size: content.length });
    running.update(Buffer.from(content));
    return running.digest();
  };
  const make = (before?: Uint8Array) => atOnce(ContentTreeBuilder.opening(before));
  const build = (builder: ContentTreeBuilder, names: Record<string, string>) => {
    builder.set('/d', { type: 'dir', digest: hash('dir') });
    for (const [name, content] of Object.entries(names)) builder.set(name, { type: 'file', digest: hash(content) });
    return builder;
  };
  const first = atOnce(build(make(), { 'd/a': 'a', 'd/b': 'b' }).finishing());
  const direct = atOnce(build(make(), { 'd/a': 'a', 'd/b': 'changed', 'd/c': 'c' }).finishing());
  const stepped = make(first);
  stepped.set('d/b', { type: 'file', digest: hash('changed') });
  stepped.set('d/c', { type: 'file', digest: hash('c') });
  const whole = { selectors: [{ path: '/' }] };
  expect(checksum({ tree: atOnce(stepped.finishing()), ...whole }, context)).toEqual(
    checksum({ tree: direct, ...whole }, context),
  );
  const removed = make(direct);
  removed.delete('d/c');
  removed.set('d/b', { type: 'file', digest: hash('b') });
  expect(checksum({ tree: atOnce(removed.finishing()), ...whole }, context)).toEqual(
    checksum({ tree: first, ...whole }, context),
  );
  removed.setHardlink('d/z', '/d/a');
  const one = (path: string) => checksum({ tree: atOnce(removed.finishing()), selectors: [{ path }] }, context).digest;
  expect(one('/d/z')).toBe(one('/d/a'));
  expect(() => removed.setHardlink('q', '/nosuch')).toThrow('unknown file');
  expect(() => removed.set('no/such', { type: 'file', digest: hash('') })).toThrow('came before its directory');
});

test('the stored form gives the same tree back', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1 })
    .filter((text) => !text.includes('/') && text.isWellFormed());
  const leaf: fc.Arbitrary<TreeNode> = fc.oneof(
    fc.constant<TreeNode>({ kind: 'file' }),
    fc.constant<TreeNode>({ kind: 'file', digest: digestOf('x') }),
    fc
      .string()
      .filter((text) => text.isWellFormed())
      .map((link): TreeNode => ({ kind: 'symlink', link })),
  );
  const { node } = fc.letrec<{ node: TreeNode }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.tuple(fc.array(fc.tuple(name, tie('node')), { maxLength: 4 }), fc.boolean()).map(
        ([children, complete]): TreeNode => ({
          kind: 'dir',
          children: new Map(children),
          ...(complete ? { complete, content: digestOf('c') } : {}),
        }),
      ),
    ),
  }));
  fc.assert(
    fc.property(node, (root) => {
      expect(decodeTree(encodeTree(root))).toEqual(root);
    }),
  );
});

test('100,000 files are stored small and found again', () => {
  const builder = atOnce(ContentTreeBuilder.opening());
  for (let d = 0; d < 100; d++) {
    builder.set(`/${d}`, { type: 'dir', digest: digestOf('d') });
    for (let f = 0; f < 1000; f++) builder.set(`/${d}/${f}`, { type: 'file', digest: digestOf('f') });
  }
  const bytes = atOnce(builder.finishing());
  expect(bytes.length).toBeLessThan(100_000 * 64);
  expect(new ContentTree(decodeTree(bytes)).get('/99/999')?.digest).toBe(digestOf('f'));
});

test('names and targets of any bytes enter digests as they are', () => {
  const [odd, other] = ['f\xe9', 'f\xea'].map((name) => Buffer.from(name, 'latin1'));
  const digestWith = (name: Buffer, selector: ContentSelector) => {
    using dir = tree({ 'd/plain': 'x' });
    writeFileSync(Buffer.concat([Buffer.from(`${dir.path}/d/`), name]), 'content');
    symlinkSync(name, join(dir.path, 'link'));
    return digest(dir, selector);
  };
  for (const selector of [{ path: '/d' }, { path: '/d/*', wildcard: true }, { path: '/link' }])
    expect(digestWith(odd!, selector)).not.toBe(digestWith(other!, selector));
  const name = decodeName(odd!);
  const node: TreeNode = { kind: 'dir', children: new Map([[name, { kind: 'symlink', link: name }]]) };
  expect(decodeTree(encodeTree(node))).toEqual(node);
});

test('what changed between two trees is told by entry, as far as the trees know', () => {
  const meta = { mode: 0o644, uid: 0, gid: 0 };
  const received = (entries: Readonly<Record<string, string | { mode?: number; uid?: number }>>, withMeta = true) => {
    const builder = atOnce(ContentTreeBuilder.opening());
    const dir = {
      type: 'dir',
      digest: digestOf('dir'),
      ...(withMeta ? { meta: { ...meta, mode: 0o755 } } : {}),
    } as const;
    builder.set('/d', dir);
    for (const [path, entry] of Object.entries(entries)) {
      const own = { ...meta, ...(typeof entry === 'string' ? {} : entry) };
      const digest = digestOf(JSON.stringify(entry));
      builder.set(path, { type: 'file', digest, ...(withMeta ? { meta: own } : {}) });
    }
    return decodeTree(atOnce(builder.finishing()));
  };
  const before = received({ '/d/a': 'a', '/d/b': 'b', '/d/c': {}, '/d/o': {}, '/x': 'x' });
  const after = received({ '/d/a': 'A', '/d/c': { mode: 0o600 }, '/d/n': 'n', '/d/o': { uid: 5 }, '/x': 'other' });
  const told = (...args: Parameters<typeof contentChanges>) =>
    contentChanges(...args)?.first.map(({ path, change, before: was = '', after: is = '' }) =>
      `${path} ${change} ${was} ${is}`.trim(),
    );
  const all = ['d/a content', 'd/b removed', 'd/c mode 0644 0600', 'd/n added', 'd/o owner 0:0 5:0'];
  expect(told(before, after, [{ path: '/d' }], 9)).toEqual(all);
  expect(told(before, after, [], 9)).toEqual([...all, 'x content']);
  expect(contentChanges(before, after, [], 2)).toMatchObject({ count: 6, first: [{ path: 'd/a' }, { path: 'd/b' }] });
  expect(told(before, after, [{ path: '/*', wildcard: true, includePatterns: ['a'] }], 9)).toEqual(['d/a content']);
  expect(told(before, after, [{ path: '/d', excludePatterns: ['a', 'b', 'c'] }], 9)).toEqual(all.slice(3));
  expect(told(before, before, [], 9)).toEqual([]);
  // Trees of an earlier version know digests alone; what was never looked at is not known at all.
  const plain = encodeTree(received({ '/d/a': 'a' }, false));
  expect(plain[0]).toBe(3);
  plain[0] = 2;
  expect(told(decodeTree(plain), received({ '/d/a': 'A' }), [], 9)).toEqual(['d/a changed']);
  expect(contentChanges({ kind: 'dir', children: new Map() }, after, [], 9)).toBe(undefined);
});
