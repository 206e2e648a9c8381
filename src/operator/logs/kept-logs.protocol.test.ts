import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { CodedError, DIRECT, digestOf, neverAborted as signal, silentLogger } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import type { Attempt, BuildRun } from '../../resources/index.ts';
import { type KnownRun, knownRunType } from '../known.ts';
import type { Prepared } from '../run/prepare.ts';
import { MemoryApi } from '../testing/memory-api.ts';
import { builderOrKept, KeptLogs } from './kept-logs.ts';
import type { AttemptLog } from './sources.ts';

const { StatusResponse } = wire.moby.buildkit.v1;
const work = tempFolder('kept-logs');
const api = new MemoryApi();
let registry: RegistryServer;
let kept: KeptLogs;
let run: KnownRun;
let attempt: Attempt;
let builderLog: AttemptLog;

/** Some megabytes, in messages of all sizes. */
const MESSAGES = Array.from(
  { length: 60 },
  (_, n) => new StatusResponse({ logs: [{ vertex: 'v', stream: 1, msg: Buffer.alloc(1 + n * 3000, `${n} `) }] }),
);

beforeAll(async () => {
  registry = await RegistryServer.start({ root: work.path, durable: false });
  api.put('buildruns', {
    apiVersion: 'slipway.build/v1alpha1',
    kind: 'BuildRun',
    metadata: { name: 'app-1', namespace: 'a', uid: 'u1' },
    spec: { buildRef: { name: 'app' }, number: 1, hash: 'h', buildSpec: { dockerfile: { inline: 'FROM scratch' } } },
    status: {
      phase: 'Failed',
      attempts: [{ number: 1, builder: 'b:1', startedAt: '2026-01-31T12:00:00Z', completedAt: '2026-01-31T12:00:05Z' }],
      completedAt: '2026-01-31T12:00:05Z',
    },
  } as BuildRun);
  const runs = await api.informer(knownRunType);
  run = runs.get('a/app-1') as KnownRun;
  attempt = run.status?.attempts?.[0] as Attempt;
  kept = new KeptLogs({
    kube: api.client,
    runs,
    proxies: DIRECT,
    builderLog: (...args) => builderLog(...args),
    retentionMs: 1000,
    prepare: async () =>
      ({
        kind: 'ready',
        plan: { exporters: [{ type: 'image', attrs: { name: `${registry.host}/app:v1` } }] },
        sources: { secrets: new Map() },
      }) as unknown as Prepared,
    log: silentLogger,
  });
});

afterAll(async () => {
  kept[Symbol.dispose]();
  api[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
  work[Symbol.dispose]();
});

const gone: AttemptLog = () => {
  throw new CodedError('unavailable', 'the pod is gone');
};
const sizes = async (log: AttemptLog) => {
  const read = await Array.fromAsync(log(run, attempt, { signal, follow: false }));
  return read.map(({ logs }) => logs[0]?.msg?.length);
};
const ALL = MESSAGES.map(({ logs }) => logs[0]?.msg?.length);
const manifestOf = () => `${registry.url}/v2/app/manifests/slipway-log-u1-1`;

test('what a builder has of an attempt is kept whole, in layers of a portion each', async () => {
  builderLog = async function* () {
    yield* MESSAGES;
  };
  await kept.keep('u1', 1, { signal });
  const manifest = (await (await fetch(manifestOf(), { headers: { accept: '*/*' } })).json()) as { layers: unknown[] };
  expect(manifest.layers.length).toBeGreaterThan(3);
  expect(await sizes(kept.read)).toEqual(ALL);
});

test('it is read where the builder has nothing, and from where the builder broke off', async () => {
  expect(await sizes(builderOrKept(gone, kept.read))).toEqual(ALL);
  const breaks: AttemptLog = async function* () {
    yield* MESSAGES.slice(0, 7);
    throw new CodedError('unavailable', 'cut');
  };
  expect(await sizes(builderOrKept(breaks, kept.read))).toEqual(ALL);
  const other = { ...attempt, number: 2 };
  const none = Array.fromAsync(builderOrKept(gone, kept.read)(run, other, { signal, follow: false }));
  await expect(none).rejects.toThrow(/the pod is gone; of what was kept: /);
});

test('what the registry does not take costs the run nothing', async () => {
  builderLog = gone;
  await kept.keep('u1', 1, { signal });
  expect(await sizes(kept.read)).toEqual(ALL);
});

test.each<[string, Uint8Array, object]>([
  ['what is no log', Buffer.from('{}'), { artifactType: 'application/vnd.other' }],
  ['a layer that unpacks to more than is held', gzipSync(Buffer.alloc(100 << 20)), {}],
  ['a layer that is not packed', Buffer.from('plain'), {}],
  ['a message that is cut short', gzipSync(Buffer.from([200, 0, 0, 0, 1])), {}],
])('%s under its tag is refused', async (_, layer, over) => {
  const put = async (bytes: Uint8Array) => {
    const digest = digestOf(bytes);
    const begun = await fetch(`${registry.url}/v2/app/blobs/uploads/`, { method: 'POST' });
    const to = new URL(begun.headers.get('location') as string, registry.url);
    to.searchParams.set('digest', digest);
    await fetch(to, { method: 'PUT', body: bytes, headers: { 'content-type': 'application/octet-stream' } });
    return { digest, size: bytes.length };
  };
  const type = 'application/vnd.slipway.build.log.v1';
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    artifactType: type,
    config: { mediaType: 'application/vnd.oci.empty.v1+json', ...(await put(Buffer.from('{}'))) },
    layers: [{ mediaType: `${type}+gzip`, ...(await put(layer)) }],
    ...over,
  };
  const headers = { 'content-type': manifest.mediaType };
  const answer = await fetch(manifestOf(), { method: 'PUT', headers, body: JSON.stringify(manifest) });
  expect(answer.status).toBe(201);
  await expect(sizes(kept.read)).rejects.toThrow();
});

test('it goes when its time is over', async () => {
  const over = new AbortController();
  const sweeping = kept.sweep({ signal: over.signal });
  await expect.poll(async () => (await fetch(manifestOf(), { method: 'HEAD' })).status).toBe(404);
  over.abort(new CodedError('cancelled', 'the test is over'));
  await sweeping;
});
