import * as grpc from '@grpc/grpc-js';
import { CodedError, toCodedError } from '../../base/index.ts';
import type { CallOptions, Channel, RawCall } from '../grpc/channel.ts';
import { assertSendable, MAX_MESSAGE_BYTES } from '../grpc/framing.ts';
import { MessageQueue } from '../grpc/messages.ts';
import { Metadata } from '../grpc/metadata.ts';
import { errorOfTrailers } from '../grpc/status.ts';

const MAX_RECONNECT_MS = 5_000;

const identity = (bytes: Uint8Array): Buffer => (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes));

/** A {@link Channel} on @grpc/grpc-js, which reconnects by itself and knows TLS. `target` in grpc-js form. */
export class GrpcJsChannel implements Channel {
  readonly #client: grpc.Client;

  constructor(target: string, credentials = grpc.credentials.createInsecure(), options: grpc.ClientOptions = {}) {
    this.#client = new grpc.Client(target, credentials, {
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc-node.flow_control_window': 1024 * 1024,
      'grpc.enable_retries': 0,
      // A builder that comes back, with another address perhaps, is found soon: the defaults are two minutes and half a one.
      'grpc.max_reconnect_backoff_ms': MAX_RECONNECT_MS,
      'grpc.dns_min_time_between_resolutions_ms': MAX_RECONNECT_MS,
      ...options,
    });
  }

  open(path: string, options: CallOptions): RawCall {
    return new GrpcJsCall(this.#client, path, options);
  }

  /** Settles when the connection stands. @throws CodedError unavailable after the time given */
  async ready(timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#client.waitForReady(Date.now() + timeoutMs, (error) => {
      if (error === undefined || error === null) resolve();
      else reject(new CodedError('unavailable', `the builder does not answer: ${error.message}`, { cause: error }));
    });
    await promise;
  }

  close(): void {
    this.#client.close();
  }
}

class GrpcJsCall implements RawCall {
  readonly headers: Promise<Metadata>;
  readonly responses: AsyncIterable<Uint8Array>;
  readonly #call: grpc.ClientDuplexStream<Uint8Array, Uint8Array> | undefined;
  #over = false;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(client: grpc.Client, path: string, options: CallOptions) {
    const headers = Promise.withResolvers<Metadata>();
    this.headers = headers.promise;
    const queue = new MessageQueue<Uint8Array>(
      { pause: () => this.#call?.pause(), resume: () => this.#call?.resume() },
      { onReturn: () => this.#call?.cancel() },
    );
    this.responses = queue;
    const { signal } = options;
    if (signal.aborted) {
      this.#over = true;
      headers.resolve(new Metadata());
      queue.finish(toCodedError(signal.reason));
      return;
    }
    const call = client.makeBidiStreamRequest<Uint8Array, Uint8Array>(
      path,
      identity,
      (bytes) => bytes,
      toGrpcJs(options.metadata),
      {
        ...(options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs }),
      },
    );
    this.#call = call;
    const release = () => {
      this.#room?.resolve();
      this.#room = undefined;
    };
    call.on('drain', release);
    call.on('close', release);
    const settle = (error: CodedError | undefined, now: boolean) => {
      this.#over = true;
      signal.removeEventListener('abort', onAbort);
      headers.resolve(new Metadata());
      release();
      queue.finish(error, now);
    };
    const onAbort = () => {
      settle(toCodedError(signal.reason), true);
      call.cancel();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    call.on('metadata', (metadata) => headers.resolve(fromGrpcJs(metadata)));
    call.on('data', (bytes: Uint8Array) => queue.push(bytes, bytes.length));
    call.on('error', (error: grpc.ServiceError) => {
      const details = error.metadata?.get('grpc-status-details-bin')[0];
      const bytes = Buffer.isBuffer(details) ? details : undefined;
      settle(errorOfTrailers(error.code ?? 2, error.details ?? error.message, bytes), false);
    });
    call.on('status', (status) => {
      if (status.code === grpc.status.OK) settle(undefined, false);
    });
  }

  write(message: Uint8Array): Promise<void> | undefined {
    assertSendable(message);
    const call = this.#call;
    if (call === undefined || this.#over || call.writableEnded) return undefined;
    if (call.write(message)) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  end(): void {
    if (this.#call !== undefined && !this.#call.writableEnded) this.#call.end();
  }
}

function toGrpcJs(metadata: Metadata | undefined): grpc.Metadata {
  const out = new grpc.Metadata();
  for (const [name, value] of metadata?.pairs() ?? [])
    out.add(name, typeof value === 'string' ? value : Buffer.from(value));
  return out;
}

function fromGrpcJs(metadata: grpc.Metadata): Metadata {
  const pairs: [string, string | Uint8Array][] = [];
  for (const name of Object.keys(metadata.getMap())) for (const value of metadata.get(name)) pairs.push([name, value]);
  return Metadata.fromPairs(pairs);
}
