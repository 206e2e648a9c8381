import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { digestOf, neverAborted } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { anonymous, RegistryClient } from '../../oci/registry-client/index.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import type { Result, ResultStore } from '../../solver/index.ts';
import { MemoryKeyStore } from '../../solver/testing/memory-key-store.ts';
import { StreamPool, WorkerPool } from '../../sys/index.ts';
import { Outflow } from '../exporters/index.ts';
import { fakeRef } from '../exporters/testing/fakes.ts';
import { registryCaches } from './registry.ts';
import { type CacheExporterWorld, cacheExporterSuite, faultsOf } from './testing/cache-exporter-suite.ts';
import { continuousCacheSuite } from './testing/continuous-cache-suite.ts';
import { cacheExporter } from './write.ts';

const pool = new WorkerPool({ name: 'documents', threads: 1 });
afterAll(() => pool.close());

/** A build with one result, of one layer that is packed when it is wanted. */
function builtOnce() {
  const keys = new MemoryKeyStore();
  const key = digestOf('key');
  keys.addResult(key, 'result', 1, 'here');
  const ref = fakeRef([{ files: { a: 'first' } }]);
  let isPacked = false;
  let held = 0;
  const handle = (): ImmutableRef => {
    held++;
    return {
      ...ref,
      clone: handle,
      release: async () => void held--,
      packed: (options) => (isPacked ? ref.packed(options) : undefined),
      layers: async (options) => {
        isPacked = true;
        return await ref.layers(options);
      },
    };
  };
  const load = async (id: string): Promise<Result<ImmutableRef>> => {
    const value = handle();
    return { id, value, clone: () => expect.unreachable(), release: () => value.release() };
  };
  const results = { load, exists: () => true } as unknown as ResultStore<ImmutableRef>;
  const layer = ref.packed({})![0]!.descriptor;
  return { keys, results, roots: [key], layer, held: () => held };
}

async function registryWorld(mode: string) {
  const opened = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'slipway-write-'));
  opened.defer(() => rmSync(folder, { recursive: true, force: true }));
  const server = opened.use(await RegistryServer.start({ root: folder, durable: false }));
  const proxy = opened.use(await FaultProxy.start(server.url));
  const client = opened.use(new RegistryClient({ retry: { delaysMs: [] } }));
  const secret = async () => undefined;
  const type = registryCaches({
    ...{ pool, trusted: [], secret, streams: opened.use(new StreamPool({ name: 'streams' })) },
    openRepository: (reference, { insecure }) => client.repository(reference, anonymous, { insecure }),
  });
  const { roots, layer, held, ...stores } = builtOnce();
  const attrs = { ref: `${proxy.host}/app:cache`, mode };
  const build = { roots, scopes: ['here'] };
  const run: CacheExporterWorld['run'] = async (exporter) => {
    const owner = { tenant: 'here', build: 'one' };
    exporter.begin?.({ owner, sessions: () => [], scope: 'here', until: new AbortController().signal });
    return { build, of: { owner } };
  };
  const repository = { domain: server.host, path: 'app' };
  return {
    ...{ build, run, held },
    open: (more: Readonly<Record<string, string>> = {}) =>
      cacheExporter(type, { ...attrs, ...more }, { direct: false }, { ...stores, secret, outflow: new Outflow() }),
    hasLayer: async () =>
      (await client.repository(repository, anonymous).hasBlob(layer.digest, { signal: neverAborted })) !== undefined,
    ...faultsOf(proxy, repository, client),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

for (const mode of ['min', 'max', 'continuous'])
  cacheExporterSuite(`a registry, mode=${mode}`, () => registryWorld(mode));

continuousCacheSuite('layers that go ahead of a cache', async () => {
  const world = await registryWorld('max');
  return { ...world, cache: world.open().ahead! };
});
continuousCacheSuite('a cache that grows with its build', async () => {
  const world = await registryWorld('continuous');
  return { ...world, cache: world.open().continuous! };
});
