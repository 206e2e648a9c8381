import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { digestOf, neverAborted, newId } from '../../base/index.ts';
import { FileActions, type State as Llb, scratch } from '../../llb/index.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import type { Builder } from '../builder/index.ts';
import { openTestBuilder } from '../builder/testing/open-test-builder.ts';
import { type ToldSteps, watchSteps } from '../engine/testing/told-steps.ts';
import { inCircles } from './testing/in-circles.ts';

const signal = neverAborted;
const cleanup = new AsyncDisposableStack();
let registry: RegistryServer;
let proxy: FaultProxy;
let builder: Builder;
/** Of this test. */
let repository: string;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-remote-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  registry = cleanup.use(await RegistryServer.start({ root: join(folder, 'registry'), durable: false }));
  proxy = cleanup.use(await FaultProxy.start(registry.url));
  builder = await openTestBuilder(join(folder, 'state'), cleanup, { maxParallelism: 2 });
});
afterAll(() => cleanup.disposeAsync());

beforeEach(() => {
  repository = `${proxy.host}/app-${newId()}`;
});
afterEach(() => {
  proxy.fault = () => undefined;
});

/** Scopes have nothing of each other: each is a builder of its own to its builds, with nothing in it. */
const fresh = () => newId();

const timestamp = 1_500_000_000n * 10n ** 9n;
const text = (name: string, on: Llb = scratch(), content = name) =>
  on.file(new FileActions().mkfile(`/${name}`, 0o644, Buffer.from(content), { timestamp }), { name });
/** Reads what is below it, so that it must be mounted. */
const copied = (from: Llb) => scratch().file(new FileActions().copy(from, '/two', '/copied'), { name: 'copied' });
const graph = () => text('three', text('two', text('one')));

interface Outcome extends ToldSteps {
  readonly image: string;
}

type Cache = Readonly<Record<string, string>>;

interface Caches {
  readonly from?: readonly Cache[];
  readonly to?: readonly Cache[];
}

const solve = (scope: string, target: Llb, caches?: Caches) => solveIn(repository, scope, target, caches);

async function solveIn(
  repository: string,
  scope: string,
  target: Llb,
  { from = [], to = [] }: Caches = {},
): Promise<Outcome> {
  const { observer, told } = watchSteps();
  const remote = (attrs: Cache) => ({ type: 'registry', attrs: { ref: `${repository}:cache`, ...attrs } });
  try {
    const { exporterResponse } = await builder.engine.solve(
      {
        ...{ ref: newId(), session: '', definition: target.marshal() },
        ...{
          frontendAttrs: new Map([['build-arg:SOURCE_DATE_EPOCH', '1']]),
          frontendInputs: new Map(),
          entitlements: [],
        },
        exporters: [{ type: 'image', attrs: { name: `${repository}:image`, push: 'true' } }],
        ...{ cacheImports: from.map(remote), cacheExports: to.map(remote) },
        ...{ scope: { write: scope, read: [scope] }, observer },
      },
      { signal },
    );
    const { cached, ran, failed, warnings } = await told();
    const steps = (names: readonly string[]) => names.filter((name) => !/^(?:exporting to|pushing)/.test(name)).sort();
    return {
      ...{ cached: steps(cached), ran: steps(ran), failed: steps(failed), warnings },
      image: exporterResponse['containerimage.digest'] ?? '',
    };
  } finally {
    await told();
  }
}

const importing = (of = repository) => `importing cache manifest from ${of}:cache`;
const exporting = 'exporting cache to registry';
/** Layers that were read. */
const pulled = (): readonly string[] =>
  proxy.requests.flatMap(({ method, path }) => (method === 'GET' && path.includes('/blobs/') ? [path] : []));

test('what another builder made is found, pushed without a byte of its layers, and pulled where a step mounts it', async () => {
  const first = await solve(fresh(), graph(), { to: [{ mode: 'max' }] });
  expect(first.ran).toEqual([exporting, 'one', 'three', 'two']);

  const other = fresh();
  proxy.requests.length = 0;
  const second = await solve(other, graph(), { from: [{}] });
  expect(second).toMatchObject({ cached: ['one', 'three', 'two'], ran: [importing()], failed: [], warnings: [] });
  // The one blob is the cache config.
  expect(pulled()).toHaveLength(1);

  // It is this builder's own now, and the cache is not asked for it any more.
  expect(await solve(other, graph())).toMatchObject({ cached: ['one', 'three', 'two'], ran: [] });

  // What mounts it pulls what lies below, and no more.
  proxy.requests.length = 0;
  const third = await solve(other, copied(text('two', text('one'))), { from: [{}] });
  expect(third).toMatchObject({ cached: ['one', 'two'], ran: ['copied', importing()], failed: [] });
  expect(pulled()).toHaveLength(3);
});

test('in mode min the results that are not in the image are left out', async () => {
  await solve(fresh(), copied(text('two', text('one'))), { to: [{ mode: 'min' }] });
  const other = fresh();
  const again = await solve(other, copied(text('two', text('one'))), { from: [{}] });
  expect(again.cached).toContain('copied');
  const further = await solve(fresh(), text('four', text('two', text('one'))), { from: [{}] });
  expect(further.ran).toEqual(expect.arrayContaining(['two', 'four']));
});

test.each([
  [{ 'oci-mediatypes': 'false' }, 'application/vnd.docker.distribution.manifest.list.v2+json'],
  [{ 'image-manifest': 'false' }, 'application/vnd.oci.image.index.v1+json'],
  [{}, 'application/vnd.oci.image.manifest.v1+json'],
])('written as %j it is of the type %s, and read all the same', async (form, mediaType) => {
  await solve(fresh(), graph(), { to: [{ mode: 'max', ...form }] });
  const answer = await fetch(`http://${api()}/manifests/cache`, { headers: { accept: mediaType } });
  expect(answer.headers.get('content-type')).toBe(mediaType);
  await answer.body?.cancel();
  expect(await solve(fresh(), graph(), { from: [{}] })).toMatchObject({ cached: ['one', 'three', 'two'] });
});

test('the same build with nothing to begin with writes a cache of the same keys and layers', async () => {
  const configOf = async (): Promise<unknown> => {
    await solve(fresh(), graph(), { to: [{ mode: 'max' }] });
    const manifest = (await (await fetch(`http://${api()}/manifests/cache`)).json()) as {
      config: { digest: string };
    };
    const config = await (await fetch(`http://${api()}/blobs/${manifest.config.digest}`)).text();
    return JSON.parse(config.replaceAll(/"createdAt":"[^"]+"/g, '"createdAt":""'));
  };
  expect(await configOf()).toEqual(await configOf());
});

test.each([
  [{ mode: 'most' }, /unknown cache export mode "most"/],
  [{ ref: '' }, /ref required/],
  [{ ref: 'UPPER' }, /must be lowercase/],
  [{ 'image-manifest': 'true', 'oci-mediatypes': 'false' }, /not possible/],
  [{ compression: 'bzip3' }, /unsupported compression type bzip3/],
])('refuses %j before anything is built', async (attrs, message) => {
  proxy.requests.length = 0;
  await expect(solve(fresh(), graph(), { to: [attrs] })).rejects.toThrow(message);
  expect(proxy.requests).toEqual([]);
});

test('a cache that cannot be written fails the build, unless it is not to', async () => {
  proxy.fault = (req, res) => answer(req.method === 'PUT' && req.url?.endsWith('/manifests/cache') === true, res, 403);
  await expect(solve(fresh(), graph(), { to: [{}] })).rejects.toThrow(/:cache/);
  const outcome = await solve(fresh(), graph(), { to: [{ 'ignore-error': 'true' }] });
  expect(outcome).toMatchObject({ failed: [exporting] });
  expect(outcome.image).toMatch(/^sha256:/);
});

/** The repository as the registry's API has it. */
const api = (of = repository) => of.replace('/', '/v2/');

function answer(
  whether: boolean,
  res: ServerResponse,
  status: number,
  body: string | Buffer = '',
  headers: Readonly<Record<string, string>> = {},
): boolean {
  if (whether) res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  return whether;
}

/** A byte each second, so that the connection is never still. */
function dripped(whether: boolean, res: ServerResponse, body: Buffer): boolean {
  if (!whether) return false;
  res.writeHead(200, {
    'content-type': 'application/vnd.oci.image.manifest.v1+json',
    'content-length': body.length,
  });
  let at = 0;
  const timer = setInterval(() => res.write(body.subarray(at, ++at)), 1000);
  res.on('close', () => clearInterval(timer));
  return true;
}

type Fault = (req: IncomingMessage, res: ServerResponse, cache: CacheDocuments) => boolean;

/** What the registry has of the cache before something happens to it. */
interface CacheDocuments {
  readonly manifest: Buffer;
  readonly config: string;
  readonly configBytes: Buffer;
  readonly layers: readonly string[];
}

async function documents(of: string): Promise<CacheDocuments> {
  const at = async (path: string) => Buffer.from(await (await fetch(`http://${api(of)}/${path}`)).arrayBuffer());
  const manifest = await at('manifests/cache');
  const { config, layers } = JSON.parse(manifest.toString()) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  return {
    ...{ manifest, config: config.digest, configBytes: await at(`blobs/${config.digest}`) },
    layers: layers.map(({ digest }) => digest),
  };
}

const isManifest = (req: IncomingMessage) => req.url?.endsWith('/manifests/cache') === true;
const isBlob = (req: IncomingMessage, ...digests: readonly string[]) =>
  req.method === 'GET' && digests.some((digest) => req.url?.endsWith(`/blobs/${digest}`));
const unknown = JSON.stringify({ errors: [{ code: 'BLOB_UNKNOWN', message: 'no' }] });

/** Another manifest than was written, whole in itself. */
function forged(change: (manifest: string, config: string) => readonly [string, string]): Fault {
  return (req, res, { manifest, config, configBytes }) => {
    const [newManifest, newConfig] = change(manifest.toString(), configBytes.toString());
    const digest = digestOf(newConfig);
    const told = newManifest.replace(config, digest).replace(/"size": ?\d+/, `"size": ${Buffer.byteLength(newConfig)}`);
    if (isManifest(req)) {
      res.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end(told);
      return true;
    }
    return answer(isBlob(req, digest), res, 200, newConfig);
  };
}

/** What the cache cannot say any more is made anew, and the rest of the build is as if there had been no cache. */
const LOST: readonly (readonly [string, Fault])[] = [
  ['its manifest is not there', (req, res) => answer(isManifest(req), res, 404, unknown)],
  ['it may not be read', (req, res) => answer(isManifest(req), res, 403)],
  ['its registry is asked too much', (req, res) => answer(isManifest(req), res, 429, '', { 'retry-after': '1' })],
  ['its registry fails', (req, res) => answer(isManifest(req), res, 503)],
  ['its registry does not answer', (req) => isManifest(req)],
  ['its manifest comes byte by byte', (req, res, { manifest }) => dripped(isManifest(req), res, manifest)],
  [
    'its config comes byte by byte',
    (req, res, { config, configBytes }) => dripped(isBlob(req, config), res, configBytes),
  ],
  ['its config is larger than any', forged((manifest, config) => [manifest, config + ' '.repeat(2 << 20)])],
  [
    'its records are a hundred thousand',
    forged((manifest, config) => [
      manifest,
      JSON.stringify({
        ...(JSON.parse(config) as object),
        records: Array.from({ length: 100_000 }, (_, n) => ({ digest: digestOf(`${n}`) })),
      }),
    ]),
  ],
  ['its manifest is no JSON', (req, res) => answer(isManifest(req), res, 200, 'nonsense')],
  ['its config is not there', (req, res, { config }) => answer(isBlob(req, config), res, 404, unknown)],
  [
    'its config is cut off',
    (req, res, { config, configBytes }) => answer(isBlob(req, config), res, 200, configBytes.subarray(0, 50)),
  ],
  [
    'its config is another',
    (req, res, { config, configBytes }) => answer(isBlob(req, config), res, 200, Buffer.alloc(configBytes.length, ' ')),
  ],
  ['its layers are not there', (req, res, { layers }) => answer(isBlob(req, ...layers), res, 404, unknown)],
  ['its layers are refused', (req, res, { layers }) => answer(isBlob(req, ...layers), res, 403)],
  [
    'its layers are asked for too much',
    (req, res, { layers }) => answer(isBlob(req, ...layers), res, 429, '', { 'retry-after': '1' }),
  ],
  ['its registry has no layer for now', (req, res, { layers }) => answer(isBlob(req, ...layers), res, 503)],
  [
    'its layers are others',
    (req, res, { layers }) => answer(isBlob(req, ...layers), res, 200, Buffer.alloc(2000, 'x')),
  ],
  ['its links lead in circles', forged((manifest, config) => [manifest, inCircles(config)])],
  ['its links lead nowhere', forged((manifest, config) => [manifest, config.replaceAll(/"link":\d+/g, '"link":99')])],
  [
    'its layers are said to be what they are not',
    forged((manifest, config) => [
      manifest.replaceAll(/("containerd.io\/uncompressed": ?"sha256:)[0-9a-f]{64}/g, `$1${'0'.repeat(64)}`),
      config,
    ]),
  ],
];

// Most of the time goes by with waiting for what does not come: all at once, each with a proxy of its own.
describe.concurrent('a cache costs time only when', () => {
  test.each(LOST)('%s', async (_what, fault) => {
    await using between = await FaultProxy.start(registry.url);
    const name = newId();
    const at = `${between.host}/app-${name}`;
    const target = copied(text('two', text('one', scratch(), name), name));
    const expected = await solveIn(at, fresh(), target, { to: [{ mode: 'max' }] });
    const cache = await documents(at);
    // The result itself must be made, so that what was found below it is mounted.
    const beyond = (on: Llb) => scratch().file(new FileActions().copy(on, '/copied', '/last'), { name: 'last' });
    const right = await solveIn(at, fresh(), beyond(target));
    between.fault = (req, res) => fault(req, res, cache);
    const outcome = await solveIn(at, fresh(), beyond(target), { from: [{}] });
    expect(outcome.image).toBe(right.image);
    expect(outcome.image).not.toBe(expected.image);
    expect(outcome.failed.filter((step) => step !== importing(at))).toEqual([]);
    expect(outcome.warnings).toEqual([expect.stringContaining(`the cache ${at}:cache is not used`)]);
  });
});
