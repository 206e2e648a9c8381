import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hostPlatform, neverAborted, newId, silentLogger } from '../../base/index.ts';
import { SessionRegistry } from '../../builder-api/index.ts';
import { FileActions, http, type State as Llb, scratch } from '../../llb/index.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { type Builder, openBuilder } from '../builder/index.ts';
import { type ToldSteps, watchSteps } from '../engine/testing/told-steps.ts';
import { makeBusyboxRoot } from '../executor/testing/busybox.ts';

const cleanup = new AsyncDisposableStack();
let proxy: FaultProxy;
let builder: Builder;
/** Where steps wait until a test lets them go on. */
let gate: string;
let base: Llb;
const waiting: { readonly path: string; readonly response: ServerResponse }[] = [];
const opened = new Set<string>();
/** Of this test. */
let repository: string;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-continuous-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const registry = cleanup.use(await RegistryServer.start({ root: join(folder, 'registry'), durable: false }));
  proxy = cleanup.use(await FaultProxy.start(registry.url));
  const rootfs = join(folder, 'rootfs');
  mkdirSync(rootfs);
  makeBusyboxRoot(rootfs);
  const tar = execFileSync('tar', ['-C', rootfs, '-cf', '-', '.'], { maxBuffer: 64 << 20 });
  const server = createServer(({ url: path = '' }, response) => {
    if (path === '/base.tar') response.end(tar);
    else if (opened.has(path)) response.end('open');
    else waiting.push({ path, response });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  gate = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  base = scratch().file(new FileActions().copy(http(`${gate}/base.tar`), '/base.tar', '/', { attemptUnpack: true }), {
    name: 'base',
  });
  const sessions = cleanup.use(new SessionRegistry({ logger: silentLogger }));
  builder = cleanup.use(
    await openBuilder(
      {
        ...{ root: join(folder, 'state'), sessions, labels: {}, entitlements: new Set(), registries: {} },
        ...{ platforms: [hostPlatform()], maxParallelism: 2, network: 'host', log: silentLogger },
      },
      { signal: neverAborted },
    ),
  );
}, 120_000);
afterAll(() => cleanup.disposeAsync());

beforeEach(() => {
  repository = `${proxy.host}/app-${newId()}`;
  proxy.requests.length = 0;
  opened.clear();
});
afterEach(() => {
  proxy.fault = () => undefined;
  open();
});

/** Lets those go on that wait now, for good. */
function open(): void {
  for (const { path, response } of waiting.splice(0)) {
    opened.add(path);
    response.end('open');
  }
}

/** Scopes have nothing of each other: each is a builder of its own to its builds, with nothing in it. */
const fresh = () => newId();

const timestamp = 1_500_000_000n * 10n ** 9n;
const text = (name: string, on: Llb = scratch()) =>
  on.file(new FileActions().mkfile(`/${name}`, 0o644, Buffer.from(name), { timestamp }), { name });
/** Waits at the gate. */
const gated = (name: string, on: Llb) =>
  on.run({ args: ['/bin/busybox', 'wget', '-q', '-O', `/${name}`, `${gate}/${name}`], name }).root;
const failing = (on: Llb) => on.file(new FileActions().copy(scratch(), '/no', '/where'), { name: 'failing' });

const ONE = () => text('one', base);
const TWO = () => text('two', ONE());

type Cache = Readonly<Record<string, string>>;
const CONTINUOUS: Cache = { mode: 'continuous', 'continuous-interval': '20ms' };

interface Solving {
  readonly from?: readonly Cache[];
  readonly to?: readonly Cache[];
  readonly signal?: AbortSignal;
}

async function solve(
  scope: string,
  target: Llb,
  { from = [], to = [], signal = neverAborted }: Solving = {},
): Promise<ToldSteps & { readonly error: unknown }> {
  const { observer, told } = watchSteps();
  const remote = (attrs: Cache) => ({ type: 'registry', attrs: { ref: `${repository}:cache`, ...attrs } });
  let error: unknown;
  await builder.engine
    .solve(
      {
        ...{ ref: newId(), session: '', definition: target.marshal(), exporters: [] },
        ...{ frontendAttrs: new Map(), frontendInputs: new Map(), entitlements: [] },
        ...{ cacheImports: from.map(remote), cacheExports: to.map(remote) },
        ...{ scope: { write: scope, read: [scope] }, observer },
      },
      { signal },
    )
    .catch((reason: unknown) => {
      error = reason;
    });
  return { ...(await told()), error };
}

/** The repository as the registry's API has it. */
const api = () => repository.replace('/', '/v2/');

interface CacheConfig {
  readonly layers: readonly unknown[];
  readonly records: readonly { readonly digest: string; readonly layers?: readonly unknown[] }[];
}

/** What whoever reads the cache now gets; undefined for none. */
async function written(): Promise<CacheConfig | undefined> {
  const answer = await fetch(`http://${api()}/manifests/cache`);
  const manifest = (await answer.json()) as { config: { digest: string }; layers: { digest: string }[] };
  if (!answer.ok) return undefined;
  for (const { digest } of manifest.layers)
    expect((await fetch(`http://${api()}/blobs/${digest}`, { method: 'HEAD' })).status).toBe(200);
  const config = await (await fetch(`http://${api()}/blobs/${manifest.config.digest}`)).text();
  return JSON.parse(config.replaceAll(/"createdAt":"[^"]+"/g, '"createdAt":""')) as CacheConfig;
}

/** Waits until the cache has results of so many steps, beside the base and what that is made of. */
async function grown(steps: number): Promise<void> {
  const has = async () => (await written())?.records.filter(({ layers }) => layers !== undefined).length ?? 0;
  while ((await has()) < steps + 2) await delay(20);
}

const puts = () => proxy.requests.filter(({ method, path }) => method === 'PUT' && path.endsWith('/manifests/cache'));
const isManifest = ({ url }: IncomingMessage) => url?.includes('/manifests/') === true;
const isManifestPut = ({ method, url }: IncomingMessage) =>
  method === 'PUT' && url?.endsWith('/manifests/cache') === true;

describe('while a build goes on', () => {
  test('what is finished is there for others, and at the end it is the cache that max writes', async () => {
    const target = text('four', gated('three', TWO()));
    const scope = fresh();
    const building = solve(scope, target, { to: [CONTINUOUS] });
    await grown(2);
    const other = await solve(fresh(), TWO(), { from: [{}] });
    expect(other).toMatchObject({ cached: expect.arrayContaining(['one', 'two']) as string[], failed: [] });
    open();
    expect(await building).toMatchObject({ error: undefined, warnings: [], failed: [] });
    const continuous = await written();
    await solve(scope, target, { to: [{ mode: 'max' }] });
    expect(await written()).toEqual(continuous);
  });

  test('each update has all that the one before had', async () => {
    let before = new Set<string>();
    let target = base;
    for (let n = 0; n < 5; n++) target = gated(`gate-${n}`, text(`step-${n}`, target));
    const building = solve(fresh(), target, { to: [CONTINUOUS] });
    for (let n = 0; n < 5; n++) {
      await grown(1 + 2 * n);
      const now = new Set((await written())?.records.map(({ digest }) => digest));
      expect([...before].filter((record) => !now.has(record))).toEqual([]);
      before = now;
      while (waiting.length === 0) await delay(10);
      open();
    }
    expect(await building).toMatchObject({ error: undefined });
  });

  test('many results are written together: a build does not write as many manifests as it has steps', async () => {
    let target = base;
    for (let n = 0; n < 40; n++) target = text(`step-${n}`, target);
    const { error } = await solve(fresh(), gated('last', target), {
      to: [{ ...CONTINUOUS, 'continuous-interval': '1h' }],
      signal: await soon(),
    });
    expect(error).toBeDefined();
    expect(puts().length).toBeLessThan(5);
  });

  test('what was there before stays until the build has its own, and of a build that fails for good', async () => {
    await solve(fresh(), TWO(), { to: [{ mode: 'max' }] });
    const building = solve(fresh(), gated('gate', text('other', base)), { to: [CONTINUOUS] });
    await grown(3);
    expect(await solve(fresh(), TWO(), { from: [{}] })).toMatchObject({
      cached: expect.arrayContaining(['one', 'two']) as string[],
    });
    open();
    await building;
    expect((await solve(fresh(), TWO(), { from: [{}] })).ran).toContain('one');
  });

  test('two builds that write to one name have both their results there while they go on', async () => {
    const first = solve(fresh(), gated('gate-a', text('a', base)), { to: [{ ...CONTINUOUS, merge: 'true' }] });
    const second = solve(fresh(), gated('gate-b', text('b', base)), { to: [{ ...CONTINUOUS, merge: 'true' }] });
    // However they got into each other's way.
    await grown(2);
    while (waiting.length < 2) await delay(10);
    open();
    expect([(await first).error, (await second).error]).toEqual([undefined, undefined]);
    expect(await written()).toBeDefined();
  });
});

/** Aborts once something waits at the gate, as who gives a build up. */
async function soon(): Promise<AbortSignal> {
  const controller = new AbortController();
  void (async () => {
    while (waiting.length === 0) await delay(10);
    controller.abort(new Error('given up'));
  })();
  return controller.signal;
}

describe('a build that comes to no end', () => {
  test('has failed: all that it had finished is left', async () => {
    const to = [{ ...CONTINUOUS, 'continuous-interval': '1h' }];
    const { error } = await solve(fresh(), failing(TWO()), { to });
    expect(String(error)).toMatch(/no such file|not found/);
    const again = await solve(fresh(), text('three', TWO()), { from: [{}] });
    expect(again).toMatchObject({ cached: expect.arrayContaining(['one', 'two']) as string[] });
    expect(again.ran).toContain('three');
  });

  test('has failed, and its caches take long: they are waited for side by side', { timeout: 120_000 }, async () => {
    const held: (() => void)[] = [];
    proxy.fault = (req, _res, forward) => req.method === 'PUT' && isManifest(req) && held.push(forward) > 0;
    const cache = (tag: string) => ({ ...CONTINUOUS, 'continuous-interval': '1h', ref: `${repository}:${tag}` });
    const building = solve(fresh(), failing(ONE()), { to: ['a', 'b', 'c'].map(cache) });
    await expect.poll(() => held.length, { timeout: 20_000 }).toBe(3);
    proxy.fault = () => undefined;
    for (const forward of held) forward();
    expect(String((await building).error)).toMatch(/no such file|not found/);
  });

  test('has failed, and so does the registry: the error is that of the build', async () => {
    proxy.fault = (_req, res) => answer(res, 503);
    const { error } = await solve(fresh(), failing(ONE()), { to: [CONTINUOUS] });
    expect(String(error)).toMatch(/no such file|not found/);
  });

  test('is cancelled: what was written is whole, and nothing more is', async () => {
    const controller = new AbortController();
    const building = solve(fresh(), gated('gate', ONE()), { to: [CONTINUOUS], signal: controller.signal });
    await grown(1);
    controller.abort(new Error('given up'));
    expect(String((await building).error)).toContain('given up');
    const sent = puts().length;
    expect(await solve(fresh(), ONE(), { from: [{}] })).toMatchObject({
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
    proxy.fault = (req, res) => isManifestPut(req) && left-- > 0 && answer(res, status);
    const building = solve(fresh(), gated('gate', ONE()), { to: [CONTINUOUS] });
    await grown(1);
    open();
    expect(await building).toMatchObject({ error: undefined, failed: [], warnings: [] });
  });

  test('that hangs for a while is waited for, and no step is', async () => {
    const held: (() => void)[] = [];
    proxy.fault = (req, _res, forward) => req.url?.includes('/uploads/') === true && held.push(forward) > 0;
    const building = solve(fresh(), gated('gate', TWO()), { to: [CONTINUOUS] });
    while (held.length === 0) await delay(10);
    while (waiting.length === 0) await delay(10);
    proxy.fault = () => undefined;
    for (const forward of held) forward();
    await grown(2);
    open();
    expect(await building).toMatchObject({ error: undefined, failed: [], warnings: [] });
  });

  test('that is gone for good fails no build, and is told of once', async () => {
    proxy.fault = (_req, res) => answer(res, 503);
    const building = solve(fresh(), gated('gate', TWO()), { to: [CONTINUOUS] });
    while (waiting.length === 0) await delay(10);
    open();
    const { error, failed, warnings } = await building;
    expect({ error, failed, warnings }).toEqual({
      error: undefined,
      failed: ['exporting cache to registry'],
      warnings: [],
    });
  });

  test('that is gone fails the build where it is to', async () => {
    proxy.fault = (_req, res) => answer(res, 503);
    const { error } = await solve(fresh(), ONE(), { to: [{ ...CONTINUOUS, 'ignore-error': 'false' }] });
    expect(String(error)).toContain(':cache');
  });
});

describe('a cache that takes up what is there', () => {
  const version = (n: number) => text('last', text(`version-${n}`));
  const exported = async (n: number, bounds: Cache = {}) =>
    await solve(fresh(), version(n), { to: [{ mode: 'max', merge: 'true', ...bounds }] });
  const layers = async () => {
    const manifest = await (await fetch(`http://${api()}/manifests/cache`)).json();
    return (manifest as { layers: { digest: string; size: number }[] }).layers;
  };
  const layersOf = async () => (await layers()).map(({ digest }) => digest);
  const isCached = async (n: number) => (await solve(fresh(), version(n), { from: [{}] })).cached.includes('last');

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
    expect((await fetch(`http://${api()}/blobs/${lost}`, { method: 'DELETE' })).status).toBe(202);
    await exported(3);
    expect(await written()).toBeDefined();
    expect([await isCached(1), await isCached(2), await isCached(3)]).toEqual([true, false, true]);
  });

  test('is written without others’ where its registry does not say what it has lost', async () => {
    await exported(1);
    let refused = 0;
    proxy.fault = (req, res) => {
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
    proxy.fault = (req, res) =>
      req.method === 'GET' && req.url?.endsWith('/manifests/cache') === true && answer(res, 403);
    expect(String((await exported(2)).error)).toMatch(/to keep it/);
    proxy.fault = () => undefined;
    expect(await isCached(1)).toBe(true);
  });

  test.each([
    [{ 'keep-last': '0' }, /keep-last=0 of a cache: a number from 1 on/],
    [{ 'max-age': 'soon' }, /max-age=soon of a cache: a duration/],
    [{ 'max-size': '20%' }, /max-size=20% of a cache: a size/],
    [{ mode: 'continuous', 'continuous-interval': 'x' }, /continuous-interval=x/],
  ])('refuses %j before anything is built', async (attrs, message) => {
    expect(String((await solve(fresh(), ONE(), { to: [attrs] })).error)).toMatch(message);
    expect(proxy.requests).toEqual([]);
  });
});
