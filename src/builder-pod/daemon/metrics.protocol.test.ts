import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startBuilder } from '../../../e2e/support/builder.ts';
import { BASE, dockerfileArgs, makeContext } from '../../../e2e/support/context.ts';
import { freePort } from '../../../e2e/support/ports.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';

test('metrics tell of steps, caches, registries and the machine, all of them documented', async () => {
  using work = tempFolder('metrics');
  await using registry = await RegistryServer.start({ root: path.join(work.path, 'registry'), durable: false });
  const address = `127.0.0.1:${await freePort()}`;
  await using builder = await startBuilder(work.path, ['--metrics-addr', address]);
  const read = async () => {
    const text = await (await fetch(`http://${address}/metrics`)).text();
    return new Map(
      [...text.matchAll(/^(slipway_[^ ]+) (\S+)$/gm)].map(([, name = '', value]) => [name, Number(value)] as const),
    );
  };
  const before = await read();
  expect(before.get('slipway_vertices_total{result="miss"}')).toBe(0);
  const context = makeContext(path.join(work.path, 'context'), { Dockerfile: `${BASE}FROM base\nRUN echo a > /a\n` });
  const cache = ['--export-cache', `type=registry,ref=${registry.host}/metrics:cache,mode=max`];
  expect((await builder.buildctl(dockerfileArgs(context, cache))).code).toBe(0);
  const first = await read();
  expect(first.get('slipway_vertices_total{result="miss"}')).toBeGreaterThan(0);
  expect(first.get('slipway_builder_builds_total{fault="none"}')).toBe(1);
  expect(first.get('slipway_cache_export_bytes_total')).toBeGreaterThan(0);
  expect(first.get('slipway_registry_requests_total{code="201"}')).toBeGreaterThan(0);
  expect((await builder.buildctl(dockerfileArgs(context))).code).toBe(0);
  const fails = makeContext(path.join(work.path, 'fails'), { Dockerfile: `${BASE}FROM base\nRUN exit 3\n` });
  expect((await builder.buildctl(dockerfileArgs(fails))).code).not.toBe(0);
  const last = await read();
  const hits = (metrics: ReadonlyMap<string, number>) => metrics.get('slipway_vertices_total{result="hit"}') ?? 0;
  expect(hits(last)).toBeGreaterThan(hits(first));
  expect(last.get('slipway_vertices_total{result="error"}')).toBe(1);
  expect(last.get('slipway_builder_builds_total{fault="user"}')).toBe(1);
  for (const name of ['disk_bytes', 'disk_free_bytes', 'inodes', 'memory_limit_bytes', 'memory_bytes', 'busy_seconds'])
    expect(last.get(`slipway_builder_${name}`), name).toBeGreaterThan(0);
  expect([last.get('slipway_builder_ready'), last.get('slipway_builder_builds')]).toEqual([1, 0]);
  expect((await fetch(`http://${address}/readyz`)).status).toBe(200);

  const docs = readFileSync(path.join(import.meta.dirname, '../../../docs/buildkitd.md'), 'utf8');
  for (const name of last.keys()) {
    const bare = name.replace(/\{.*/, '');
    const short = bare.replace('slipway_builder', '…');
    expect(
      [bare, short].some((text) => docs.includes(`\`${text}`)),
      bare,
    ).toBe(true);
  }
});
