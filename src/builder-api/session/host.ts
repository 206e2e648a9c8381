import { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type AbortOptions, CodedError, newId, onAbort } from '../../base/index.ts';
import type { Channel, RawCall } from '../grpc/channel.ts';
import { Metadata } from '../grpc/metadata.ts';
import { GrpcServer } from '../grpc/server.ts';
import { methodPath } from '../grpc/service.ts';
import { Health } from '../services/common.ts';
import { Control } from '../services/control.ts';
import { decodeBytesMessage, encodeBytesMessage } from './bytes-message.ts';
import { SESSION_ID, SESSION_METHOD, SESSION_SHARED_KEY } from './metadata-names.ts';

/** Largest piece of the tunnel in one message. */
const PIECE = 32 * 1024;

export interface HostSessionOptions extends AbortOptions {
  readonly id?: string;
  readonly sharedKey?: string;
  /** Registers what this client serves (FileSync, Auth, Secrets, …); Health is there already. */
  readonly register: (server: GrpcServer) => void;
}

/** A session that we serve, as the command does. Disposing ends it. */
export interface HostedSession extends AsyncDisposable {
  readonly id: string;
  /** Settles when the session ended, rejects when it was lost. */
  readonly ended: Promise<void>;
}

/** Opens Control.Session on a builder's channel and serves our services inside it. */
export function hostSession(channel: Channel, options: HostSessionOptions): HostedSession {
  const id = options.id ?? newId();
  const server = new GrpcServer();
  server.register(Health, { check: () => ({ status: 1 }) });
  options.register(server);
  const metadata = new Metadata().add(SESSION_ID, id).add(SESSION_SHARED_KEY, options.sharedKey ?? '');
  for (const method of server.methods()) metadata.add(SESSION_METHOD, method);
  const cancel = new AbortController();
  const signal = AbortSignal.any([options.signal, cancel.signal]);
  const call = channel.open(methodPath(Control, Control.methods.session), { signal, metadata });
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  ended.catch(() => {});
  const pipe = new CallDuplex(call);
  pipe.once('error', reject);
  pipe.once('close', resolve);
  server.serveConnection(pipe);
  return {
    id,
    ended,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      pipe.end();
      pipe.destroy();
      call.end();
      cancel.abort(new CodedError('cancelled', 'the session ended'));
      await ended.catch(() => {});
    },
  };
}

interface RelaySessionOptions extends AbortOptions {
  readonly id: string;
  readonly sharedKey: string;
  /** Paths of the methods that may be called of whoever is at the other end of the stream. */
  readonly methods: readonly string[];
}

/** Opens Control.Session on a builder's channel for somebody else, who serves it at the other end of `stream`: bytes go through, at the pace of who reads them. Settles when either end is over. */
export async function relaySession(
  channel: Channel,
  stream: Duplex,
  { id, sharedKey, methods, signal }: RelaySessionOptions,
): Promise<void> {
  const metadata = new Metadata().add(SESSION_ID, id).add(SESSION_SHARED_KEY, sharedKey);
  for (const method of methods) metadata.add(SESSION_METHOD, method);
  const cancel = new AbortController();
  const call = channel.open(methodPath(Control, Control.methods.session), {
    signal: AbortSignal.any([signal, cancel.signal]),
    metadata,
  });
  const pipe = new CallDuplex(call);
  try {
    await pipeline(stream, pipe, stream, { signal });
  } finally {
    pipe.destroy();
    call.end();
    cancel.abort(new CodedError('cancelled', 'the session ended'));
  }
}

/** Serves a session on a stream that somebody relays to a builder. Settles when it is over. */
export async function serveRelayed(
  stream: Duplex,
  register: (server: GrpcServer) => void,
  { signal }: AbortOptions,
): Promise<void> {
  const server = new GrpcServer();
  server.register(Health, { check: () => ({ status: 1 }) });
  register(server);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  stream.once('close', resolve);
  stream.on('error', () => stream.destroy());
  using aborted = onAbort(signal);
  server.serveConnection(stream);
  try {
    await Promise.race([ended, aborted.promise]);
  } finally {
    await server.close();
    stream.destroy();
  }
}

/** A byte stream over the BytesMessages of a call. */
class CallDuplex extends Duplex {
  readonly #call: RawCall;
  readonly #messages: AsyncIterator<Uint8Array>;

  constructor(call: RawCall) {
    super();
    this.#call = call;
    this.#messages = call.responses[Symbol.asyncIterator]();
  }

  override _read(): void {
    this.#messages.next().then(
      ({ done, value }) => {
        if (done === true) {
          this.push(null);
          return;
        }
        const data = decodeBytesMessage(value);
        if (data.length === 0) this._read();
        else this.push(data);
      },
      (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let wait: Promise<void> | undefined;
    for (let at = 0; at < chunk.length; at += PIECE)
      wait = this.#call.write(encodeBytesMessage(chunk.subarray(at, at + PIECE)));
    if (wait === undefined) done();
    else void wait.then(() => done());
  }

  override _final(done: () => void): void {
    this.#call.end();
    done();
  }
}
