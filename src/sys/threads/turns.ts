import type { AbortOptions } from '../../base/index.ts';

/**
 * Places that are given to queues in turns, to the oldest request of each, so that who asks for fifty at once keeps nobody behind all of them. A request that
 * names no queue is one of its own.
 */
export class Turns {
  #free: number;
  /** The next one comes first, and goes behind the others when it wants more. */
  readonly #queues = new Map<string | symbol, Set<() => void>>();

  constructor(places: number) {
    this.#free = places;
  }

  get waiting(): number {
    return this.#queues.values().reduce((sum, requests) => sum + requests.size, 0);
  }

  /** Takes a place; disposing gives it back. Rejects with the signal's reason. */
  async acquire(queue: string | undefined, { signal }: AbortOptions): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#turn(queue ?? Symbol(), signal);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#next();
        held = false;
      },
    };
  }

  async #turn(queue: string | symbol, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const requests = this.#queues.get(queue) ?? new Set();
    this.#queues.set(queue, requests.add(resolve));
    const onAbort = () => {
      // Given a place already, it goes on with it.
      if (!requests.delete(resolve)) return;
      if (requests.size === 0) this.#queues.delete(queue);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #next(): void {
    for (const [queue, requests] of this.#queues) {
      for (const grant of requests) {
        requests.delete(grant);
        this.#queues.delete(queue);
        if (requests.size > 0) this.#queues.set(queue, requests);
        grant();
        return;
      }
    }
    this.#free++;
  }
}
