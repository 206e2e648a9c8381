import type { Readable } from 'node:stream';
import { FrameParser } from './framing.ts';

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

/** Feeds a sink with the messages of a stream. Pausing the stream pauses the sink (up to one chunk). `hold` counts what of a message is there while it is not whole. */
export function pumpMessages(stream: Readable, encoding: string | undefined, sink: MessageSink, hold?: Hold): void {
  let failed = false;
  const fail = (error: unknown) => {
    if (failed) return;
    failed = true;
    sink.onError(error);
  };
  let parser: FrameParser;
  try {
    parser = new FrameParser(encoding);
    if (hold !== undefined) stream.once('close', () => hold[Symbol.dispose]());
  } catch (error) {
    // Discards what comes, so that the stream still ends.
    stream.resume();
    fail(error);
    return;
  }
  stream.on('data', (chunk: Uint8Array) => {
    if (failed) return;
    try {
      const before = parser.incomplete;
      parser.push(chunk, (message) => sink.onMessage(message));
      hold?.add(parser.incomplete - before);
    } catch (error) {
      fail(error);
    }
  });
  stream.on('end', () => {
    if (failed) return;
    if (parser.incomplete > 0) fail(new Error('the stream ended inside a message'));
    else sink.onEnd();
  });
}

/** A queue of messages read by one async iterator; tells its source when to pause. */
export class MessageQueue<T> implements AsyncIterable<T> {
  readonly #messages: { value: T; bytes: number }[] = [];
  readonly #flow: { pause(): void; resume(): void };
  readonly #onReturn: () => void;
  #at = 0;
  #bytes = 0;
  #paused = false;
  #done = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  /** `onReturn` is told when the reader stops before the end. */
  constructor(flow: { pause(): void; resume(): void }, onReturn: () => void = () => {}) {
    this.#flow = flow;
    this.#onReturn = onReturn;
  }

  push(value: T, bytes: number): void {
    if (this.#done) return;
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
