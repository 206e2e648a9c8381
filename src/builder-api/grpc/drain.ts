import type { Writable } from 'node:stream';

/** Waits for a stream to take more; however many wait, it listens once. */
export class Drain {
  readonly #stream: Writable;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    const release = () => {
      this.#waiting?.resolve();
      this.#waiting = undefined;
    };
    stream.on('drain', release);
    stream.on('close', release);
  }

  /** Settles when more may be written, or the stream is gone; undefined when that is now. */
  wait(): Promise<void> | undefined {
    if (this.#stream.destroyed || this.#stream.closed || !this.#stream.writableNeedDrain) return undefined;
    this.#waiting ??= Promise.withResolvers<void>();
    return this.#waiting.promise;
  }
}
