import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CodedError, type Digest, digestOf, HOUSE, neverAborted, newId } from '../../base/index.ts';
import { DIRECT } from '../../base/proxy.ts';
import type { BlobPlace } from '../../cache/ports.ts';
import { blobFetcherSuite } from '../../cache/testing/blob-fetcher-suite.ts';
import { anonymous, RegistryClient } from '../../oci/registry-client/index.ts';
import type { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { StreamPool, WorkerPool } from '../../sys/index.ts';
import type { CacheWritten } from '../engine/index.ts';
import { ExportOptions } from '../exporters/index.ts';
import { fakeContext } from '../exporters/testing/fakes.ts';
import { type LocalDeps, localCaches } from './local.ts';
import { azureOptions } from './objects/azblob-options.ts';
import { ghaOptions } from './objects/gha-options.ts';
import { s3Options } from './objects/s3-options.ts';
import { objectCaches } from './objects/store.ts';
import { registryCaches } from './registry.ts';
import type { CacheStore, CacheType } from './store.ts';
import { CacheStores } from './stores.ts';
import { type CacheStoreWorld, cacheStoreSuite, layerToWrite } from './testing/cache-store-suite.ts';
import { azureWorld, ghaWorld, type StoreWorld, s3World } from './testing/store-worlds.ts';

type Attributes = Readonly<Record<string, string>>;

/** A type, and what names a cache of it. */
interface TypeWorld {
  readonly type: CacheType;
  writer(name: string): Attributes;
  reader(name: string, written: CacheWritten): Attributes;
  readonly secrets: readonly string[];
  /** In front of stores whose connections are bounded by this builder. */
  readonly proxy?: FaultProxy;
}

interface Shared {
  readonly pool: WorkerPool;
  readonly streams: StreamPool;
  readonly stores: CacheStores;
  readonly folder: string;
  readonly opened: AsyncDisposableStack;
}

const OPTIONS = { s3: s3Options, gha: ghaOptions, azblob: azureOptions } as const;

const objects =
  (kind: keyof typeof OPTIONS, open: (folder: string) => Promise<StoreWorld>) =>
  async ({ opened, folder, ...shared }: Shared): Promise<TypeWorld> => {
    const { attrs, secrets, proxy } = opened.use(await open(join(folder, 'store')));
    const optionsOf = OPTIONS[kind];
    const type = objectCaches(
      { type: kind, exporting: '', optionsOf },
      { ...shared, proxies: DIRECT, env: {}, ownIdentity: new Set() },
    );
    return { type, secrets, writer: attrs, reader: attrs, proxy };
  };

const registry =
  (key?: string) =>
  async ({ opened, folder, pool, streams }: Shared): Promise<TypeWorld> => {
    const server = opened.use(await RegistryServer.start({ root: join(folder, 'registry'), durable: false }));
    const client = opened.use(new RegistryClient({ retry: { delaysMs: [] } }));
    const type = registryCaches({
      ...{
        pool,
        streams,
        trusted: [],
        secret: async (id) => (id === 'key' && key !== undefined ? Buffer.from(key) : undefined),
      },
      openRepository: (reference, { insecure }) => client.repository(reference, anonymous, { insecure }),
    });
    const attrs = (name: string) => ({ ref: `${server.host}/app-${name}:cache` });
    if (key === undefined) return { type, secrets: [], writer: attrs, reader: attrs };
    const verifying = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
    return {
      ...{ type, secrets: key.split('\n').slice(1, 3) },
      writer: (name) => ({ ...attrs(name), 'sign-key': 'key' }),
      reader: (name) => ({ ...attrs(name), 'verify-key': verifying }),
    };
  };

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

type ClientContent = NonNullable<Awaited<ReturnType<LocalDeps['clientContent']>>>;

/** A store as clients have it, of blobs in memory. */
function contentOfClient(): ClientContent {
  const blobs = new Map<Digest, Uint8Array>();
  return {
    has: async ({ digest }) => blobs.has(digest),
    size: async (digest) => blobs.get(digest)?.length,
    open: async ({ digest }, { signal }) => {
      signal.throwIfAborted();
      const bytes = blobs.get(digest);
      if (bytes === undefined) throw new CodedError('not_found', `no blob ${digest}`);
      const pieces = async function* () {
        for (let at = 0; at < bytes.length; at += 1000) {
          signal.throwIfAborted();
          yield bytes.subarray(at, at + 1000);
        }
      };
      return ReadableStream.from(pieces());
    },
    write: async ({ digest }, content) => {
      const bytes = Buffer.concat(await Array.fromAsync(content));
      if (digestOf(bytes) !== digest) throw new CodedError('failed_precondition', 'unexpected commit digest');
      blobs.set(digest, bytes);
    },
  };
}

async function local({ pool, stores }: Shared): Promise<TypeWorld> {
  const clients = new Map<string, ClientContent>();
  const clientContent: LocalDeps['clientContent'] = async (_sessions, store, { signal }) => {
    signal.throwIfAborted();
    const content = clients.get(store) ?? contentOfClient();
    clients.set(store, content);
    return content;
  };
  return {
    ...{ type: localCaches({ clientContent, stores, pool }), secrets: [] },
    writer: (name) => ({ dest: name }),
    reader: (name, { digest = '' }) => ({ src: name, digest }),
  };
}

const WORLDS: readonly (readonly [string, (shared: Shared) => Promise<TypeWorld>])[] = [
  ['registry', registry()],
  ['registry, signed', registry(key)],
  ['local', local],
  ['s3', objects('s3', (folder) => s3World(folder))],
  ['azblob', objects('azblob', azureWorld)],
  ['gha', objects('gha', ghaWorld(1))],
  ['gha, its second API', objects('gha', ghaWorld(2))],
];

describe.each(WORLDS)('%s', (name, open) => {
  const opened = new AsyncDisposableStack();
  const stores = new CacheStores();
  let world: TypeWorld;

  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-store-'));
    opened.defer(() => rmSync(folder, { recursive: true, force: true }));
    const pool = opened.use(new WorkerPool({ name: 'documents', threads: 1 }));
    const streams = opened.use(new StreamPool({ name: 'streams' }));
    world = await open({ pool, streams, stores, folder, opened });
  });
  afterAll(() => opened.disposeAsync());

  const opener = (attrs: Attributes, as: 'importer' | 'exporter'): CacheStore =>
    world.type.store(new ExportOptions(`${name} cache`, attrs), { as, direct: false })(() => ['s']);
  const oneCache = (): CacheStoreWorld => {
    const cache = newId();
    return {
      writer: () => opener(world.writer(cache), 'exporter'),
      reader: (written) => opener(world.reader(cache, written), 'importer'),
      secrets: world.secrets,
    };
  };

  cacheStoreSuite(name, oneCache);

  test('many builds at once take so many connections and no more', async () => {
    const { proxy } = world;
    if (proxy === undefined) return;
    proxy.fault = (_req, _res, forward) => {
      setTimeout(forward, 20);
      return true;
    };
    const builds = Array.from({ length: 60 }, () => {
      const cache = oneCache();
      const layers = Array.from({ length: 4 }, () => layerToWrite(Buffer.from(newId().repeat(50))));
      return { store: cache.writer(), layers };
    });
    const all = builds.flatMap(({ store, layers }) => layers.map((layer) => ({ store, layer })));
    const access = { signal: neverAborted, sessions: () => ['s'], owner: HOUSE };
    proxy.mostConnections = 0;
    await Promise.all([
      ...all.map(({ store, layer }) => store.putBlob(layer.source, fakeContext(neverAborted), () => {})),
      ...builds.map(({ store }) => store.read(access)),
    ]);
    expect(proxy.mostConnections).toBeLessThanOrEqual(16 * 2 + 16);
    proxy.mostConnections = 0;
    const read = await Promise.all(
      all.map(async ({ store, layer }) => {
        const content = await store.openBlob(layer.source.descriptor, access);
        return digestOf(Buffer.concat(await Array.fromAsync(content)));
      }),
    );
    expect(read).toEqual(all.map(({ layer }) => layer.descriptor.digest));
    expect(proxy.mostConnections).toBeLessThanOrEqual(32 + 16);
    proxy.fault = () => undefined;
  });

  // Registries are asked by their own: their blobs have a place that outlives the build.
  if (!name.startsWith('registry'))
    blobFetcherSuite<Extract<BlobPlace, { kind: 'store' }>>(`of ${name}`, async () => {
      const store = oneCache().writer();
      const bytes = Buffer.alloc(1 << 20, 'blob');
      const { source } = layerToWrite(bytes);
      await store.putBlob(source, fakeContext(neverAborted), () => {});
      if (store.place.kind !== 'store') throw new Error('its blobs lie elsewhere');
      return {
        ...{ bytes, descriptor: source.descriptor, fetcher: stores.fetcher, place: store.place },
        nowhere: { kind: 'store', store: 'nowhere' },
        [Symbol.asyncDispose]: async () => {},
      };
    });
});
