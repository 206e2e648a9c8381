import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DIRECT, type Digest, digestOf, neverAborted, silentLogger } from '../../base/index.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { parsePoolCache } from '../../resources/index.ts';
import type { KnownRun } from '../known.ts';
import type { KubeClient } from '../runtime/index.ts';
import { type CachePruneParts, pruneSharedCache } from './prune.ts';

const CACHE_CONFIG = 'application/vnd.buildkit.cacheconfig.v0';
const DAY = 86_400_000;
let registry: RegistryServer;
let root: string;
beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'prune-'));
  registry = await RegistryServer.start({ root, durable: false });
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

const ago = (days: number) => new Date(Date.now() - days * DAY).toISOString();

async function push(repository: string, tag: string, days: number, size = 100): Promise<void> {
  const blob = async (bytes: Buffer, mediaType: string) => {
    const digest = digestOf(bytes);
    const url = `${registry.url}/v2/${repository}/blobs/uploads/?digest=${encodeURIComponent(digest)}`;
    expect((await fetch(url, { method: 'POST', body: new Uint8Array(bytes) })).status).toBe(201);
    return { mediaType, digest, size: bytes.length };
  };
  const layer = await blob(Buffer.alloc(size, `${repository} ${tag}`), 'application/vnd.oci.image.layer.v1.tar');
  const records = [{ digest: digestOf(`${tag} record`) as Digest, layers: [{ layer: 0, createdAt: ago(days) }] }];
  const text = JSON.stringify({ layers: [{ blob: layer.digest, parent: -1 }], records });
  const config = await blob(Buffer.from(text), CACHE_CONFIG);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const body = JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] });
  const put = { method: 'PUT', body, headers: { 'content-type': mediaType } };
  expect((await fetch(`${registry.url}/v2/${repository}/manifests/${tag}`, put)).status).toBe(201);
}

const tags = async (repository: string) =>
  ((await (await fetch(`${registry.url}/v2/${repository}/tags/list`)).json()) as { tags: string[] }).tags.sort();

const run = (namespace: string, build: string, status: object): KnownRun =>
  ({
    metadata: { name: `${build}-1`, namespace },
    spec: { buildRef: { name: build }, buildSpec: {} },
    status,
  }) as unknown as KnownRun;

async function prune(runs: readonly KnownRun[], rest = '', ref = `${registry.host}/c`): Promise<readonly string[]> {
  const told: string[] = [];
  const parts: CachePruneParts = {
    client: {} as KubeClient,
    runs: { list: () => [...runs] },
    ...{ ownNamespace: 'own', defaultRegistry: undefined, proxies: DIRECT },
    events: { record: (_about, type, reason, message) => told.push(`${type} ${reason} ${message}`) },
    log: silentLogger,
  };
  const pool = { metadata: { name: 'default' } } as never;
  await pruneSharedCache(parsePoolCache(`{ ref: "${ref}"${rest} }`, 'cache.yaml'), [pool], parts, {
    signal: neverAborted,
  });
  return told;
}

test('what nobody has used for the time goes, scope by scope; what a run uses now stays, and what one used lately', async () => {
  const own = 'c/namespaces/team';
  for (const tag of ['team.idle', 'team.running', 'team.read', 'team.daily', 'team.young'])
    await push(own, tag, tag === 'team.young' ? 1 : 90);
  await push('c/namespaces/other', 'other.idle', 90);
  const exported = { conditions: [{ type: 'CacheExported', status: 'True' }] };
  const told = await prune([
    run('team', 'running', { phase: 'Running' }),
    run('team', 'read', { phase: 'Succeeded', completedAt: ago(80), ...exported }),
    run('team', 'daily', { phase: 'Succeeded', completedAt: ago(1) }),
    run('other', 'idle', { phase: 'Failed', completedAt: ago(90) }),
    run('none', 'never', { phase: 'Pending' }),
  ]);
  expect(await tags(own)).toEqual(['team.daily', 'team.read', 'team.running', 'team.young']);
  expect(await tags('c/namespaces/other')).toEqual([]);
  expect(told).toEqual([
    'Normal CachePruned namespaces/team: team.idle',
    'Normal CachePruned namespaces/other: other.idle',
  ]);
});

test('of what takes too much the oldest go, none that is in use', async () => {
  for (const [at, name] of ['a', 'b', 'c', 'd'].entries()) await push('c/scopes/all', `team.${name}`, 9 - at, 600_000);
  const rest = ', scopes: [{ name: all }], prune: { maxSize: 1Mi, keepLast: 1 }';
  await prune([run('team', 'a', { phase: 'Committing' })], rest);
  expect(await tags('c/scopes/all')).toEqual(['team.a', 'team.d']);
});

test('a registry that is away is told of, and nothing else', async () => {
  const { host } = registry;
  await registry[Symbol.asyncDispose]();
  const told = await prune([run('team', 'a', {})], '', `${host}/c`);
  expect(told).toEqual([expect.stringMatching(/^Warning CacheNotPruned /)]);
});
