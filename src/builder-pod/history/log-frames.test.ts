import { expect, test } from 'vitest';
import { digestOf, neverAborted as signal } from '../../base/index.ts';
import { type EncodedMessage, wire } from '../../builder-api/index.ts';
import type { VertexEvent } from '../../solver/index.ts';
import { logFrames, readLogFrames } from './log-frames.ts';

const state = (name: string, inputs: number): VertexEvent => {
  const digests = Array.from({ length: inputs }, (_, n) => digestOf(`${name} ${n}`));
  return { kind: 'vertex', vertex: { digest: digestOf(name), inputs: digests, name, cached: false } };
};

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const decoded = ({ parts }: EncodedMessage) => wire.moby.buildkit.v1.StatusResponse.decode(Buffer.concat(parts));

test('a log reads as it was written, in portions, also where one step has very many inputs', async () => {
  const events = [state('small', 2), state('wide', 40_000), state('last', 0)];
  const portions = await Array.fromAsync(logFrames(events, { signal }));
  expect(portions.length).toBeGreaterThan(2);
  for (const { length } of portions) expect(length).toBeLessThan(2 << 20);
  const bytes = Buffer.concat(portions);
  for (const size of [1000, 256 << 10, bytes.length]) {
    const read: [string, number][] = [];
    for await (const message of readLogFrames(cut(bytes, size)))
      for (const { name, inputs } of decoded(message).vertexes ?? []) read.push([name ?? '', inputs?.length ?? 0]);
    expect(read).toEqual([
      ['small', 2],
      ['wide', 40_000],
      ['last', 0],
    ]);
  }
  const torn: string[] = [];
  for await (const message of readLogFrames(cut(bytes.subarray(0, bytes.length - 1), 5000)))
    for (const { name } of decoded(message).vertexes ?? []) torn.push(name ?? '');
  expect(torn).toEqual(['small', 'wide']);
});
