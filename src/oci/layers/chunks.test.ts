import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Digest, HOUSE, neverAborted } from '../../base/index.ts';
import { createPools, fileSystemUsage } from '../../sys/index.ts';
import type { ChunkedLayer } from './chunks.ts';
import { DEFAULT_UNPACK_LIMITS, packDirectoryChunks, unpackDirectoryChunks } from './index.ts';

const pools = createPools({ short: 1, bulk: 1 });
const folder = mkdtempSync(join(tmpdir(), 'slipway-chunks-'));
afterAll(async () => {
  await pools[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});
const work = { signal: neverAborted, owner: HOUSE };
let directories = 0;
const directory = () => {
  const path = join(folder, `${directories++}`);
  mkdirSync(path);
  return path;
};

/** Does not compress. */
const noise = (bytes: number, seed: number) => {
  const made = Buffer.alloc(bytes);
  let state = seed;
  for (let at = 0; at < bytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    made.writeInt32LE(state, at);
  }
  return made;
};

async function pack(
  from: string,
  known: readonly Digest[] = [],
  bounds: { maxBytes?: number; maxChunks?: number; below?: string } = {},
) {
  const into = directory();
  const packed = await packDirectoryChunks(pools.bulk, {
    ...{ directory: from, into, known: new Set(known), maxBytes: 1e9, maxChunks: 4096 },
    ...bounds,
    ...work,
  });
  return packed;
}

function packedOf(packed: Awaited<ReturnType<typeof pack>>): ChunkedLayer {
  if (packed.kind !== 'packed') throw new Error(`over ${packed.bound}`);
  return packed;
}

function tree(): string {
  const from = directory();
  mkdirSync(join(from, 'sub'));
  for (let n = 0; n < 8; n++) writeFileSync(join(from, `file-${n}`), noise(3 << 20, n + 1));
  writeFileSync(join(from, 'sub', '.wh.named-so'), 'a file like others');
  symlinkSync('../file-0', join(from, 'sub', 'link'));
  chmodSync(from, 0o1777);
  return from;
}

test('a directory comes back from its chunks as it was, itself too', async () => {
  const from = tree();
  const { blobs, chunks, diffId, root, isEmpty } = packedOf(await pack(from));
  expect(isEmpty).toBe(false);
  const into = directory();
  const paths = chunks.map(({ digest }) => blobs.get(digest)!.path);
  const whole = { directory: into, lowers: [], diffId, root, limits: DEFAULT_UNPACK_LIMITS, keepFree: 0, ...work };
  await unpackDirectoryChunks(pools.bulk, { blobs: paths, ...whole });
  expect(readdirSync(into, { recursive: true }).sort()).toEqual(readdirSync(from, { recursive: true }).sort());
  for (let n = 0; n < 8; n++)
    expect(readFileSync(join(into, `file-${n}`)).equals(readFileSync(join(from, `file-${n}`)))).toBe(true);
  expect(readFileSync(join(into, 'sub', '.wh.named-so'), 'utf8')).toBe('a file like others');
  expect(statSync(into).mode & 0o7777).toBe(0o1777);

  // In another order, or without one of them, it is not what was packed.
  for (const wrong of [paths.toReversed(), paths.slice(1), [...paths, ...paths]])
    await expect(
      unpackDirectoryChunks(pools.bulk, { blobs: wrong, ...whole, directory: directory() }),
    ).rejects.toThrow();
});

test('of another version only the chunks that differ have blobs', async () => {
  const from = tree();
  const first = packedOf(await pack(from));
  const known = first.chunks.map(({ digest }) => digest);
  expect(packedOf(await pack(from, known)).blobs.size).toBe(0);
  writeFileSync(join(from, 'file-5'), noise(100_000, 77));
  const second = packedOf(await pack(from, known));
  expect(second.diffId).not.toBe(first.diffId);
  expect(second.blobs.size).toBeGreaterThan(0);
  expect(second.blobs.size).toBeLessThan(first.blobs.size / 2);
});

test('what is larger than it may be is told, and what is empty', async () => {
  const from = tree();
  expect(await pack(from, [], { maxBytes: 5 << 20 })).toEqual({ kind: 'over', bound: 'bytes' });
  expect(await pack(from, [], { maxChunks: 2 })).toEqual({ kind: 'over', bound: 'chunks' });
  expect(packedOf(await pack(directory())).isEmpty).toBe(true);
});

/** Bytes that are allocated. */
const taken = (path: string) => statSync(path).blocks * 512;

async function unpack(packed: ChunkedLayer, keepFree = 0): Promise<string> {
  const into = directory();
  const { blobs, chunks, diffId, root } = packed;
  const paths = chunks.map(({ digest }) => blobs.get(digest)!.path);
  const whole = { blobs: paths, directory: into, lowers: [], diffId, root, limits: DEFAULT_UNPACK_LIMITS, keepFree };
  await unpackDirectoryChunks(pools.bulk, { ...whole, ...work });
  return into;
}

test('zeros take no room where it comes back, wherever they are, and all else is as it was', async () => {
  const from = directory();
  const MB = 1 << 20;
  const file = (name: string, size: number, parts: readonly (readonly [at: number, bytes: Buffer])[]) => {
    const path = join(from, name);
    writeFileSync(path, '');
    truncateSync(path, size);
    const fd = openSync(path, 'r+');
    for (const [at, bytes] of parts) writeSync(fd, bytes, 0, bytes.length, at);
    closeSync(fd);
  };
  file('sparse', 40 * MB + 77, [[20 * MB + 5, noise(10_000, 1)]]);
  file('begins', 10 * MB, [[0, noise(4, 2)]]);
  file('ends', 10 * MB + 1, [[10 * MB, Buffer.from('x')]]);
  file('nothing', 10 * MB, []);
  // Zeros that are stored, and pieces of blocks.
  writeFileSync(join(from, 'stored'), Buffer.alloc(10 * MB));
  writeFileSync(join(from, 'pieces'), Buffer.concat([Buffer.alloc(3000), noise(3000, 3), Buffer.alloc(5000)]));
  writeFileSync(join(from, 'empty'), '');
  const into = await unpack(packedOf(await pack(from)));
  for (const name of readdirSync(from))
    expect([name, readFileSync(join(into, name)).equals(readFileSync(join(from, name)))]).toEqual([name, true]);
  const all = readdirSync(into).map((name) => taken(join(into, name)));
  expect(all.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(200_000);
});

test('what would leave less of the disk free than is to stay is not unpacked', async () => {
  const packed = packedOf(await pack(tree()));
  const { free } = fileSystemUsage(folder);
  await expect(unpack(packed, 2 * free)).rejects.toMatchObject({ reason: 'CACHE_DISK' });
});

test('how large a tree is, is known before anything of it is read', async () => {
  const from = directory();
  // As a stream of zeros it would take hours.
  for (const name of ['a', 'b', 'c']) {
    writeFileSync(join(from, name), '');
    truncateSync(join(from, name), 2 ** 42);
  }
  const most = { maxBytes: 2 * 2 ** 42 };
  expect(await pack(from, [], most)).toEqual({ kind: 'over', bound: 'bytes' });
});

test('names of one file count once, and what is as below does not count', async () => {
  const [from, below] = [directory(), directory()];
  writeFileSync(join(from, 'one'), noise(600_000, 1));
  linkSync(join(from, 'one'), join(from, 'other'));
  for (const where of [from, below]) {
    writeFileSync(join(where, 'same'), noise(600_000, 2));
    utimesSync(join(where, 'same'), 1e9, 1e9);
  }
  expect((await pack(from, [], { maxBytes: 1_000_000, below })).kind).toBe('packed');
  expect((await pack(from, [], { maxBytes: 1_000_000 })).kind).toBe('over');
});
