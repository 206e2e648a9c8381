import { chmodSync, chownSync, rmSync } from 'node:fs';
import http2, {
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext } from 'node:tls';
import { CodedError, type Logger, Shares, silentLogger, toCodedError } from '../../base/index.ts';
import { CONNECTION_LIMITS, type ConnectionLimits, Connections } from './connections.ts';
import { HeldBytes } from './held-bytes.ts';
import { watchPeer } from './keepalive.ts';
import { MessageQueue } from './messages.ts';
import { endWithStream, http2Options, type Peer, peerOf, tunnelPeer, widenConnectionWindow } from './options.ts';
import { failureOf, ServerCall } from './server-call.ts';
import {
  type AnyMethod,
  type CallContext,
  EncodedMessage,
  type Handlers,
  type MessageClass,
  methodPath,
  type ServiceDefinition,
} from './service.ts';
import type { WireCode } from './status.ts';

/** PEM texts. With `ca`, clients must show a certificate that it signed. */
interface TlsOptions {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly ca?: string | Buffer;
}

type RawHandler = (call: ServerCall) => void;
type Loose = MessageClass<unknown, unknown>;

/** What clients may take of a server. */
interface ServerLimits extends ConnectionLimits {
  /** Bytes of the headers and messages of calls under way, of all clients: with more, a call of who has most is ended. */
  readonly heldBytes: number;
}

const SERVER_LIMITS: ServerLimits = { ...CONNECTION_LIMITS, heldBytes: 256 * 1024 * 1024 };
/** What a header takes beside its text. */
const HEADER_BYTES = 16;

const tooMuch = (): CodedError =>
  new CodedError('resource_exhausted', 'the client has too many large calls under way', { fault: 'user' });

/** How long the last frames of a session that is cut may take to be sent. */
const FAREWELL_MS = 100;

/** A gRPC server on node:http2: unix sockets, TCP with or without TLS, and connections handed to it. */
export class GrpcServer implements AsyncDisposable {
  readonly #handlers = new Map<string, RawHandler>();
  readonly #listeners = new Set<Http2Server | Http2SecureServer>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** Below the sessions, and without one until the peer has spoken. */
  readonly #sockets = new Set<Duplex>();
  readonly #log: Logger;
  readonly #limits: ServerLimits;
  readonly #connections: Connections;
  readonly #held = new Shares<HeldBytes>();
  #calls = 0;

  constructor(options: { readonly logger?: Logger; readonly limits?: Partial<ServerLimits> } = {}) {
    this.#log = options.logger ?? silentLogger;
    this.#limits = { ...SERVER_LIMITS, ...options.limits };
    this.#connections = new Connections(this.#limits, this.#log);
  }

  /** Calls in progress. */
  get activeCalls(): number {
    return this.#calls;
  }

  /** Serves a service. Methods without a handler answer `unimplemented`; what handlers throw is told as `told` makes it, with the code that `wireCode` gives it. */
  register<S extends ServiceDefinition>(
    definition: S,
    handlers: Handlers<S>,
    { wireCode, told }: { readonly wireCode?: WireCode; readonly told?: (error: unknown) => unknown } = {},
  ): void {
    for (const [key, method] of Object.entries(definition.methods)) {
      const handler = handlers[key as keyof S['methods']] as unknown;
      if (handler === undefined) continue;
      const serve = adapt(method, handler);
      this.registerRaw(methodPath(definition, method), (call) => {
        call.wireCode = wireCode;
        call.told = told;
        serve(call);
      });
    }
  }

  /** Serves one method in bytes: for streams where every message counts, such as a session's tunnel. */
  registerRaw(path: string, handler: RawHandler): void {
    this.#handlers.set(path, handler);
  }

  /** Every registered method, as `/package.Service/Method`. */
  methods(): readonly string[] {
    return [...this.#handlers.keys()];
  }

  /** Listens on a unix socket, replacing a stale one; `mode` and `gid` say who may connect. */
  async listenUnix(path: string, options: { readonly mode?: number; readonly gid?: number } = {}): Promise<void> {
    rmSync(path, { force: true });
    await this.#listen(http2.createServer(http2Options()), { path });
    if (options.gid !== undefined) chownSync(path, process.getuid?.() ?? 0, options.gid);
    chmodSync(path, options.mode ?? 0o660);
  }

  /** Listens on TCP; without `tls` it is HTTP/2 by prior knowledge. Returns the port. */
  async listenTcp(host: string, port: number, tls?: TlsOptions): Promise<number> {
    const server =
      tls === undefined
        ? http2.createServer(http2Options())
        : http2.createSecureServer({
            ...http2Options(),
            ...tls,
            requestCert: tls.ca !== undefined,
            rejectUnauthorized: tls.ca !== undefined,
            ALPNProtocols: ['h2'],
            minVersion: 'TLSv1.2',
          });
    await this.#listen(server, { host, port });
    return (server.address() as AddressInfo).port;
  }

  /** What new connections of all TLS listeners meet; whether clients must show a certificate stays as it was. @throws of what is no pair, and changes nothing then */
  setTls(tls: TlsOptions): void {
    const context = { ...tls, minVersion: 'TLSv1.2' as const };
    createSecureContext(context);
    for (const server of this.#listeners) if ('setSecureContext' in server) server.setSecureContext(context);
  }

  /** Serves one connection that exists already: a pipe, or a session's tunnel. */
  serveConnection(socket: Duplex, peer: Peer = tunnelPeer()): ServerHttp2Session {
    this.#hold(socket);
    endWithStream(socket, () => session);
    const session = http2.performServerHandshake(socket, http2Options());
    this.#adopt(session, peer);
    return session;
  }

  /**
   * Takes no new connection or call, lets running calls end for `graceMs`, then cuts every connection that is left, whatever it is doing: one
   * that never spoke, or stopped half-way through a handshake, has no session that could be closed.
   */
  async close(options: { readonly graceMs?: number } = {}): Promise<void> {
    const closed = [...this.#listeners].map((server) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      return promise;
    });
    this.#listeners.clear();
    for (const session of this.#sessions) {
      const { promise, resolve } = Promise.withResolvers<void>();
      session.once('close', resolve);
      session.close();
      closed.push(promise);
    }
    const graceMs = options.graceMs ?? 0;
    const cut = setTimeout(() => {
      for (const session of this.#sessions) session.destroy();
    }, graceMs);
    const drop = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs + FAREWELL_MS);
    await Promise.all(closed);
    clearTimeout(cut);
    clearTimeout(drop);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(server: Http2Server | Http2SecureServer, where: { path: string } | { host: string; port: number }) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(where, resolve);
    try {
      await promise;
    } catch (error) {
      const coded = toCodedError(error);
      const name = 'path' in where ? where.path : `${where.host}:${where.port}`;
      throw new CodedError(coded.code, `cannot listen on ${name}: ${coded.message}`, { cause: error });
    }
    server.off('error', reject);
    server.on('error', (error) => this.#log.warn('listener failed', { err: error }));
    server.on('sessionError', (error) => this.#log.debug('connection failed', { err: error }));
    if ('requestCert' in server || server.listenerCount('tlsClientError') === 0)
      server.on('tlsClientError', (error: unknown) => this.#log.debug('TLS handshake failed', { err: error }));
    server.on('connection', (socket: Duplex) => {
      this.#hold(socket);
      this.#connections.take(socket);
    });
    server.on('session', (session) => this.#adopt(session, peerOf(session.socket)));
    this.#listeners.add(server);
  }

  #hold(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #adopt(session: ServerHttp2Session, peer: Peer): void {
    this.#sessions.add(session);
    session.on('close', () => this.#sessions.delete(session));
    session.on('error', (error) => this.#log.debug('connection failed', { err: error }));
    session.on('frameError', (type, code) => this.#log.debug('frame not sent', { type, code }));
    widenConnectionWindow(session);
    if (peer.transport === 'tcp') watchPeer(session);
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]) =>
      this.#onStream(stream, headers, raw, peer),
    );
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[], peer: Peer): void {
    const contentType = headers['content-type'];
    if (headers[':method'] !== 'POST' || !contentType?.startsWith('application/grpc')) {
      stream.on('error', () => {});
      stream.resume();
      stream.respond({ ':status': headers[':method'] === 'POST' ? 415 : 405 }, { endStream: true });
      return;
    }
    const held = new HeldBytes({
      shares: this.#held,
      limits: { each: Number.POSITIVE_INFINITY, all: this.#limits.heldBytes },
      owner: peer.owner,
      end: (error) => {
        call.fail(error);
        // One that takes none of its answer would keep what it has.
        if (stream.writableLength > 0) stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
      },
      tooMuch,
    });
    const hold = held.hold();
    const call = new ServerCall(stream, headers, raw, peer, this.#log, hold);
    this.#calls++;
    stream.once('close', () => {
      this.#calls--;
      hold[Symbol.dispose]();
    });
    const handler = this.#handlers.get(call.path);
    try {
      hold.add(raw.reduce((bytes, text) => bytes + text.length + HEADER_BYTES, 0));
      if (handler === undefined) throw unknownMethod(call.path, this.#handlers);
      const timeout = headers['grpc-timeout'];
      call.startDeadline(typeof timeout === 'string' ? timeout : undefined);
      handler(call);
    } catch (error) {
      call.end(error);
    }
  }
}

function unknownMethod(path: string, handlers: ReadonlyMap<string, RawHandler>): CodedError {
  const [, service = '', method = ''] = path.split('/');
  const known = [...handlers.keys()].some((key) => key.startsWith(`/${service}/`));
  return new CodedError(
    'unimplemented',
    known ? `unknown method ${method} for service ${service}` : `unknown service ${service}`,
  );
}

/** A typed handler as one in bytes. */
function adapt(method: AnyMethod, handler: unknown): RawHandler {
  const request = method.request as Loose;
  const response = method.response as Loose;
  const decode = (message: Uint8Array): unknown => {
    try {
      return request.decode(message);
    } catch (cause) {
      throw new CodedError('internal', `${method.name}: the request cannot be decoded`, { cause, fault: 'user' });
    }
  };
  const encode = (message: unknown): readonly Uint8Array[] =>
    message instanceof EncodedMessage ? message.parts : [response.encode(message).finish()];
  if (method.kind === 'bidi') {
    const typed = handler as (requests: AsyncIterable<unknown>, context: CallContext) => AsyncIterable<unknown>;
    return (call) => {
      const queue = new MessageQueue<unknown>(call, { hold: call.hold });
      call.signal.addEventListener('abort', () => queue.finish(call.signal.reason, true), { once: true });
      call.read({
        onMessage: (message) => queue.push(decode(message), message.length),
        onEnd: () => queue.finish(),
        onError: (error) => call.fail(toCodedError(error)),
      });
      void stream(call, () => typed(queue, contextOf(call)), encode);
    };
  }
  const respond =
    method.kind === 'unary'
      ? async (call: ServerCall, message: unknown) => {
          try {
            const typed = handler as (request: unknown, context: CallContext) => Promise<unknown> | unknown;
            call.writeParts(encode(await typed(message, contextOf(call))));
            call.end();
          } catch (error) {
            call.end(failureOf(error, call.signal));
          }
        }
      : (call: ServerCall, message: unknown) => {
          const typed = handler as (request: unknown, context: CallContext) => AsyncIterable<unknown>;
          return stream(call, () => typed(message, contextOf(call)), encode);
        };
  return (call) => {
    let first: Uint8Array | undefined;
    let count = 0;
    call.read({
      onMessage: (message) => {
        if (++count > 1)
          return call.end(new CodedError('internal', 'more than one request message for a unary request'));
        first = message;
        // For as long as the handler has what is decoded of it.
        call.hold.add(message.length);
      },
      onEnd: () => {
        if (count > 1 || call.signal.aborted) return;
        try {
          if (first === undefined) throw new CodedError('internal', 'the call ended without a request message');
          const { length } = first;
          void respond(call, decode(first)).finally(() => call.hold.add(-length));
        } catch (error) {
          call.end(error);
        }
      },
      onError: (error) => call.end(error),
    });
  };
}

async function stream(
  call: ServerCall,
  open: () => AsyncIterable<unknown>,
  encode: (message: unknown) => readonly Uint8Array[],
): Promise<void> {
  try {
    for await (const message of open()) {
      if (!call.writeParts(encode(message))) await call.drained();
      if (call.signal.aborted) break;
    }
    call.end(call.signal.aborted ? call.signal.reason : undefined);
  } catch (error) {
    call.end(failureOf(error, call.signal));
  }
}

function contextOf(call: ServerCall): CallContext {
  return {
    signal: call.signal,
    metadata: call.metadata,
    peer: call.peer,
    sendHeaders: (metadata) => call.sendHeaders(metadata),
  };
}
