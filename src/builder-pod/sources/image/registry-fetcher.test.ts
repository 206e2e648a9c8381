import { tempFolder } from '../../../../e2e/support/temp-folder.ts';
import { digestOf, neverAborted } from '../../../base/index.ts';
import type { BlobPlace } from '../../../cache/ports.ts';
import { blobFetcherSuite } from '../../../cache/testing/blob-fetcher-suite.ts';
import { anonymous, RegistryClient } from '../../../oci/registry-client/index.ts';
import { RegistryServer } from '../../../oci/registry-server/index.ts';
import { ImageResolver, registryFetcher } from './index.ts';

blobFetcherSuite<Extract<BlobPlace, { kind: 'registry' }>>('registries', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(tempFolder('registry'));
  const server = stack.use(await RegistryServer.start({ root: folder.path, durable: false }));
  const client = stack.use(new RegistryClient({ retry: { delaysMs: [] } }));
  const bytes = Buffer.alloc(1 << 20, 'blob');
  const digest = digestOf(bytes);
  const open = async () => ReadableStream.from([bytes]);
  const repository = client.repository({ domain: server.host, path: 'app' }, anonymous);
  await repository.pushBlob({ digest, size: bytes.length, open }, { signal: neverAborted });
  const opened = stack.move();
  return {
    bytes,
    descriptor: { mediaType: 'application/octet-stream', digest, size: bytes.length },
    fetcher: registryFetcher(new ImageResolver({ client, credentials: () => anonymous })),
    place: { kind: 'registry', host: server.host, repository: 'app' },
    nowhere: { kind: 'registry', host: '127.0.0.1:1', repository: 'app' },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
});
