import { constants } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import {
  type AbortOptions,
  CodedError,
  cancelledError,
  invalidArgument,
  type Logger,
  onAbort,
  toCodedError,
} from '../../base/index.ts';
import { DISCOVERY, RETRY_SECONDS, statusOf } from './documents.ts';
import type { FrontProxy, User } from './user.ts';
import { userOf } from './user.ts';

/** PEM of the API's own certificate, for the name of its Service. */
export interface ServingCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A request of a user, as the API server has passed it on. */
export interface ApiRequest {
  readonly user: User;
  readonly method: string;
  readonly url: URL;
  /** Fires when the user is gone, or the server ends. */
  readonly signal: AbortSignal;
}

export interface ApiHandlers {
  /** Answers; what it throws before the answer has begun is told as a Status. */
  readonly request: (request: ApiRequest, response: ServerResponse) => Promise<void>;
  /** The same of a request for another protocol, on whose connection nothing was answered yet. */
  readonly upgrade: (request: ApiRequest & { readonly protocol: string }, socket: Duplex) => Promise<void>;
}

interface ApiServerOptions extends AbortOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string;
  readonly certificate: ServingCertificate;
  readonly frontProxy: FrontProxy;
  readonly handlers: ApiHandlers;
  readonly log: Logger;
}

export interface ApiServer extends AsyncDisposable {
  readonly port: number;
  /** Others from now on, for new connections. */
  trust(certificate: ServingCertificate, frontProxy: FrontProxy): void;
}

const MAX_HEADER_BYTES = 64 * 1024;
const MAX_HEADERS = 700;
/** The API server keeps connections; others are of nobody whom anything is for. */
const MAX_CONNECTIONS = 1000;
const SLOW_MS = 15_000;
/** A connection on which nothing moves though there is something to move. */
const STALL_MS = 300_000;

/**
 * The TLS server of the aggregated API. Only the API server's word counts, and that only with its certificate; everybody else may ask whether it is alive. What is large or slow is ended.
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { handlers, log, signal } = options;
  let { frontProxy } = options;
  const match = /^(.*):([0-9]{1,5})$/.exec(options.address);
  if (match === null) throw invalidArgument(`address ${JSON.stringify(options.address)}: expected host:port`);
  const over = new AbortController();
  const life = AbortSignal.any([signal, over.signal]);
  const sockets = new Set<Socket>();

  const contextOf = ({ cert, key }: ServingCertificate, { ca }: FrontProxy) => ({
    ...{ cert, key, ca },
    ...{ minVersion: 'TLSv1.2' as const },
    // A session that is resumed would keep what an authority since replaced had vouched for.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  const server: Server = createServer({
    ...contextOf(options.certificate, frontProxy),
    requestCert: true,
    // The API server's probes of the connection have none; who has none is nobody.
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: SLOW_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: SLOW_MS,
    requestTimeout: 2 * SLOW_MS,
    connectionsCheckingInterval: SLOW_MS / 3,
    keepAliveTimeout: 60_000,
  });
  server.maxHeadersCount = MAX_HEADERS;
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  /** @throws CodedError unauthenticated */
  const asked = (request: IncomingMessage, gone: AbortSignal): ApiRequest => {
    const user = userOf(request, frontProxy);
    if (user === undefined)
      throw new CodedError('unauthenticated', 'only the API server is answered, for users that it names');
    const url = new URL(request.url ?? '/', 'https://api.invalid');
    return { user, method: request.method ?? 'GET', url, signal: AbortSignal.any([life, gone]) };
  };
  server.on('request', (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort(cancelledError('the client is gone')));
    // Nothing that is asked for has a body.
    request.resume();
    const answer = async () => {
      const path = (request.url ?? '').split('?')[0] ?? '';
      if (path === '/healthz' || path === '/livez' || path === '/readyz') return void response.end('ok\n');
      const api = asked(request, gone.signal);
      const document = DISCOVERY.get(path);
      if (document === undefined) return await handlers.request(api, response);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(document));
    };
    answer().catch((error: unknown) => {
      if (response.headersSent || response.destroyed) {
        response.destroy();
        return;
      }
      const { code, body } = statusOf(error);
      if (code >= 500)
        log.warn('a request could not be answered', { path: request.url?.slice(0, 500), err: toCodedError(error) });
      response.writeHead(code, {
        'content-type': 'application/json',
        ...(code === 429 ? { 'retry-after': String(RETRY_SECONDS) } : {}),
      });
      response.end(JSON.stringify(body));
    });
  });
  server.on('upgrade', (request, socket, head) => {
    const gone = new AbortController();
    socket.once('close', () => gone.abort(cancelledError('the client is gone')));
    socket.on('error', () => socket.destroy());
    const answer = async () => {
      const protocol = request.headers.upgrade ?? '';
      if (head.length > 0) socket.unshift(head);
      await handlers.upgrade({ ...asked(request, gone.signal), protocol }, socket);
    };
    answer().catch((error: unknown) => {
      // Of a stream that has begun there is nothing to tell but its end.
      if (begun.has(socket)) return void socket.destroy();
      const { code, body } = statusOf(error);
      const text = JSON.stringify(body);
      const head = [
        `HTTP/1.1 ${code} Refused`,
        'content-type: application/json',
        `content-length: ${Buffer.byteLength(text)}`,
      ];
      if (!socket.destroyed && socket.writable)
        socket.end(`${[...head, 'connection: close'].join('\r\n')}\r\n\r\n${text}`);
    });
  });
  server.on('tlsClientError', (_, socket: TLSSocket) => socket.destroy());
  server.on('clientError', (_, socket) => socket.destroy());

  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(Number(match[2]), (match[1] ?? '').replace(/^\[|\]$/g, '') || '::', resolve);
  using aborted = onAbort(signal);
  await Promise.race([promise, aborted.promise]);
  return {
    port: (server.address() as AddressInfo).port,
    trust: (certificate, proxy) => {
      server.setSecureContext(contextOf(certificate, proxy));
      frontProxy = proxy;
      server.closeIdleConnections();
    },
    [Symbol.asyncDispose]: async () => {
      over.abort(cancelledError('the operator ends'));
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

const begun = new WeakSet<Duplex>();

/** Answers that the connection is of this protocol from now on. */
export function switchTo(protocol: string, socket: Duplex): void {
  begun.add(socket);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${protocol}\r\n\r\n`);
}

/** Writes with the reader's pace: holds no more than one portion. @throws CodedError when the reader stands still */
export async function writeTo(response: ServerResponse, text: string, { signal }: AbortOptions): Promise<void> {
  if (response.write(text)) return;
  using aborted = onAbort(signal);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new CodedError('deadline_exceeded', 'the reader stands still')), STALL_MS);
  response.once('drain', resolve);
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    clearTimeout(timer);
    response.off('drain', resolve);
  }
}
