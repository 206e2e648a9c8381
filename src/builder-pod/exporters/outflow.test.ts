import { afterEach, describe, expect, test, vi } from 'vitest';
import { digestOf, HOUSE, neverAborted, type WorkOwner } from '../../base/index.ts';
import type { LayerSource } from './layer-source.ts';
import { Outflow, type OutflowPart } from './outflow.ts';

const access = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const held = { signal: neverAborted, owner: HOUSE, hurry: neverAborted };
const UNBOUNDED = Number.POSITIVE_INFINITY;
/** A byte takes most of a day. */
const SLOW = 1 / 50_000;
const BUILDS = [
  { tenant: 'a', build: 'large' },
  { tenant: 'b', build: 'small' },
] as const satisfies readonly WorkOwner[];

function layerOf(chunks: readonly Uint8Array[]): LayerSource {
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return {
    ...{ descriptor: { mediaType: '', digest: digestOf(''), size }, sources: {} },
    open: async () => ReadableStream.from(chunks) as ReadableStream<Uint8Array>,
    check: async () => {},
    givenTo: () => {},
  };
}
const chunks = Array.from({ length: 20 }, (_, n) => new Uint8Array([n]));
const soon = () => new Promise<'nothing'>((resolve) => setImmediate(resolve, 'nothing'));
const opened = async (part: OutflowPart, layer: LayerSource, how = held) =>
  await part.upload(layer, how, (open) => open({ ...access, signal: how.signal }));

afterEach(() => void vi.useRealTimers());

describe('bytes', () => {
  test.each([
    ['of the builder', new Outflow({ bytesPerSecond: SLOW, requests: 9 }).part(UNBOUNDED)],
    ['of the export', new Outflow({ bytesPerSecond: UNBOUNDED, requests: 9 }).part(SLOW)],
  ])('within the bound %s: what is held back comes whole, once it is waited for', async (_, part) => {
    const hurry = new AbortController();
    const hurried = { ...held, hurry: hurry.signal };
    const layer = { ...layerOf(chunks), descriptor: { mediaType: '', digest: digestOf(''), size: 0 } };
    const first = (await opened(part, layer, hurried)).getReader();
    expect((await first.read()).value).toEqual(chunks[0]);
    const second = new Response(await opened(part, layer, hurried)).bytes();
    expect(await Promise.race([first.read(), second, soon()])).toBe('nothing');
    hurry.abort();
    expect(await second).toEqual(new Uint8Array(Buffer.concat(chunks)));
  });

  test('end with the build', async () => {
    const over = new AbortController();
    const part = new Outflow({ bytesPerSecond: SLOW, requests: 9 }).part(UNBOUNDED);
    const reading = new Response(await opened(part, layerOf(chunks), { ...held, signal: over.signal })).bytes();
    over.abort(new Error('over'));
    await expect(reading).rejects.toThrow('over');
  });

  test('have nothing in between where there is no bound', async () => {
    const stream = ReadableStream.from(chunks) as ReadableStream<Uint8Array>;
    const part = new Outflow({ bytesPerSecond: UNBOUNDED, requests: 9 }).part(UNBOUNDED);
    expect(await opened(part, { ...layerOf(chunks), open: async () => stream })).toBe(stream);
  });

  test('of a huge layer let those of other builds pass, whatever comes at once, and all keep the bound', async () => {
    vi.useFakeTimers();
    const MIB = 1 << 20;
    const outflow = new Outflow({ bytesPerSecond: MIB, requests: 9 });
    const sent = { large: 0, small: 0 };
    const send = async (owner: (typeof BUILDS)[number], pieces: readonly Uint8Array[]) => {
      const stream = await opened(outflow.part(UNBOUNDED), layerOf(pieces), { ...held, owner });
      for await (const chunk of stream) sent[owner.build] += chunk.length;
    };
    const pieces = (bytes: number, each: number) => Array.from({ length: bytes / each }, () => new Uint8Array(each));
    const large = send(BUILDS[0], pieces(64 * MIB, MIB));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent.large / MIB).toBeGreaterThan(8);
    expect(sent.large / MIB).toBeLessThan(12);
    const before = sent.large;
    const small = send(BUILDS[1], pieces(4 * MIB, MIB / 64));
    await vi.advanceTimersByTimeAsync(9_000);
    await small;
    expect(sent.large - before).toBeLessThan(7 * MIB);
    expect(sent.large).toBeLessThan(64 * MIB);
    await vi.advanceTimersByTimeAsync(60_000);
    await large;
    expect(sent).toEqual({ large: 64 * MIB, small: 4 * MIB });
  });
});

describe('requests', () => {
  /** Requests that last until they are let go. */
  function world(requests: number) {
    const part = new Outflow({ bytesPerSecond: UNBOUNDED, requests }).part(UNBOUNDED);
    const running: { readonly build: string; readonly end: () => void }[] = [];
    const begin = (owner: WorkOwner, more: Partial<typeof held> = {}) =>
      part.request({ ...held, owner, ...more }, async () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        const one = { build: owner.build, end: resolve };
        running.push(one);
        await promise;
        running.splice(running.indexOf(one), 1);
      });
    const builds = () => running.map(({ build }) => build);
    const endOne = async (build: string) => {
      running.find((one) => one.build === build)?.end();
      await soon();
    };
    return { begin, builds, endOne };
  }

  test('of one build take half of the places, those of all no more than there are, in turns', async () => {
    const { begin, builds, endOne } = world(4);
    const [large, small] = BUILDS;
    const all = Array.from({ length: 5 }, () => begin(large));
    await soon();
    expect(builds()).toEqual(['large', 'large']);
    all.push(begin({ tenant: 'c', build: 'other' }), begin({ tenant: 'c', build: 'other' }));
    await soon();
    expect(builds()).toHaveLength(4);
    all.push(begin(small));
    await soon();
    expect(builds()).toHaveLength(4);
    await endOne('large');
    // Not that build's third one, which has waited longer.
    expect(builds()).toEqual(['large', 'other', 'other', 'small']);
    while (builds().length > 0) await endOne(builds()[0]!);
    await Promise.all(all);
  });

  test('of who leaves, and of who is waited for, are given to others', async () => {
    const { begin, builds, endOne } = world(1);
    const [large, small] = BUILDS;
    const hurry = new AbortController();
    const first = begin(large, { hurry: hurry.signal });
    await soon();
    const leaving = new AbortController();
    const left = begin(small, { signal: leaving.signal });
    const next = begin(small);
    await soon();
    expect(builds()).toEqual(['large']);
    leaving.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    hurry.abort();
    await soon();
    expect(builds()).toEqual(['large', 'small']);
    // Who is waited for waits for nobody.
    const last = begin(large, { hurry: hurry.signal });
    await soon();
    expect(builds()).toEqual(['large', 'small', 'large']);
    while (builds().length > 0) await endOne(builds()[0]!);
    await Promise.all([first, next, last]);
    // Nothing is held any more.
    const again = begin(small);
    await soon();
    expect(builds()).toEqual(['small']);
    await endOne('small');
    await again;
  });
});
