import { type AbortOptions, cancelledError, type Places, Semaphore } from '../../base/index.ts';

/** Threads as far as nobody wants them: one piece of work at a time, given up when somebody has to wait for one. */
export class SpareThreads {
  readonly #places: Places;
  readonly #turn = new Semaphore(1);

  constructor(places: Places) {
    this.#places = places;
  }

  /** Undefined when it was given up for others. */
  async run<T>(
    work: (signal: AbortSignal) => Promise<T>,
    { signal }: AbortOptions,
  ): Promise<{ readonly value: T } | undefined> {
    using _turn = await this.#turn.acquire({ signal });
    await this.#places.idle({ signal });
    const others = new AbortController();
    using _watch = this.#places.onCrowded(() => others.abort(cancelledError('others want the threads')));
    try {
      return { value: await work(AbortSignal.any([signal, others.signal])) };
    } catch (error) {
      if (signal.aborted || !others.signal.aborted) throw error;
      return undefined;
    }
  }
}
