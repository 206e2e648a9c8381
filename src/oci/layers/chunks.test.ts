import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Digest, HOUSE, neverAborted } from '../../base/index.ts';
import { createPools } from '../../sys/index.ts';
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
  bounds: { maxBytes?: number; maxChunks?: number } = {},
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
  const whole = { directory: into, lowers: [], diffId, root, limits: DEFAULT_UNPACK_LIMITS, ...work };
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
