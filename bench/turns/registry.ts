import { createServer } from 'node:http';
import { digestOf } from '../../src/base/index.ts';

const CONFIG_TYPE = 'application/vnd.buildkit.cacheconfig.v0';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const RECORDS = 7500;

/** A cache config of nearly a mebibyte, all of which is to be checked: records that stand on one another. */
function cacheConfig(mark: string): Buffer {
  const records = Array.from({ length: RECORDS }, (_, n) => ({
    digest: digestOf(`${mark} ${n}`),
    ...(n === 0 ? {} : { inputs: [[{ link: n - 1 }]] }),
  }));
  return Buffer.from(JSON.stringify({ layers: [], records }));
}

/** A registry that has nothing but caches, a new one by each name. */
export async function serveCaches(): Promise<AsyncDisposable & { name(n: number): string }> {
  const blobs = new Map<string, Buffer>();
  const server = createServer((request, response) => {
    const [, name = '', kind, of = ''] = /^\/v2\/([^/]+)\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? [];
    const send = (bytes: Buffer, type: string) => {
      response.writeHead(200, {
        ...{ 'content-type': type, 'content-length': bytes.length, 'docker-content-digest': digestOf(bytes) },
      });
      response.end(request.method === 'HEAD' ? undefined : bytes);
    };
    if (kind === 'manifests') {
      const config = cacheConfig(name);
      blobs.set(digestOf(config), config);
      const descriptor = { mediaType: CONFIG_TYPE, digest: digestOf(config), size: config.length };
      const manifest = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config: descriptor, layers: [] };
      const bytes = Buffer.from(JSON.stringify(manifest));
      blobs.set(digestOf(bytes), bytes);
      send(bytes, MANIFEST_TYPE);
    } else if (blobs.has(of)) send(blobs.get(of)!, 'application/octet-stream');
    else response.writeHead(request.url === '/v2/' ? 200 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    name: (n) => `127.0.0.1:${port}/cache${n}:latest`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
