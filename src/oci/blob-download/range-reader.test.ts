import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CodedError, neverAborted, silentLogger } from '../../base/index.ts';
import { downloadBlob } from './download.ts';
import type { BlobHost } from './host.ts';
import { firstHost } from './range-reader.ts';
import { defaultRetryPolicy } from './retry.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const MIB = 1 << 20;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What comes of a blob of `size` bytes from a host that gives it as `chunks` says; how it ended, and where it was asked from. */
async function read(size: number, chunks: (offset: number) => AsyncGenerator<Buffer>, reader = async () => {}) {
  const offsets: number[] = [];
  const host: BlobHost = {
    ...{ name: 'host', retry: defaultRetryPolicy, idleMs: 20_000 },
    open: async (range) => {
      const from = range?.from ?? 0;
      offsets.push(from);
      return { body: Readable.from(chunks(from)), from, size };
    },
    judge: (error) => ({ passes: !(error instanceof CodedError) }),
    failure: (message) => new CodedError('unavailable', message),
  };
  let bytes = 0;
  let end: unknown;
  const reading = (async () => {
    const stream = await downloadBlob({
      ...{ size, offset: 0, hosts: [host], state: firstHost(), signal: neverAborted, logger: silentLogger },
      ...{ room: () => undefined, onClose: () => {} },
    });
    for await (const chunk of stream) {
      bytes += chunk.length;
      await reader();
    }
    end = 'whole';
  })().catch((error: unknown) => {
    end = error;
  });
  for (let minute = 0; minute < 60 && end === undefined; minute++) await vi.advanceTimersByTimeAsync(60_000);
  expect(end).toBeDefined();
  await reading;
  return { bytes, end, offsets };
}

test('a host that gives a byte now and then is given up, and one that is slow is not', async () => {
  const drips = await read(10 * MIB, async function* () {
    for (;;) {
      await pause(19_000);
      yield Buffer.alloc(1);
    }
  });
  expect(drips).toMatchObject({ end: { code: 'unavailable', message: expect.stringContaining('bytes came in 300') } });
  expect(drips.offsets).toEqual([0]);
  const slow = await read(4 * MIB, async function* () {
    for (let n = 0; n < 64; n++) {
      await pause(15_000);
      yield Buffer.alloc(MIB / 16);
    }
  });
  expect(slow).toEqual({ bytes: 4 * MIB, end: 'whole', offsets: [0] });
});

test('a host that gives nothing any more is asked again from there, some times', async () => {
  const hangs = await read(3, async function* (offset) {
    if (offset === 0) yield Buffer.alloc(1);
    await pause(1e9);
  });
  expect(hangs).toMatchObject({ bytes: 1, offsets: [0, 1, 1, 1] });
  expect(hangs.end).toMatchObject({ code: 'unavailable', message: expect.stringContaining('nothing came for 20 s') });
});

test('whoever reads may take his time', async () => {
  const taken = await read(
    4,
    async function* () {
      for (let n = 0; n < 4; n++) yield Buffer.alloc(1);
    },
    async () => void (await pause(90_000)),
  );
  expect(taken).toEqual({ bytes: 4, end: 'whole', offsets: [0] });
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
  expect(crumbs).toMatchObject({ bytes: 4, offsets: [0, 1, 2, 3], end: { code: 'unavailable' } });
});
