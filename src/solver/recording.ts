import { type AbortOptions, onAbort } from '../base/index.ts';
import { EventBuffer, type EventMemory } from './event-buffer.ts';
import type { VertexEvent } from './ports.ts';

/** What happens in this time is told at once: of a small build all. */
const PAUSE_MS = 200;
const MOST_EVENTS = 500;
/** What is printed is held back when so much of it waits to be written, of one build or of all. */
const MOST_BYTES = 1 << 20;
const MOST_OF_ALL = 64 << 20;

/**
 * A watcher of one build from which nothing is kept that steps print: when it is behind, they wait. Rows that nobody has read yet are replaced by their newer
 * state, as for any watcher. Once nobody reads it any more, nobody waits for it.
 */
export class Recording {
  readonly #memory: EventMemory;
  readonly #buffer: EventBuffer;
  #wake = Promise.withResolvers<void>();
  /** Resolves when it is not to be waited for more to come. */
  #hurry = Promise.withResolvers<void>();
  #room: PromiseWithResolvers<void> | undefined;
  #ended = false;
  #closed = false;

  constructor(memory: EventMemory) {
    this.#memory = memory;
    this.#buffer = new EventBuffer(memory);
  }

  /** What happens. What is returned resolves when there is room for more. */
  tell(event: VertexEvent): Promise<void> | undefined {
    if (this.#closed) return undefined;
    if (event.kind !== 'log') this.#push(event);
    else if (event.audience !== 'watchers') {
      this.#push(event);
      if (this.#isFull) {
        this.#hurry.resolve();
        this.#room ??= Promise.withResolvers();
        return this.#room.promise;
      }
    }
    return undefined;
  }

  /** What happened before, as far as it is still known. */
  retell(events: Iterable<VertexEvent>): void {
    for (const event of events) this.#push(event);
  }

  /** No more is told. */
  end(): void {
    this.#ended = true;
    this.#hurry.resolve();
    this.#wake.resolve();
  }

  async *batches({ signal }: AbortOptions): AsyncGenerator<readonly VertexEvent[], void> {
    using aborted = onAbort(signal);
    try {
      while (true) {
        while (this.#buffer.empty) {
          if (this.#ended) return;
          this.#wake = Promise.withResolvers();
          await Promise.race([this.#wake.promise, aborted.promise]);
        }
        await this.#pause(aborted.promise);
        this.#hurry = Promise.withResolvers();
        if (this.#ended) this.#hurry.resolve();
        const events = this.#buffer.take(MOST_EVENTS);
        if (!this.#isFull) this.#letOn();
        yield events;
      }
    } finally {
      this.#closed = true;
      this.#buffer.close();
      this.#letOn();
    }
  }

  #push(event: VertexEvent): void {
    this.#buffer.push(event);
    this.#wake.resolve();
  }

  get #isFull(): boolean {
    return this.#buffer.bytes >= MOST_BYTES || (this.#memory.used >= MOST_OF_ALL && !this.#buffer.empty);
  }

  #letOn(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  async #pause(aborted: Promise<never>): Promise<void> {
    const pause = Promise.withResolvers<void>();
    const timer = setTimeout(pause.resolve, PAUSE_MS);
    try {
      await Promise.race([pause.promise, this.#hurry.promise, aborted]);
    } finally {
      clearTimeout(timer);
    }
  }
}
