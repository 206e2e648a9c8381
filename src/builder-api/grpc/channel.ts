import { type AbortOptions, CodedError } from '../../base/index.ts';
import { Metadata } from './metadata.ts';
import { formatGrpcTimeout } from './server-call.ts';
import { type AnyMethod, type MessageClass, type Method, methodPath, type ServiceDefinition } from './service.ts';

/** A call in progress, in messages of bytes. */
export interface RawCall {
  /** Sends a message; a promise where the caller has to wait before the next. Dropped when the call is over. */
  write(message: Uint8Array): Promise<void> | undefined;
  /** Half-closes. */
  end(): void;
  /** Response headers; empty when the call ended without them. Never rejects. */
  readonly headers: Promise<Metadata>;
  /** Response messages, read once; throws the call's CodedError. Leaving the loop early cancels the call. */
  readonly responses: AsyncIterable<Uint8Array>;
}

export interface CallOptions extends AbortOptions {
  readonly metadata?: Metadata;
  /** The whole call; told to the server as grpc-timeout. */
  readonly timeoutMs?: number;
  /** Largest message of the answer, in bytes; {@link MAX_MESSAGE_BYTES} when absent. A larger one is refused before it is read. */
  readonly maxMessageBytes?: number | undefined;
}

/** Something that calls can be made on: a connection, a session's tunnel, a proxy of either. */
export interface Channel {
  open(path: string, options: CallOptions): RawCall;
}

/** A typed bidirectional call. */
interface BidiCall<Request, Response> {
  write(message: Request): Promise<void> | undefined;
  end(): void;
  readonly headers: Promise<Metadata>;
  readonly responses: AsyncIterable<Response>;
}

type ClientMethod<M extends AnyMethod> =
  M extends Method<infer Kind, infer Request, infer _B, infer _C, infer Response>
    ? Kind extends 'unary'
      ? (request: Request, options: CallOptions) => Promise<Response>
      : Kind extends 'serverStream'
        ? (
            request: Request,
            options: CallOptions & { onHeaders?: (headers: Metadata) => void },
          ) => AsyncIterable<Response>
        : (options: CallOptions) => BidiCall<Request, Response>
    : never;

/** The client of a service: a function for each method. */
export type Client<S extends ServiceDefinition> = { readonly [K in keyof S['methods']]: ClientMethod<S['methods'][K]> };

type Loose = MessageClass<unknown, unknown>;

/** A typed client of `definition` on `channel`. */
export function clientOf<S extends ServiceDefinition>(definition: S, channel: Channel): Client<S> {
  const entries = Object.entries(definition.methods).map(([key, method]) => {
    const path = methodPath(definition, method);
    const request = method.request as Loose;
    const response = method.response as Loose;
    const decode = (message: Uint8Array): unknown => {
      try {
        return response.decode(message);
      } catch (cause) {
        throw new CodedError('internal', `${path}: the response cannot be decoded`, { cause });
      }
    };
    const send = (message: unknown, options: CallOptions): RawCall => {
      const call = channel.open(path, options);
      void call.write(request.encode(message).finish());
      call.end();
      return call;
    };
    switch (method.kind) {
      case 'unary':
        return [
          key,
          async (message: unknown, options: CallOptions) => decode(await single(path, send(message, options))),
        ];
      case 'serverStream':
        return [
          key,
          async function* (message: unknown, options: CallOptions & { onHeaders?: (headers: Metadata) => void }) {
            const call = send(message, options);
            if (options.onHeaders !== undefined) void call.headers.then(options.onHeaders);
            for await (const bytes of call.responses) yield decode(bytes);
          },
        ];
      default:
        return [
          key,
          (options: CallOptions) => {
            const call = channel.open(path, options);
            return {
              write: (message: unknown) => call.write(request.encode(message).finish()),
              end: () => call.end(),
              headers: call.headers,
              responses: map(call.responses, decode),
            };
          },
        ];
    }
  });
  return Object.fromEntries(entries) as Client<S>;
}

/** The one response of a unary call. */
async function single(path: string, call: RawCall): Promise<Uint8Array> {
  let only: Uint8Array | undefined;
  for await (const message of call.responses) {
    if (only !== undefined) throw new CodedError('internal', `${path}: more than one response message`);
    only = message;
  }
  if (only === undefined) throw new CodedError('internal', `${path}: no response message`);
  return only;
}

async function* map<A, B>(source: AsyncIterable<A>, f: (value: A) => B): AsyncIterable<B> {
  for await (const value of source) yield f(value);
}

/** The headers of a request. */
export function requestHeaders(
  path: string,
  authority: string,
  options: CallOptions,
): Record<string, string | string[]> {
  return {
    ':method': 'POST',
    ':scheme': 'http',
    ':authority': authority,
    ':path': path,
    te: 'trailers',
    'content-type': 'application/grpc',
    'grpc-accept-encoding': 'gzip',
    ...(options.timeoutMs === undefined ? {} : { 'grpc-timeout': formatGrpcTimeout(options.timeoutMs) }),
    ...(options.metadata ?? new Metadata()).toHeaders(),
  };
}
