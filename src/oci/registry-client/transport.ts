import { addAbortListener } from 'node:events';
import { type Agent, type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { type AbortOptions, CodedError, transportWords } from '../../base/index.ts';

/** A body whose length is known: bytes that can be sent again, or a stream that is read once. */
export type RequestBody = Uint8Array | StreamBody;

interface StreamBody {
  readonly length: number;
  readonly stream: ReadableStream<Uint8Array>;
  readonly onProgress?: ((sent: number) => void) | undefined;
}

export interface HttpCall {
  readonly method: string;
  readonly url: URL;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: RequestBody | undefined;
}

interface TransportOptions extends AbortOptions {
  readonly agent: Agent;
  /** A connection on which nothing moves for so long is given up, in ms. */
  readonly idleTimeoutMs: number;
}

/**
 * Sends one request and returns once the answer's headers are there. The signal ends the body too. A pooled connection that the
 * server had already closed is replaced once without a word, when sending the same
 * again changes nothing.
 */
export async function send(call: HttpCall, options: TransportOptions): Promise<IncomingMessage> {
  const idempotent = call.method !== 'POST' && call.method !== 'PATCH';
  const replayable = idempotent && (call.body === undefined || call.body instanceof Uint8Array);
  let reused = false;
  try {
    return await sendOnce(call, options, (wasReused) => {
      reused = wasReused;
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (!replayable || !reused || options.signal.aborted || (code !== 'ECONNRESET' && code !== 'EPIPE')) throw error;
    return await sendOnce(call, options, () => {});
  }
}

async function sendOnce(
  call: HttpCall,
  { signal, agent, idleTimeoutMs }: TransportOptions,
  onReused: (reused: boolean) => void,
): Promise<IncomingMessage> {
  signal.throwIfAborted();
  const { method, url, body } = call;
  const headers: OutgoingHttpHeaders = { ...call.headers };
  if (body !== undefined) headers['content-length'] = body.length;
  else if (method !== 'GET' && method !== 'HEAD') headers['content-length'] = 0;
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, { method, headers, agent });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once('response', resolve);
  request.on('error', (error) => {
    onReused(request.reusedSocket);
    reject(signal.aborted ? signal.reason : error);
  });
  // A socket can end without an error event, e.g. when it is destroyed before it is connected.
  request.once('close', () => reject(CodedError.of('REGISTRY_CUT', 'EOF')));
  request.setTimeout(idleTimeoutMs, () =>
    request.destroy(
      Object.assign(new Error(`i/o timeout: nothing received for ${idleTimeoutMs / 1000} s`), { code: 'ETIMEDOUT' }),
    ),
  );
  const listener = addAbortListener(signal, () => request.destroy(toError(signal.reason)));
  request.once('close', () => listener[Symbol.dispose]());
  if (body === undefined) request.end();
  else if (body instanceof Uint8Array) request.end(body);
  else {
    const reader = new BodyReader(body);
    let sent = false;
    const stop = () => void reader.cancel();
    promise.then((response) => {
      // An answer before the end is a refusal: the rest is not sent, and the connection is of no more use.
      if (!sent) response.once('end', () => request.destroy());
      stop();
    }, stop);
    void writeBody(request, reader, body)
      .then((whole) => {
        sent = whole;
      })
      .catch((error: unknown) => {
        reject(error);
        request.destroy(toError(error));
      });
  }
  return await promise;
}

/** Bytes that are read while those before are on their way. */
const BLOCK = 512 << 10;

/** Reads a body, and where its source fills memory of others, always into the same. */
class BodyReader {
  readonly #plain: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #filling: ReadableStreamBYOBReader | undefined;
  readonly #idle: ArrayBuffer[] = [];
  /** One more than announced would be too many. */
  #left: number;

  constructor({ stream, length }: StreamBody) {
    this.#left = length + 1;
    try {
      this.#filling = stream.getReader({ mode: 'byob' });
    } catch {
      this.#plain = stream.getReader();
    }
  }

  /** Undefined at the end. */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#plain !== undefined) return (await this.#plain.read()).value;
    const into = this.#idle.pop() ?? new ArrayBuffer(Math.min(BLOCK, this.#left));
    const { done, value } = await this.#filling!.read(new Uint8Array(into));
    if (done) return undefined;
    this.#left -= value.length;
    return value;
  }

  /** What was read is needed no more. */
  giveBack({ buffer }: Uint8Array): void {
    if (this.#filling !== undefined) this.#idle.push(buffer as ArrayBuffer);
  }

  async cancel(): Promise<void> {
    await (this.#plain ?? this.#filling)?.cancel().catch(() => {});
  }
}

/** Whether all was sent; false when the reader was cancelled from outside, because nothing more is wanted. */
async function writeBody(
  request: ReturnType<typeof requestHttp>,
  reader: BodyReader,
  body: StreamBody,
): Promise<boolean> {
  let sent = 0;
  let answered = false;
  request.once('response', () => {
    answered = true;
  });
  let next = reader.read();
  for (;;) {
    const value = await next;
    if (answered || request.destroyed) return false;
    if (value === undefined) break;
    sent += value.length;
    if (sent > body.length) throw wrongLength(body.length, 'more');
    next = reader.read();
    // Told when it is its turn.
    next.catch(() => {});
    await written(request, value);
    reader.giveBack(value);
    body.onProgress?.(sent);
  }
  if (sent < body.length) throw wrongLength(body.length, `only ${sent}`);
  request.end();
  return true;
}

/** Until the connection has taken the bytes, or nothing more is wanted. */
function written(request: ReturnType<typeof requestHttp>, bytes: Uint8Array): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => {
    request.off('close', done);
    request.off('response', done);
    resolve();
  };
  request.once('close', done);
  request.once('response', done);
  request.write(bytes, done);
  if (request.destroyed) done();
  return promise;
}

function wrongLength(expected: number, got: string): CodedError {
  return CodedError.of(
    'REGISTRY_BODY_LENGTH',
    `the content to send was announced as ${expected} bytes, but gave ${got}`,
  );
}

function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}

/** Lets the connection go back to the pool by reading what is left, or closes it when that is much. */
export function discard(response: IncomingMessage): void {
  response.on('error', () => {});
  if (Number(response.headers['content-length'] ?? 0) > 64 << 10) response.destroy();
  else response.resume();
}

/** Reads a body into memory. @throws CodedError resource_exhausted above `limit` bytes. */
export async function readBody(
  response: IncomingMessage,
  limit: number,
  what: string,
  { signal }: AbortOptions,
): Promise<Buffer> {
  const tooLarge = () => {
    response.destroy();
    return CodedError.of('REGISTRY_TOO_LARGE', `${what} is larger than ${limit} bytes`);
  };
  if (Number(response.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CodedError) throw error;
    throw CodedError.of('REGISTRY_CUT', transportWords(error), { cause: error });
  }
  return Buffer.concat(chunks, size);
}

/** @throws CodedError REGISTRY_BODY */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw CodedError.of('REGISTRY_BODY', 'the registry answered with something that is no JSON', { cause: error });
  }
}
