import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Logger, silentLogger } from '../../base/index.ts';
import { AccessControl, type RegistryAccess } from './access.ts';
import { beginUpload, methodRefused, serveBlob, serveUpload } from './blobs.ts';
import { answerJson, type Exchange, type RegistryParts, validName } from './exchange.ts';
import { serveManifest, serveReferrers, serveTags } from './manifests.ts';
import { Problem } from './problem.ts';
import { RegistryStorage } from './storage.ts';
import { Uploads } from './uploads.ts';

export interface RegistryServerOptions {
  /** Directory that holds everything; made when it is not there. One server at a time a directory. */
  readonly root: string;
  /** Address to listen on, 127.0.0.1 when absent. */
  readonly host?: string;
  /** 0 (the default) picks a free one. */
  readonly port?: number;
  /** PEM key and certificate: HTTPS. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly access?: RegistryAccess;
  readonly logger?: Logger;
  /** Flush content to disk before it is acknowledged; true when absent. */
  readonly durable?: boolean;
  /** Bytes of one blob, 64 GiB when absent. */
  readonly maxBlobBytes?: number;
  /** Bytes of one manifest, 4 MiB when absent (the least the specification asks for). */
  readonly maxManifestBytes?: number;
  /** Uploads open at once, 1,000 when absent. */
  readonly maxUploads?: number;
}

const DRAIN_LIMIT = 16 << 20;

type Handler = (parts: RegistryParts, exchange: Exchange) => Promise<void>;

/** Longest first where one pattern contains another. */
const ROUTES: readonly (readonly [RegExp, Handler])[] = [
  [/^\/v2\/(.+)\/blobs\/uploads\/?$/, beginUpload],
  [/^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/, serveUpload],
  [/^\/v2\/(.+)\/blobs\/([^/]+)$/, serveBlob],
  [/^\/v2\/(.+)\/manifests\/([^/]+)$/, serveManifest],
  [/^\/v2\/(.+)\/referrers\/([^/]+)$/, serveReferrers],
  [/^\/v2\/(.+)\/tags\/list$/, serveTags],
];

/**
 * The embedded registry: an OCI distribution server (distribution-spec 1.1: pull, push, content discovery, content management) over one
 * directory. It hashes and writes what it receives on the thread it runs on, so give it a process or thread of its own beside busy ones.
 */
export class RegistryServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #parts: RegistryParts;
  /** `http://127.0.0.1:40123`: no path. */
  readonly url: string;
  /** `127.0.0.1:40123`: what image names begin with. */
  readonly host: string;

  private constructor(server: Server, parts: RegistryParts, url: string) {
    this.#server = server;
    this.#parts = parts;
    this.url = url;
    this.host = new URL(url).host;
  }

  /** Opens the directory and listens. */
  static async start(options: RegistryServerOptions): Promise<RegistryServer> {
    const storage = await RegistryStorage.open(options.root, { durable: options.durable ?? true });
    const uploads = new Uploads(storage, {
      maxBlobBytes: options.maxBlobBytes ?? 64 * 2 ** 30,
      maxUploads: options.maxUploads ?? 1000,
    });
    let url = '';
    const access = new AccessControl(options.access, () => `${url}/token`);
    const parts: RegistryParts = { storage, uploads, access, maxManifestBytes: options.maxManifestBytes ?? 4 << 20 };
    const logger = options.logger ?? silentLogger;
    const listener = (request: IncomingMessage, response: ServerResponse) =>
      void serve(parts, logger, request, response);
    // A big layer on a slow line takes as long as it takes; only headers and idle sockets have a limit.
    const limits = { requestTimeout: 0, headersTimeout: 30_000, keepAliveTimeout: 30_000, noDelay: true };
    const server =
      options.tls === undefined
        ? createServer(limits, listener)
        : createTlsServer({ ...limits, ...options.tls }, listener);
    const host = options.host ?? '127.0.0.1';
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(options.port ?? 0, host, resolve);
    await promise;
    server.off('error', reject);
    const { port } = server.address() as AddressInfo;
    url = `${options.tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
    return new RegistryServer(server, parts, url);
  }

  /** Ends every connection and drops unfinished uploads. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
    await this.#parts.uploads[Symbol.asyncDispose]();
  }
}

async function serve(
  parts: RegistryParts,
  logger: Logger,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    await route(parts, request, response);
  } catch (error) {
    const gone = request.destroyed && !request.complete;
    if (response.headersSent || gone) {
      response.destroy();
      return;
    }
    const problem = problemOf(error);
    if (problem !== error)
      logger.error('registry request failed', { method: request.method, url: request.url, err: error });
    const body = Buffer.from(problem.body());
    response.writeHead(problem.status, {
      ...problem.headers,
      'content-type': 'application/json',
      'content-length': body.length,
    });
    response.end(request.method === 'HEAD' ? undefined : body);
    if (!request.complete) drain(request);
  }
}

/** Reads over what is left of a refused body, since closing at once could take the answer from the client; much of it ends the connection. */
function drain(request: IncomingMessage): void {
  let size = 0;
  request.on('error', () => {});
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > DRAIN_LIMIT) request.destroy();
  });
}

async function route(parts: RegistryParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('docker-distribution-api-version', 'registry/2.0');
  let url: URL;
  let path: string;
  try {
    url = new URL(request.url ?? '/', 'http://registry');
    path = decodeURIComponent(url.pathname);
  } catch {
    throw new Problem(400, 'NAME_INVALID', 'invalid URL');
  }
  if (path === '/token' && (await parts.access.serveToken(request, response, url))) return;
  if (path === '/v2/' || path === '/v2') {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw methodRefused();
    parts.access.check(request, []);
    answerJson({ request, response, url, name: '', reference: '' }, {});
    return;
  }
  for (const [pattern, handler] of ROUTES) {
    const match = pattern.exec(path);
    if (match === null) continue;
    const name = match[1] ?? '';
    if (!validName(name)) throw new Problem(400, 'NAME_INVALID', `invalid repository name ${JSON.stringify(name)}`);
    await handler(parts, { request, response, url, name, reference: match[2] ?? '' });
    return;
  }
  throw new Problem(404, 'NAME_UNKNOWN', 'no such resource');
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new Problem(507, 'UNKNOWN', 'no space left on device');
  return new Problem(500, 'UNKNOWN', 'the registry failed; its log says how');
}
