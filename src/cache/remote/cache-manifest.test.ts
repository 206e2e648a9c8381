import { expect, test } from 'vitest';
import { type Digest, digestOf } from '../../base/index.ts';
import type { Repository } from '../../oci/registry-client/index.ts';
import { readCaches } from './cache-manifest.ts';

const DIFF = 'containerd.io/uncompressed';
const DESCRIPTION = 'buildkit/description';

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
    annotations: { [DIFF]: digestOf('diff'), [DESCRIPTION]: 'd'.repeat(100_000), other: 'o'.repeat(100_000) },
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
    annotations: { [DIFF]: digestOf('diff'), [DESCRIPTION]: 'd'.repeat(4096) },
  });
});
