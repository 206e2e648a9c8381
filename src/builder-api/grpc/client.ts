import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { CodedError, cancelledError, type Logger, silentLogger, toCodedError } from '../../base/index.ts';
import { type CallOptions, type Channel, type RawCall, requestHeaders } from './channel.ts';
import { Drain } from './drain.ts';
import { assertSendable, frameMessage } from './framing.ts';
import { Flow, type Hold, MessageQueue, type MessageSink, pumpMessages } from './messages.ts';
import { headerListSize, Metadata } from './metadata.ts';
import { endWithStream, http2Options, widenConnectionWindow } from './options.ts';
import { codeOfGrpc, errorOfTrailers, percentDecode } from './status.ts';

const CODE_BY_HTTP_STATUS: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};

/** What nghttp2 says of a header block in more frames than it takes (nine). */
const TOO_MANY_CONTINUATIONS = -905;

/** A gRPC client on one HTTP/2 connection by prior knowledge, over any duplex stream. One connection for its whole life. */
export class ConnectionChannel implements Channel, AsyncDisposable {
  readonly #session: ClientHttp2Session;
  readonly #log: Logger;
  readonly #hold: (() => Hold) | undefined;
  readonly #closed = Promise.withResolvers<void>();
  readonly #ready = Promise.withResolvers<void>();
  #authority: string;

  /** `hold` counts what of messages is kept for the peer. */
  constructor(
    socket: Duplex,
    options: { readonly authority?: string; readonly logger?: Logger; readonly hold?: () => Hold } = {},
  ) {
    this.#hold = options.hold;
    this.#authority = options.authority ?? 'localhost';
    this.#log = options.logger ?? silentLogger;
    endWithStream(socket, () => this.#session);
    this.#session = http2.connect('http://localhost', { ...http2Options(), createConnection: () => socket });
    this.#session.once('connect', () => widenConnectionWindow(this.#session));
    // The peer's limits are known only after its SETTINGS.
    this.#session.once('remoteSettings', () => this.#ready.resolve());
    this.#session.on('error', (error) => this.#log.debug('connection failed', { err: error }));
    this.#session.on('frameError', (type, code) => this.#log.debug('frame not sent', { type, code }));
    this.#session.once('close', () => {
      this.#ready.resolve();
      this.#closed.resolve();
    });
  }

  /** Settles when the connection is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Settles when the peer's settings came (or the connection is gone). */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  open(path: string, options: CallOptions): RawCall {
    const headers = requestHeaders(path, this.#authority, options);
    return new ClientCall(this.#session, headers, options, this.#log, this.#hold);
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#session.destroy();
  }

  /** Lets running calls end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#session.destroyed) this.#session.close();
    await this.closed;
  }
}

class ClientCall implements RawCall {
  readonly headers: Promise<Metadata>;
  readonly responses: AsyncIterable<Uint8Array>;
  readonly #queue: MessageQueue<Uint8Array>;
  readonly #headers = Promise.withResolvers<Metadata>();
  readonly #signal: AbortSignal;
  readonly #log: Logger;
  readonly #onAbort = () => this.#cancel(this.#signal.reason);
  #stream: ClientHttp2Stream | undefined;
  #flow: Flow | undefined;
  #drain: Drain | undefined;
  #timer: NodeJS.Timeout | undefined;
  #status: { code: number; message: string; details: Uint8Array | undefined } | undefined;
  #httpStatus = 200;
  #settled = false;
  #streamError: unknown;

  constructor(
    session: ClientHttp2Session,
    headers: Record<string, string | string[]>,
    options: CallOptions,
    log: Logger,
    hold: (() => Hold) | undefined,
  ) {
    this.headers = this.#headers.promise;
    this.#signal = options.signal;
    this.#log = log;
    const held = hold?.();
    this.#queue = new MessageQueue<Uint8Array>(
      { pause: () => this.#flow?.pause(), resume: () => this.#flow?.resume() },
      { onReturn: () => this.#cancel(cancelledError()), hold: held },
    );
    this.responses = this.#queue;
    try {
      options.signal.throwIfAborted();
      const limit = session.destroyed || session.closed ? undefined : session.remoteSettings?.maxHeaderListSize;
      const size = headerListSize(headers);
      // A peer answers too long a list by ending the whole connection: fail this call alone instead.
      if (limit !== undefined && size > limit)
        throw new CodedError(
          'internal',
          `header list size to send violates the maximum size (${limit} bytes) set by server`,
          {
            fault: 'user',
            hint: 'shorten the list of include and exclude patterns',
          },
        );
      this.#stream = session.request(headers);
      this.#flow = new Flow(this.#stream);
      this.#drain = new Drain(this.#stream);
    } catch (error) {
      this.#settle(connectionError(error));
      return;
    }
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
    if (options.timeoutMs !== undefined)
      this.#timer = setTimeout(
        () => this.#cancel(new CodedError('deadline_exceeded', 'context deadline exceeded')),
        options.timeoutMs,
      );
    this.#listen(this.#stream, this.#flow, { hold: held, maxBytes: options.maxMessageBytes });
  }

  write(message: Uint8Array): Promise<void> | undefined {
    assertSendable(message);
    const stream = this.#stream;
    if (stream === undefined || this.#settled || stream.destroyed || stream.writableEnded) return undefined;
    if (stream.write(frameMessage(message))) return undefined;
    return this.#drain?.wait();
  }

  end(): void {
    const stream = this.#stream;
    if (stream !== undefined && !stream.destroyed && !stream.writableEnded) stream.end();
  }

  #listen(
    stream: ClientHttp2Stream,
    flow: Flow,
    bounds: { readonly hold: Hold | undefined; readonly maxBytes: number | undefined },
  ): void {
    stream.once('response', (headers: IncomingHttpHeaders, _flags: number, raw?: string[]) => {
      this.#httpStatus = Number(headers[':status'] ?? 200);
      this.#takeStatus(headers);
      const encoding = headers['grpc-encoding'];
      const sink: MessageSink = {
        onMessage: (message) => this.#queue.push(message, message.length),
        onEnd: () => this.#finish(),
        onError: (error) => {
          this.#settle(toCodedError(error));
          stream.close(constants.NGHTTP2_CANCEL);
        },
      };
      pumpMessages(flow, typeof encoding === 'string' ? encoding : undefined, sink, bounds);
      this.#headers.resolve(Metadata.fromRawHeaders(raw ?? flat(headers)));
    });
    stream.on('trailers', (headers: IncomingHttpHeaders) => this.#takeStatus(headers));
    stream.on('error', (error) => {
      this.#streamError = error;
      this.#log.debug('call failed', { err: error });
    });
    stream.once('close', () => this.#finish());
  }

  #takeStatus(headers: IncomingHttpHeaders): void {
    const status = headers['grpc-status'];
    if (status === undefined) return;
    const details = headers['grpc-status-details-bin'];
    this.#status = {
      code: /^\d+$/.test(String(status)) ? Number(status) : 2,
      message: percentDecode(String(headers['grpc-message'] ?? '')),
      details: typeof details === 'string' ? Buffer.from(details, 'base64') : undefined,
    };
  }

  /** All messages came, or the stream is gone: the status decides. */
  #finish(): void {
    if (this.#settled) return;
    const stream = this.#stream!;
    if (this.#status !== undefined) {
      this.#settle(errorOfTrailers(this.#status.code, this.#status.message, this.#status.details));
      // The server has answered; nothing more is wanted of it.
      if (!stream.writableEnded) stream.end();
      return;
    }
    if (!stream.closed && !stream.destroyed) return;
    if (this.#httpStatus !== 200) {
      const code = codeOfGrpc(CODE_BY_HTTP_STATUS[this.#httpStatus] ?? 2);
      this.#settle(new CodedError(code, `unexpected HTTP status ${this.#httpStatus}`));
    } else if (stream.rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM) {
      // Ours, of more headers than http2Options takes; or the other side's, of whatever it has too much of.
      this.#settle(tooManyHeaders('the call was ended for its size: headers larger than max, or too many calls'));
    } else if (stream.rstCode === constants.NGHTTP2_CANCEL) {
      this.#settle(cancelledError('the call was reset by the other side'));
    } else this.#settle(connectionError(this.#streamError));
  }

  #cancel(reason: unknown): void {
    if (this.#settled) return;
    this.#settle(toCodedError(reason), true);
    const stream = this.#stream;
    if (stream !== undefined && !stream.destroyed) stream.close(constants.NGHTTP2_CANCEL);
  }

  #settle(error: CodedError | undefined, now = false): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#headers.resolve(new Metadata());
    this.#queue.finish(error, now);
  }
}

/** A call that got no status: the connection is gone or going. */
function connectionError(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  if (error instanceof Error && 'errno' in error && error.errno === TOO_MANY_CONTINUATIONS)
    return tooManyHeaders('connection lost: received headers larger than max', error);
  const message = error instanceof Error ? error.message : 'the stream ended without a status';
  return new CodedError('unavailable', `connection lost: ${message}`, { cause: error });
}

function tooManyHeaders(message: string, cause?: unknown): CodedError {
  return new CodedError('resource_exhausted', message, { fault: 'user', cause });
}

function flat(headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [String(value)]).flatMap((one) => [name, one]),
  );
}
