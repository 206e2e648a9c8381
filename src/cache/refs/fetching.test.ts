import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { digestHex, digestOf } from '../../base/index.ts';
import type { BlobPlace } from '../ports.ts';
import { blobFetcherSuite } from '../testing/blob-fetcher-suite.ts';
import { TestRepositories } from '../testing/places.ts';
import { localFetcher } from './index.ts';

const bytes = Buffer.alloc(1 << 20, 'blob');
const digest = digestOf(bytes);
const blob = { bytes, descriptor: { mediaType: 'application/octet-stream', digest, size: bytes.length } };

blobFetcherSuite<Extract<BlobPlace, { kind: 'local' }>>('a layout on this machine', async () => {
  const folder = tempFolder('layout');
  const blobs = join(folder.path, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(blobs, digestHex(digest)), bytes);
  return {
    ...blob,
    fetcher: localFetcher(),
    place: { kind: 'local', directory: folder.path },
    nowhere: { kind: 'local', directory: join(folder.path, 'nowhere') },
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  };
});

blobFetcherSuite<Extract<BlobPlace, { kind: 'registry' }>>('repositories of tests', async () => {
  const repositories = new TestRepositories();
  repositories.repository(new Map([[digest, bytes]]), 'registry.example/image');
  return {
    ...blob,
    fetcher: repositories.fetchers.registry!,
    place: { kind: 'registry', host: 'registry.example', repository: 'image' },
    nowhere: { kind: 'registry', host: 'nowhere.example', repository: 'image' },
    [Symbol.asyncDispose]: async () => {},
  };
});
