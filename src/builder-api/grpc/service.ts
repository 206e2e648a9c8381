import type { Writer } from 'protobufjs/minimal.js';
import type { AbortOptions } from '../../base/index.ts';
import type { Metadata } from './metadata.ts';
import type { Peer } from './options.ts';

/** A generated message class: what it takes when encoding, what decoding gives. */
export interface MessageClass<In, Out> {
  encode(message: In): Writer;
  decode(bytes: Uint8Array): Out;
}

type MethodKind = 'unary' | 'serverStream' | 'bidi';

/** One method of a service: its name on the wire and the codecs of its messages. */
export interface Method<Kind extends MethodKind, RequestIn, RequestOut, ResponseIn, ResponseOut> {
  readonly kind: Kind;
  readonly name: string;
  readonly request: MessageClass<RequestIn, RequestOut>;
  readonly response: MessageClass<ResponseIn, ResponseOut>;
}

/** Any method, as a bound: each table keeps its exact types. */
export type AnyMethod = Method<MethodKind, never, unknown, never, unknown>;

/** A service: its full name and its methods by their name in code. */
export interface ServiceDefinition<
  Methods extends Readonly<Record<string, AnyMethod>> = Readonly<Record<string, AnyMethod>>,
> {
  readonly name: string;
  readonly methods: Methods;
}

export function service<const Methods extends Readonly<Record<string, AnyMethod>>>(
  name: string,
  methods: Methods,
): ServiceDefinition<Methods> {
  return { name, methods };
}

export function unary<A, B, C, D>(
  name: string,
  request: MessageClass<A, B>,
  response: MessageClass<C, D>,
): Method<'unary', A, B, C, D> {
  return { kind: 'unary', name, request, response };
}

export function serverStream<A, B, C, D>(
  name: string,
  request: MessageClass<A, B>,
  response: MessageClass<C, D>,
): Method<'serverStream', A, B, C, D> {
  return { kind: 'serverStream', name, request, response };
}

export function bidi<A, B, C, D>(
  name: string,
  request: MessageClass<A, B>,
  response: MessageClass<C, D>,
): Method<'bidi', A, B, C, D> {
  return { kind: 'bidi', name, request, response };
}

/** `/package.Service/Method`. */
export function methodPath(definition: ServiceDefinition, method: AnyMethod): string {
  return `/${definition.name}/${method.name}`;
}

/** What a handler knows of its call. `signal` fires on cancellation, deadline and a lost connection, with a CodedError. */
export interface CallContext extends AbortOptions {
  readonly metadata: Metadata;
  readonly peer: Peer;
  /** Sends response headers now instead of with the first message. Once only. */
  sendHeaders(metadata: Metadata): void;
}

/** An answer that its handler has encoded: a long one a little at a time, in parts that are sent as they are. */
export class EncodedMessage {
  readonly parts: readonly Uint8Array[];

  constructor(parts: readonly Uint8Array[]) {
    this.parts = parts;
  }
}

/** How a method is implemented; streams end the call by ending, and fail it by throwing. */
type Handler<M extends AnyMethod> =
  M extends Method<infer Kind, infer _A, infer Request, infer Response, infer _D>
    ? Kind extends 'unary'
      ? (request: Request, context: CallContext) => Promise<Response | EncodedMessage> | Response
      : Kind extends 'serverStream'
        ? (request: Request, context: CallContext) => AsyncIterable<Response | EncodedMessage>
        : (requests: AsyncIterable<Request>, context: CallContext) => AsyncIterable<Response | EncodedMessage>
    : never;

/** Handlers of a service; a method without one answers `unimplemented`. */
export type Handlers<S extends ServiceDefinition> = { readonly [K in keyof S['methods']]?: Handler<S['methods'][K]> };
