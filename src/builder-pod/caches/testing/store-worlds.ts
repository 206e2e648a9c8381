import { rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { FaultProxy } from '../../../oci/registry-client/testing/fault-proxy.ts';
import { AZURE_ACCOUNT, AZURE_KEY, azureContainer, azureServer } from './azure-server.ts';
import { GhaServer, ghaToken } from './gha-server.ts';
import { S3_KEYS, S3_REGION, s3Server } from './s3-server.ts';

/** A real store of a type, behind a proxy that can break what passes. */
export interface StoreWorld extends AsyncDisposable {
  readonly proxy: FaultProxy;
  /** Attributes of the cache of this name. */
  attrs(name: string): Readonly<Record<string, string>>;
  /** What is secret of them. */
  readonly secrets: readonly string[];
  /** Lets go of all blobs of the cache of this name, and not of its index. */
  loseLayers(name: string): void | Promise<void>;
  isIndex(req: IncomingMessage): boolean;
  isLayer(req: IncomingMessage): boolean;
  /** What the store says of an object that it does not have. */
  readonly missing: {
    readonly status: number;
    readonly body: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
  /** Where the proxy leads. */
  readonly target: string;
  /** The same store behind another proxy, which ends with what is returned. */
  beside(): Promise<StoreWorld>;
}

/** A server behind a proxy; both end together. */
export async function behindProxy<S extends AsyncDisposable & { readonly url: string }>(start: Promise<S>) {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await start);
  const proxy = opened.use(await FaultProxy.start(server.url));
  const closing = opened.move();
  return { server, proxy, target: server.url, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

type Behind = Pick<StoreWorld, 'proxy' | 'target'> & AsyncDisposable;

/** A store behind a proxy, or behind another one. */
function worldOf(
  { proxy, target, ...ends }: Behind,
  store: (proxy: FaultProxy) => Omit<StoreWorld, keyof Behind | 'beside'>,
): StoreWorld {
  const beside = async () => {
    const other = await FaultProxy.start(target);
    return worldOf({ proxy: other, target, [Symbol.asyncDispose]: () => other[Symbol.asyncDispose]() }, store);
  };
  return { proxy, target, beside, ...ends, ...store(proxy) };
}

export async function s3World(folder: string): Promise<StoreWorld> {
  const behind = await behindProxy(s3Server(folder, 'caches'));
  return worldOf(behind, (proxy) => ({
    attrs: (name) => ({
      ...{ bucket: 'caches', region: S3_REGION, endpoint_url: `http://${proxy.host}`, use_path_style: 'true' },
      ...{ ...S3_KEYS, name, prefix: `of-${name}/` },
    }),
    secrets: Object.values(S3_KEYS),
    loseLayers: (name) => rmSync(join(folder, 'data', 'caches', `of-${name}`, 'blobs'), { recursive: true }),
    isIndex: ({ method, url }) => method === 'GET' && url?.includes('/manifests/') === true,
    isLayer: ({ method, url }) => method === 'GET' && url?.includes('/blobs/sha256') === true,
    missing: { status: 404, body: '<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>' },
  }));
}

export async function azureWorld(folder: string): Promise<StoreWorld> {
  const { server, ...behind } = await behindProxy(azureServer(folder));
  return worldOf(behind, (proxy) => ({
    attrs: (name) => ({
      ...{ account_url: `http://${proxy.host}/${AZURE_ACCOUNT}`, account_name: AZURE_ACCOUNT },
      ...{ secret_access_key: AZURE_KEY, name, prefix: `of-${name}`, container: 'caches' },
    }),
    secrets: [AZURE_KEY],
    loseLayers: async (name) => {
      const container = azureContainer(server.url, 'caches');
      for await (const blob of container.listBlobsFlat({ prefix: `of-${name}/blobs/` }))
        await container.deleteBlob(blob.name);
    },
    isIndex: ({ method, url }) => method === 'GET' && url?.includes('/manifests/') === true,
    isLayer: ({ method, url }) => method === 'GET' && /\/blobs\/sha256(?::|%3A)/.test(url ?? ''),
    missing: { status: 404, body: '', headers: { 'x-ms-error-code': 'BlobNotFound' } },
  }));
}

/** The cache service of GitHub's actions in one of its versions. */
export const ghaWorld = (version: 1 | 2) => async (): Promise<StoreWorld> => {
  const token = ghaToken();
  const { server, ...behind } = await behindProxy(GhaServer.start(token));
  return worldOf(behind, (proxy) => ({
    attrs: (name) => ({ token, scope: name, [version === 2 ? 'url_v2' : 'url']: `http://${proxy.host}/` }),
    secrets: [token],
    loseLayers: () => server.evict('buildkit-blob-'),
    isIndex: ({ method, url }) => method === 'GET' && url?.startsWith('/content/index-') === true,
    isLayer: ({ method, url }) => method === 'GET' && url?.startsWith('/content/buildkit-blob-') === true,
    missing: { status: 404, body: '' },
  }));
};
