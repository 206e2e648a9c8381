import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { CHUNK_BYTES, ChunkCutter } from './chunk-cutter.ts';

/** Bytes without a pattern, the same for one seed. */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

/** Sizes of the pieces are taken in turn. */
function cut(bytes: Buffer, pieces: readonly number[] = [1 << 16]): Buffer[] {
  const cutter = new ChunkCutter();
  const chunks: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const piece = bytes.subarray(at, at + (pieces[turn % pieces.length] as number));
    at += piece.length;
    for (const chunk of cutter.push(piece)) chunks.push(Buffer.from(chunk));
  }
  for (const chunk of cutter.finish()) chunks.push(Buffer.from(chunk));
  return chunks;
}

const NOISE = noise(50 << 20, 7);

const digests = (chunks: readonly Buffer[]) => chunks.map((chunk) => createHash('sha256').update(chunk).digest('hex'));

test.each([
  ['nothing', Buffer.alloc(0)],
  ['a byte', Buffer.from('x')],
  ['as much as the least chunk', noise(CHUNK_BYTES.least, 1)],
  ['a byte more', noise(CHUNK_BYTES.least + 1, 1)],
  ['as much as the largest', Buffer.alloc(CHUNK_BYTES.most)],
  ['zeros', Buffer.alloc(3 * CHUNK_BYTES.most + 5)],
  ['noise', NOISE],
])('chunks of %s are together what they were cut from, within their bounds', (_what, bytes) => {
  const chunks = cut(bytes);
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  for (const [n, { length }] of chunks.entries()) {
    expect(length).toBeLessThanOrEqual(CHUNK_BYTES.most);
    if (n < chunks.length - 1) expect(length).toBeGreaterThanOrEqual(CHUNK_BYTES.least);
  }
});

test('the cuts are the same however the bytes come', () => {
  const bytes = NOISE.subarray(0, 24 << 20);
  const once = digests(cut(bytes, [bytes.length]));
  expect(digests(cut(bytes, [1 << 16]))).toEqual(once);
  expect(digests(cut(bytes, [1_000_003, 17, CHUNK_BYTES.most, 3 * CHUNK_BYTES.most]))).toEqual(once);
});

test('sizes gather around the usual one', () => {
  const mean = (50 << 20) / cut(NOISE).length;
  expect(mean).toBeGreaterThan(CHUNK_BYTES.usual / 2);
  expect(mean).toBeLessThan(CHUNK_BYTES.usual * 2);
});

test.each([
  [
    'overwritten',
    (bytes: Buffer, at: number) => Buffer.concat([bytes.subarray(0, at), noise(100, 99), bytes.subarray(at + 100)]),
  ],
  [
    'put in',
    (bytes: Buffer, at: number) => Buffer.concat([bytes.subarray(0, at), noise(12_345, 98), bytes.subarray(at)]),
  ],
  ['taken out', (bytes: Buffer, at: number) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 54_321)])],
])('where something is %s, few chunks are others', (_what, edit) => {
  const bytes = NOISE.subarray(0, 40 << 20);
  const before = new Set(digests(cut(bytes)));
  for (const at of [0, 20_000_000, bytes.length - 60_000]) {
    const after = digests(cut(edit(bytes, at)));
    expect(after.filter((digest) => !before.has(digest)).length).toBeLessThanOrEqual(3);
  }
});
