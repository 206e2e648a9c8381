import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newId } from '../../base/index.ts';
import { FileActions, type State as Llb, scratch } from '../../llb/index.ts';
import { type CacheAttrs, GatedBuilds, text } from './testing/gated-builds.ts';

let world: GatedBuilds;

beforeAll(async () => {
  world = await GatedBuilds.start();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.begin());
afterEach(() => world.end());

/** Scopes have nothing of each other: each is a builder of its own to its builds, with nothing in it. */
const fresh = () => newId();

const failing = (on: Llb) => on.file(new FileActions().copy(scratch(), '/no', '/where'), { name: 'failing' });

const ONE = () => text('one', world.base);
const TWO = () => text('two', ONE());

const CONTINUOUS: CacheAttrs = { mode: 'continuous', 'continuous-interval': '20ms' };

/** Waits until the cache has results of so many steps, beside the base and what that is made of. */
async function grown(steps: number): Promise<void> {
  const has = async () => (await world.written())?.records.filter(({ layers }) => layers !== undefined).length ?? 0;
  while ((await has()) < steps + 2) await delay(20);
}

const puts = () =>
  world.proxy.requests.filter(({ method, path }) => method === 'PUT' && path.endsWith('/manifests/cache'));
const isManifest = ({ url }: IncomingMessage) => url?.includes('/manifests/') === true;
const isManifestPut = ({ method, url }: IncomingMessage) =>
  method === 'PUT' && url?.endsWith('/manifests/cache') === true;

describe('while a build goes on', () => {
  test('what is finished is there for others, and at the end it is the cache that max writes', async () => {
    const target = text('four', world.gated('three', TWO()));
    const scope = fresh();
    const building = world.solve(scope, target, { to: [CONTINUOUS] });
    await grown(2);
    const other = await world.solve(fresh(), TWO(), { from: [{}] });
    expect(other).toMatchObject({ cached: expect.arrayContaining(['one', 'two']) as string[], failed: [] });
    world.open();
    expect(await building).toMatchObject({ error: undefined, warnings: [], failed: [] });
    const continuous = await world.written();
    await world.solve(scope, target, { to: [{ mode: 'max' }] });
    expect(await world.written()).toEqual(continuous);
  });

  test('each update has all that the one before had', async () => {
    let before = new Set<string>();
    let target = world.base;
    for (let n = 0; n < 5; n++) target = world.gated(`gate-${n}`, text(`step-${n}`, target));
    const building = world.solve(fresh(), target, { to: [CONTINUOUS] });
    for (let n = 0; n < 5; n++) {
      await grown(1 + 2 * n);
      const now = new Set((await world.written())?.records.map(({ digest }) => digest));
      expect([...before].filter((record) => !now.has(record))).toEqual([]);
      before = now;
      while (world.waiting.length === 0) await delay(10);
      world.open();
    }
    expect(await building).toMatchObject({ error: undefined });
  });

  test('many results are written together: a build does not write as many manifests as it has steps', async () => {
    let target = world.base;
    for (let n = 0; n < 40; n++) target = text(`step-${n}`, target);
    const { error } = await world.solve(fresh(), world.gated('last', target), {
      to: [{ ...CONTINUOUS, 'continuous-interval': '1h' }],
      signal: await soon(),
    });
    expect(error).toBeDefined();
    expect(puts().length).toBeLessThan(5);
  });

  test('what was there before stays until the build has its own, and of a build that fails for good', async () => {
    await world.solve(fresh(), TWO(), { to: [{ mode: 'max' }] });
    const building = world.solve(fresh(), world.gated('gate', text('other', world.base)), { to: [CONTINUOUS] });
    await grown(3);
    expect(await world.solve(fresh(), TWO(), { from: [{}] })).toMatchObject({
      cached: expect.arrayContaining(['one', 'two']) as string[],
    });
    world.open();
    await building;
    expect((await world.solve(fresh(), TWO(), { from: [{}] })).ran).toContain('one');
  });

  test('two builds that write to one name have both their results there while they go on', async () => {
    const first = world.solve(fresh(), world.gated('gate-a', text('a', world.base)), {
      to: [{ ...CONTINUOUS, merge: 'true' }],
    });
    const second = world.solve(fresh(), world.gated('gate-b', text('b', world.base)), {
      to: [{ ...CONTINUOUS, merge: 'true' }],
    });
    // However they got into each other's way.
    await grown(2);
    while (world.waiting.length < 2) await delay(10);
    world.open();
    expect([(await first).error, (await second).error]).toEqual([undefined, undefined]);
    expect(await world.written()).toBeDefined();
  });
});

/** Aborts once something waits at the gate, as who gives a build up. */
async function soon(): Promise<AbortSignal> {
  const controller = new AbortController();
  void (async () => {
    while (world.waiting.length === 0) await delay(10);
    controller.abort(new Error('given up'));
  })();
  return controller.signal;
}

describe('a build that comes to no end', () => {
  test('has failed: all that it had finished is left', async () => {
    const to = [{ ...CONTINUOUS, 'continuous-interval': '1h' }];
    const { error } = await world.solve(fresh(), failing(TWO()), { to });
    expect(String(error)).toMatch(/no such file|not found/);
    const again = await world.solve(fresh(), text('three', TWO()), { from: [{}] });
    expect(again).toMatchObject({ cached: expect.arrayContaining(['one', 'two']) as string[] });
    expect(again.ran).toContain('three');
  });

  test('has failed, and its caches take long: they are waited for side by side', async () => {
    const held: (() => void)[] = [];
    world.proxy.fault = (req, _res, forward) => req.method === 'PUT' && isManifest(req) && held.push(forward) > 0;
    const cache = (tag: string) => ({ ...CONTINUOUS, 'continuous-interval': '1h', ref: `${world.repository}:${tag}` });
    const building = world.solve(fresh(), failing(ONE()), { to: ['a', 'b', 'c'].map(cache) });
    await expect.poll(() => held.length).toBe(3);
    world.proxy.fault = () => undefined;
    for (const forward of held) forward();
    expect(String((await building).error)).toMatch(/no such file|not found/);
  });

  test('has failed, and so does the registry: the error is that of the build', async () => {
    world.proxy.fault = (_req, res) => answer(res, 503);
    const { error } = await world.solve(fresh(), failing(ONE()), { to: [CONTINUOUS] });
    expect(String(error)).toMatch(/no such file|not found/);
  });

  test('is cancelled: what was written is whole, and nothing more is', async () => {
    const controller = new AbortController();
    const building = world.solve(fresh(), world.gated('gate', ONE()), { to: [CONTINUOUS], signal: controller.signal });
    await grown(1);
    controller.abort(new Error('given up'));
    expect(String((await building).error)).toContain('given up');
    const sent = puts().length;
    expect(await world.solve(fresh(), ONE(), { from: [{}] })).toMatchObject({
      cached: expect.arrayContaining(['one']) as string[],
    });
    expect(puts()).toHaveLength(sent);
  });
});

function answer(res: ServerResponse, status: number): boolean {
  res.writeHead(status, { 'content-type': 'application/json', 'retry-after': '0' }).end();
  return true;
}

describe('a registry', () => {
  test.each([500, 429])('that answers %d for a while costs nothing but the updates of that time', async (status) => {
    let left = 9;
    world.proxy.fault = (req, res) => isManifestPut(req) && left-- > 0 && answer(res, status);
    const building = world.solve(fresh(), world.gated('gate', ONE()), { to: [CONTINUOUS] });
    await grown(1);
    world.open();
    expect(await building).toMatchObject({ error: undefined, failed: [], warnings: [] });
  });

  test('that hangs for a while is waited for, and no step is', async () => {
    const held: (() => void)[] = [];
    world.proxy.fault = (req, _res, forward) => req.url?.includes('/uploads/') === true && held.push(forward) > 0;
    const building = world.solve(fresh(), world.gated('gate', TWO()), { to: [CONTINUOUS] });
    while (held.length === 0) await delay(10);
    while (world.waiting.length === 0) await delay(10);
    world.proxy.fault = () => undefined;
    for (const forward of held) forward();
    await grown(2);
    world.open();
    expect(await building).toMatchObject({ error: undefined, failed: [], warnings: [] });
  });

  test('that is gone for good fails no build, and is told of once', async () => {
    world.proxy.fault = (_req, res) => answer(res, 503);
    const building = world.solve(fresh(), world.gated('gate', TWO()), { to: [CONTINUOUS] });
    while (world.waiting.length === 0) await delay(10);
    world.open();
    const { error, failed, warnings } = await building;
    expect({ error, failed, warnings }).toEqual({
      error: undefined,
      failed: ['exporting cache to registry'],
      warnings: [],
    });
  });

  test('that is gone fails the build where it is to', async () => {
    world.proxy.fault = (_req, res) => answer(res, 503);
    const { error } = await world.solve(fresh(), ONE(), { to: [{ ...CONTINUOUS, 'ignore-error': 'false' }] });
    expect(String(error)).toContain(':cache');
  });
});

describe('a cache that takes up what is there', () => {
  const version = (n: number) => text('last', text(`version-${n}`));
  const exported = async (n: number, bounds: CacheAttrs = {}) =>
    await world.solve(fresh(), version(n), { to: [{ mode: 'max', merge: 'true', ...bounds }] });
  const layers = async () => {
    const manifest = await (await fetch(`http://${world.api}/manifests/cache`)).json();
    return (manifest as { layers: { digest: string; size: number }[] }).layers;
  };
  const layersOf = async () => (await layers()).map(({ digest }) => digest);
  const isCached = async (n: number) =>
    (await world.solve(fresh(), version(n), { from: [{}] })).cached.includes('last');

  test('has what several builds have written', async () => {
    for (const n of [1, 2]) await exported(n);
    expect([await isCached(1), await isCached(2)]).toEqual([true, true]);
  });

  test('keeps the last few results of a step', async () => {
    for (const n of [1, 2, 3]) await exported(n, { 'keep-last': '2' });
    expect([await isCached(1), await isCached(2), await isCached(3)]).toEqual([false, true, true]);
  });

  test('keeps no more bytes than it may', async () => {
    await exported(1);
    const size = (await layers()).reduce((sum, layer) => sum + layer.size, 0);
    await exported(2, { 'max-size': String(Math.ceil(size * 1.2)) });
    expect([await isCached(1), await isCached(2)]).toEqual([false, true]);
  });

  test('is written without what its registry has lost, and has all else of others', async () => {
    await exported(1);
    const before = await layersOf();
    await exported(2);
    const [lost] = (await layersOf()).filter((digest) => !before.includes(digest));
    expect((await fetch(`http://${world.api}/blobs/${lost}`, { method: 'DELETE' })).status).toBe(202);
    await exported(3);
    expect(await world.written()).toBeDefined();
    expect([await isCached(1), await isCached(2), await isCached(3)]).toEqual([true, false, true]);
  });

  test('is written without others’ where its registry does not say what it has lost', async () => {
    await exported(1);
    let refused = 0;
    world.proxy.fault = (req, res) => {
      if (!isManifestPut(req) || refused++ > 1) return false;
      res
        .writeHead(400, { 'content-type': 'application/json' })
        .end(JSON.stringify({ errors: [{ code: 'MANIFEST_BLOB_UNKNOWN', message: 'no' }] }));
      return true;
    };
    await exported(2);
    expect([await isCached(1), await isCached(2)]).toEqual([false, true]);
  });

  test('is not written where what is there cannot be read, lest it be lost', async () => {
    await exported(1);
    world.proxy.fault = (req, res) =>
      req.method === 'GET' && req.url?.endsWith('/manifests/cache') === true && answer(res, 403);
    expect(String((await exported(2)).error)).toMatch(/to keep it/);
    world.proxy.fault = () => undefined;
    expect(await isCached(1)).toBe(true);
  });

  test.each([
    [{ 'keep-last': '0' }, /keep-last=0 of a cache: a number from 1 on/],
    [{ 'max-age': 'soon' }, /max-age=soon of a cache: a duration/],
    [{ 'max-size': '20%' }, /max-size=20% of a cache: a size/],
    [{ mode: 'continuous', 'continuous-interval': 'x' }, /continuous-interval=x/],
  ])('refuses %j before anything is built', async (attrs, message) => {
    expect(String((await world.solve(fresh(), ONE(), { to: [attrs] })).error)).toMatch(message);
    expect(world.proxy.requests).toEqual([]);
  });
});
