import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { digestOf, neverAborted } from '../../../base/index.ts';
import { wholeBlob } from './whole-blob.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What comes of a blob of `size` bytes from a store that gives it as `chunks` says; how it ended, and where it was asked from. */
async function read(size: number, chunks: (offset: number) => AsyncGenerator<Buffer>) {
  const offsets: number[] = [];
  const client = {
    openBlob: async (_blob: object, { offset }: { readonly offset: number }) => {
      offsets.push(offset);
      return Readable.from(chunks(offset));
    },
  };
  let bytes = 0;
  let end: unknown;
  const reading = (async () => {
    for await (const chunk of wholeBlob(client, { digest: digestOf('blob'), size }, { signal: neverAborted }))
      bytes += chunk.length;
    end = 'whole';
  })().catch((error: unknown) => {
    end = error;
  });
  for (let minute = 0; minute < 60 && end === undefined; minute++) await vi.advanceTimersByTimeAsync(60_000);
  expect(end).toBeDefined();
  await reading;
  return { bytes, end, offsets };
}

const MIB = 1 << 20;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('a store that gives a byte now and then is given up, and one that is slow is not', async () => {
  const drips = await read(10 * MIB, async function* () {
    for (;;) {
      await pause(19_000);
      yield Buffer.alloc(1);
    }
  });
  expect(drips).toMatchObject({ end: { code: 'unavailable', message: expect.stringContaining('too slowly') } });
  expect(drips.offsets).toHaveLength(3);
  const slow = await read(4 * MIB, async function* () {
    for (let n = 0; n < 64; n++) {
      await pause(15_000);
      yield Buffer.alloc(MIB / 16);
    }
  });
  expect(slow).toEqual({ bytes: 4 * MIB, end: 'whole', offsets: [0] });
});

test('a stream that breaks is gone on with as long as it gets somewhere', async () => {
  const size = 10 * MIB;
  const some = (bytes: number) =>
    async function* (offset: number) {
      yield Buffer.alloc(Math.min(bytes, size - offset));
      if (offset + bytes < size) throw new Error('cut');
    };
  expect(await read(size, some(MIB))).toMatchObject({ bytes: size, end: 'whole' });
  const crumbs = await read(size, some(1));
  expect(crumbs).toMatchObject({ bytes: 3, offsets: [0, 1, 2], end: { code: 'unavailable' } });
});
