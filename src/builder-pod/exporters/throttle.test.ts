import { expect, test } from 'vitest';
import { digestOf, HOUSE, neverAborted } from '../../base/index.ts';
import { Throttle } from './throttle.ts';

const access = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const layer = (chunks: readonly Uint8Array[]) => ({
  descriptor: { mediaType: '', digest: digestOf(''), size: 0 },
  sources: {},
  open: async () => ReadableStream.from(chunks) as ReadableStream<Uint8Array>,
  check: async () => {},
  givenTo: () => {},
});
const chunks = Array.from({ length: 20 }, (_, n) => new Uint8Array([n]));

test('what is held back comes whole, once it is waited for', async () => {
  const hurry = new AbortController();
  // A byte takes most of a day.
  const throttle = new Throttle(1 / 50_000);
  const first = (await throttle.slowed(layer(chunks), { hurry: hurry.signal }).open(access)).getReader();
  expect((await first.read()).value).toEqual(chunks[0]);
  const second = new Response(await throttle.slowed(layer(chunks), { hurry: hurry.signal }).open(access)).bytes();
  const early = await Promise.race([first.read(), second, new Promise((resolve) => setImmediate(resolve, 'nothing'))]);
  expect(early).toBe('nothing');
  hurry.abort();
  expect(await second).toEqual(new Uint8Array(Buffer.concat(chunks)));
});

test('it ends with the build', async () => {
  const over = new AbortController();
  const throttle = new Throttle(1 / 50_000);
  const slowed = throttle.slowed(layer(chunks), { hurry: neverAborted });
  const reading = new Response(await slowed.open({ ...access, signal: over.signal })).bytes();
  over.abort(new Error('over'));
  await expect(reading).rejects.toThrow('over');
});

test('without a bound nothing is in between', () => {
  const one = layer(chunks);
  expect(new Throttle(Number.POSITIVE_INFINITY).slowed(one, { hurry: neverAborted })).toBe(one);
});
