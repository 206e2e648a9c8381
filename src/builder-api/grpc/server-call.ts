import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { CodedError, cancelledError, isCancelled, type Logger, MAX_TIMER_MS } from '../../base/index.ts';
import { Drain } from './drain.ts';
import { assertSendable, frameHeader, frameMessage } from './framing.ts';
import { Flow, type Hold, type MessageSink, pumpMessages } from './messages.ts';
import { Metadata } from './metadata.ts';
import type { Peer } from './options.ts';
import { lengthOf } from './parts.ts';
import { trailersOfError, type WireCode } from './status.ts';

const TIMEOUT_UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
/** Of a message that is framed by a copy: fewer writes cost less. */
const COPIED_BYTES = 64 * 1024;

/** Milliseconds of a grpc-timeout header; undefined when there is none. @throws CodedError invalid_argument */
export function parseGrpcTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const unit = TIMEOUT_UNITS[text.at(-1) ?? ''];
  if (unit === undefined || !/^\d{1,8}.$/.test(text))
    throw new CodedError('invalid_argument', `invalid grpc-timeout ${JSON.stringify(text)}`);
  return Number(text.slice(0, -1)) * unit;
}

/** The grpc-timeout header for so many milliseconds. */
export function formatGrpcTimeout(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms));
  return whole < 1e8 ? `${whole}m` : `${Math.min(Math.ceil(whole / 1000), 99_999_999)}S`;
}

/** One call on the server, in messages of bytes. `end` finishes it exactly once; later writes are dropped. */
export class ServerCall {
  readonly metadata: Metadata;
  readonly peer: Peer;
  readonly path: string;
  /** Counts what is kept of its messages; disposed with its stream. */
  readonly hold: Hold;
  /** The codes that failures of this call have on the wire. */
  wireCode: WireCode | undefined;
  /** What is told of a failure of this call. */
  told: ((error: unknown) => unknown) | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #flow: Flow;
  readonly #encoding: string | undefined;
  readonly #userAgent: string;
  readonly #drain: Drain;
  readonly #controller = new AbortController();
  #deadline: NodeJS.Timeout | undefined;
  #trailers: Record<string, string> = { 'grpc-status': '0' };
  #ended = false;
  #headersSent = false;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    raw: readonly string[],
    peer: Peer,
    log: Logger,
    hold: Hold,
  ) {
    this.#stream = stream;
    this.#flow = new Flow(stream);
    this.hold = hold;
    this.#drain = new Drain(stream);
    this.metadata = Metadata.fromRawHeaders(raw);
    this.peer = peer;
    this.path = String(headers[':path'] ?? '');
    const encoding = headers['grpc-encoding'];
    this.#encoding = typeof encoding === 'string' ? encoding : undefined;
    this.#userAgent = headers['user-agent'] ?? '';
    stream.on('error', (error) => log.debug('call stream failed', { err: error, path: this.path }));
    stream.on('close', () => {
      clearTimeout(this.#deadline);
      if (!this.#ended) this.#abort(cancelledError());
      this.#ended = true;
    });
    stream.on('aborted', () => {
      if (!this.#ended) this.#abort(cancelledError());
    });
    stream.on('wantTrailers', () => {
      try {
        stream.sendTrailers(this.#trailers);
      } catch (error) {
        log.debug('trailers not sent', { err: error, path: this.path });
      }
      // A peer that still sends is told to stop; without an error, since its answer is complete.
      if (!stream.readableEnded) setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
    });
  }

  /** Fires when the caller cancelled, is gone, or its deadline passed. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Starts the caller's deadline. @throws CodedError for a timeout that cannot be read. */
  startDeadline(text: string | undefined): void {
    const ms = parseGrpcTimeout(text);
    if (ms === undefined || ms > MAX_TIMER_MS) return;
    this.#deadline = setTimeout(() => {
      this.fail(new CodedError('deadline_exceeded', 'context deadline exceeded'));
    }, ms);
    this.#deadline.unref();
  }

  /** Ends the call, and what is done for it. */
  fail(error: CodedError): void {
    this.#abort(error);
    this.end(error);
  }

  /** Delivers request messages; nothing is read before this is called. */
  read(sink: MessageSink): void {
    pumpMessages(this.#flow, this.#encoding, sink, { hold: this.hold });
  }

  pause(): void {
    this.#flow.pause();
  }

  resume(): void {
    this.#flow.resume();
  }

  sendHeaders(metadata?: Metadata): void {
    if (this.#headersSent || this.#gone()) return;
    this.#headersSent = true;
    this.#stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc',
        ...metadata?.toHeaders(),
      },
      { waitForTrailers: true },
    );
  }

  /** Sends a message. False: wait for {@link drained} before the next. @throws CodedError resource_exhausted when it is too large */
  write(message: Uint8Array): boolean {
    return this.writeParts([message]);
  }

  /** The same of a message in parts. */
  writeParts(message: readonly Uint8Array[]): boolean {
    const length = lengthOf(message);
    assertSendable({ length });
    if (this.#gone()) return true;
    this.sendHeaders();
    const [only, ...others] = message;
    if (only !== undefined && others.length === 0 && only.length <= COPIED_BYTES)
      return this.#stream.write(frameMessage(only));
    // What is long is not copied.
    this.#stream.cork();
    let flows = this.#stream.write(frameHeader(length));
    for (const part of message) flows = this.#stream.write(part);
    this.#stream.uncork();
    return flows;
  }

  /** Settles when more may be written, or when the call is over. */
  drained(): Promise<void> {
    return this.#drain.wait() ?? Promise.resolve();
  }

  /** Ends the call: OK, or with the status of `error`. */
  end(error?: unknown): void {
    if (this.#ended) return;
    const gone = this.#gone();
    if (error === undefined) this.sendHeaders();
    this.#ended = true;
    clearTimeout(this.#deadline);
    if (gone) return;
    if (error === undefined) {
      this.#stream.end();
      return;
    }
    const trailers = trailersOfError(this.told?.(error) ?? error, this.#userAgent, this.wireCode);
    if (this.#headersSent) {
      this.#trailers = trailers;
      this.#stream.end();
      return;
    }
    this.#headersSent = true;
    this.#stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true });
    if (!this.#stream.readableEnded) {
      this.#stream.resume();
      setImmediate(() => this.#stream.close(constants.NGHTTP2_NO_ERROR));
    }
  }

  #gone(): boolean {
    return this.#ended || this.#stream.destroyed || this.#stream.closed;
  }

  #abort(reason: CodedError): void {
    if (!this.#controller.signal.aborted) this.#controller.abort(reason);
  }
}

/** What a handler's failure means to the caller: its own cancellation is told as such. */
export function failureOf(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted && isCancelled(error) ? signal.reason : error;
}
