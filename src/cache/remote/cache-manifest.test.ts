import { expect, test, vi } from 'vitest';
import { type Digest, digestOf, HOUSE } from '../../base/index.ts';
import type { Repository } from '../../oci/registry-client/index.ts';
import { WorkerPool } from '../../sys/index.ts';
import { readCaches } from './cache-manifest.ts';

const DIFF = 'containerd.io/uncompressed';
const DESCRIPTION = 'buildkit/description';
const TABLE = 'containerd.io/snapshot/stargz/toc.digest';
const UNPACKED = 'io.containers.estargz.uncompressed-size';

test('of what a manifest says of a layer is kept what is read, since each ref of each chain has it', async () => {
  const config = Buffer.from('{}');
  const configDescriptor = {
    mediaType: 'application/vnd.buildkit.cacheconfig.v0',
    digest: digestOf(config),
    size: config.length,
  };
  const layer = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf('layer'),
    size: 1,
    annotations: {
      ...{ [DIFF]: digestOf('diff'), [DESCRIPTION]: 'd'.repeat(100_000), other: 'o'.repeat(100_000) },
      ...{ [TABLE]: digestOf('table'), [UNPACKED]: '123' },
    },
    urls: ['https://example.org/elsewhere'],
    data: 'AAAA',
  };
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: configDescriptor,
      layers: [layer],
    }),
  );
  const repository = {
    getManifest: async () => ({
      bytes,
      descriptor: {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: digestOf(bytes),
        size: bytes.length,
      },
    }),
    getBlob: async () => config,
  } as unknown as Pick<Repository, 'getManifest' | 'getBlob'>;
  const reference = { domain: 'r', path: 'p', tag: 't' } as Parameters<typeof readCaches>[1];
  const [cache] = await readCaches(repository, reference, { signal: new AbortController().signal });
  const { mediaType, digest, size } = layer;
  expect(cache?.layers.get(digest as Digest)?.descriptor).toEqual({
    ...{ mediaType, digest, size },
    annotations: {
      ...{ [DIFF]: digestOf('diff'), [DESCRIPTION]: 'd'.repeat(4096) },
      ...{ [TABLE]: digestOf('table'), [UNPACKED]: '123' },
    },
  });
});

test('a worker reads what is long: the same is read, and this thread takes it in by short texts', async () => {
  const records = Array.from({ length: 3000 }, (_, n) => ({
    digest: digestOf(`${n}`),
    ...(n === 0 ? {} : { inputs: [[{ selector: 's', link: n - 1 }]] }),
    layers: [{ layer: 0, createdAt: '2020-01-01T00:00:00Z' }],
  }));
  const layers = [{ blob: digestOf('layer'), parent: -1 }];
  const config = Buffer.from(JSON.stringify({ layers, records }));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const listed = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf('layer'), size: 1 }];
  const described = {
    mediaType: 'application/vnd.buildkit.cacheconfig.v0',
    digest: digestOf(config),
    size: config.length,
  };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config: described, layers: listed }));
  const repository = {
    getManifest: async () => ({ bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } }),
    getBlob: async () => config,
  } as unknown as Parameters<typeof readCaches>[0];
  const signal = new AbortController().signal;
  await using pool = new WorkerPool({ name: 'documents', threads: 1 });
  const here = await readCaches(repository, { tag: 't' }, { signal });
  const parse = vi.spyOn(JSON, 'parse');
  const there = await readCaches(repository, { tag: 't' }, { signal, worker: { pool, owner: HOUSE } });
  const longest = Math.max(...parse.mock.calls.map(([text]) => text.length));
  parse.mockRestore();
  expect(there).toEqual(here);
  expect(here[0]?.config.records).toHaveLength(3000);
  expect(longest).toBeLessThan(32_000);
});
