import type { Readable } from 'node:stream';
import { type Framed, FrameParser, inflated } from './framing.ts';

/** Above this many queued bytes the stream is paused, which stops the peer by flow control. */
const HIGH_WATER_BYTES = 256 * 1024;

/** Counts bytes that are kept for somebody; adding throws where that is too much. Disposing gives back what is left. */
export interface Hold extends Disposable {
  add(bytes: number): void;
}

export interface MessageSink {
  onMessage(message: Uint8Array): void;
  /** All messages came and the peer half-closed. */
  onEnd(): void;
  /** The stream failed or broke the framing. */
  onError(error: unknown): void;
}

/** A stream that several wish to pause: it flows again when each has let it. */
export class Flow {
  readonly #stream: Readable;
  #pauses = 0;

  constructor(stream: Readable) {
    this.#stream = stream;
  }

  get stream(): Readable {
    return this.#stream;
  }

  pause(): void {
    if (this.#pauses++ === 0) this.#stream.pause();
  }

  resume(): void {
    if (--this.#pauses === 0) this.#stream.resume();
  }
}

/**
 * Feeds a sink with the messages of a stream. Pausing the flow pauses the sink (up to one chunk); it is paused here while a message is unpacked. `hold` counts what is kept here:
 * of a message that is not whole, and of those that are unpacked or wait for it. Of what the sink gets it counts no more; it is disposed with the stream.
 */
export function pumpMessages(
  flow: Flow,
  encoding: string | undefined,
  sink: MessageSink,
  { hold, maxBytes }: { readonly hold?: Hold | undefined; readonly maxBytes?: number | undefined } = {},
): void {
  const { stream } = flow;
  /** Messages are handed on in order, so all that comes while one is unpacked comes after it. */
  let unpacking: Promise<void> | undefined;
  let failed = false;
  const fail = (error: unknown) => {
    if (failed) return;
    failed = true;
    sink.onError(error);
  };
  let parser: FrameParser;
  try {
    parser = new FrameParser(encoding, maxBytes);
    if (hold !== undefined) stream.once('close', () => hold[Symbol.dispose]());
  } catch (error) {
    // Discards what comes, so that the stream still ends.
    stream.resume();
    fail(error);
    return;
  }
  const afterwards = (work: () => Promise<void> | void) => {
    const before = unpacking ?? Promise.resolve();
    if (unpacking === undefined) flow.pause();
    const done = before
      .then(async () => {
        if (!failed) await work();
      })
      .catch(fail)
      .finally(() => {
        if (unpacking !== done) return;
        unpacking = undefined;
        flow.resume();
      });
    unpacking = done;
  };
  const take = ({ body, isCompressed }: Framed) => {
    if (!isCompressed && unpacking === undefined) return sink.onMessage(body);
    hold?.add(body.length);
    afterwards(async () => {
      let message = body;
      if (isCompressed) {
        message = await inflated(body, { limit: maxBytes, onBytes: (bytes) => hold?.add(bytes) });
        hold?.add(-message.length);
      }
      hold?.add(-body.length);
      if (!failed) sink.onMessage(message);
    });
  };
  stream.on('data', (chunk: Uint8Array) => {
    if (failed) return;
    try {
      const before = parser.incomplete;
      parser.push(chunk, take);
      hold?.add(parser.incomplete - before);
    } catch (error) {
      fail(error);
    }
  });
  stream.on('end', () => {
    if (failed) return;
    if (parser.incomplete > 0) fail(new Error('the stream ended inside a message'));
    else if (unpacking === undefined) sink.onEnd();
    else afterwards(() => sink.onEnd());
  });
}

/** A queue of messages read by one async iterator; tells its source when to pause. A hold counts each until the reader wants the next. */
export class MessageQueue<T> implements AsyncIterable<T> {
  readonly #messages: { value: T; bytes: number }[] = [];
  readonly #flow: { pause(): void; resume(): void };
  readonly #onReturn: () => void;
  readonly #hold: Hold | undefined;
  #at = 0;
  #bytes = 0;
  #paused = false;
  #done = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  /** `onReturn` is told when the reader stops before the end. */
  constructor(
    flow: { pause(): void; resume(): void },
    { onReturn = () => {}, hold }: { readonly onReturn?: () => void; readonly hold?: Hold | undefined } = {},
  ) {
    this.#flow = flow;
    this.#onReturn = onReturn;
    this.#hold = hold;
  }

  /** @throws CodedError resource_exhausted where the hold has too much */
  push(value: T, bytes: number): void {
    if (this.#done) return;
    this.#hold?.add(bytes);
    this.#messages.push({ value, bytes });
    this.#bytes += bytes + 64;
    if (!this.#paused && this.#bytes > HIGH_WATER_BYTES) {
      this.#paused = true;
      this.#flow.pause();
    }
    this.#wake?.();
  }

  /** Ends the queue: after what is queued, or at once when `now` is set (the rest is dropped). */
  finish(error?: unknown, now = false): void {
    if (this.#done) return;
    this.#done = true;
    this.#error = error;
    if (now) {
      this.#messages.length = 0;
      this.#at = 0;
    }
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    let ended = false;
    try {
      while (true) {
        const next = this.#messages[this.#at];
        if (next !== undefined) {
          this.#at++;
          if (this.#at > 1024 || this.#at === this.#messages.length) {
            this.#messages.splice(0, this.#at);
            this.#at = 0;
          }
          this.#bytes -= next.bytes + 64;
          if (this.#paused && this.#bytes < HIGH_WATER_BYTES / 2) {
            this.#paused = false;
            this.#flow.resume();
          }
          yield next.value;
          this.#hold?.add(-next.bytes);
        } else if (this.#done) {
          ended = true;
          if (this.#error !== undefined) throw this.#error;
          return;
        } else {
          const { promise, resolve } = Promise.withResolvers<void>();
          this.#wake = resolve;
          await promise;
          this.#wake = undefined;
        }
      }
    } finally {
      if (!ended) this.#onReturn();
    }
  }
}
