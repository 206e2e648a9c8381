import type { AbortOptions } from './signals.ts';

interface Waiter {
  readonly weight: number;
  readonly grant: () => void;
}

/** A first-come weighted semaphore whose waiters can be aborted. */
export class Semaphore {
  #free: number;
  readonly #queue: Waiter[] = [];
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#free = capacity;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Takes `weight` permits (capped at the capacity); disposing gives them back. Rejects with the signal's reason. */
  async acquire({ signal }: AbortOptions, weight = 1): Promise<Disposable> {
    signal.throwIfAborted();
    const wanted = Math.min(weight, this.capacity);
    if (this.#queue.length === 0 && this.#free >= wanted) this.#free -= wanted;
    else {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const waiter: Waiter = { weight: wanted, grant: resolve };
      const onAbort = () => {
        const at = this.#queue.indexOf(waiter);
        if (at < 0) return;
        this.#queue.splice(at, 1);
        reject(signal.reason);
        this.#grant();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(waiter);
      try {
        await promise;
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    }
    return this.#permit(wanted);
  }

  /** One permit where it is free, and nobody waits. */
  tryAcquire(): Disposable | undefined {
    if (this.#queue.length > 0 || this.#free < 1) return undefined;
    this.#free--;
    return this.#permit(1);
  }

  #permit(weight: number): Disposable {
    let released = false;
    return {
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        this.#free += weight;
        this.#grant();
      },
    };
  }

  #grant(): void {
    for (let next = this.#queue[0]; next !== undefined && this.#free >= next.weight; next = this.#queue[0]) {
      this.#queue.shift();
      this.#free -= next.weight;
      next.grant();
    }
  }
}

/** A {@link Semaphore} of one capacity for each key that is in use. */
export class KeyedSemaphore<K = string> {
  readonly capacity: number;
  readonly #locks = new Map<K, { semaphore: Semaphore; users: number }>();

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  async acquire(key: K, options: AbortOptions): Promise<Disposable> {
    const { semaphore, leave } = this.#enter(key);
    try {
      return released(await semaphore.acquire(options), leave);
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Undefined where it would have to wait. */
  tryAcquire(key: K): Disposable | undefined {
    const { semaphore, leave } = this.#enter(key);
    const permit = semaphore.tryAcquire();
    if (permit === undefined) leave();
    return permit && released(permit, leave);
  }

  #enter(key: K): { readonly semaphore: Semaphore; readonly leave: () => void } {
    let entry = this.#locks.get(key);
    if (entry === undefined) {
      entry = { semaphore: new Semaphore(this.capacity), users: 0 };
      this.#locks.set(key, entry);
    }
    const entered = entry;
    entered.users++;
    const leave = () => {
      if (--entered.users === 0) this.#locks.delete(key);
    };
    return { semaphore: entered.semaphore, leave };
  }
}

/** A permit after whose release something else is done, once. */
export function released(permit: Disposable, leave: () => void): Disposable {
  let isHeld = true;
  return {
    [Symbol.dispose]: () => {
      if (!isHeld) return;
      isHeld = false;
      permit[Symbol.dispose]();
      leave();
    },
  };
}

/** One holder at a time per key, first come first served. */
export class KeyedMutex<K = string> extends KeyedSemaphore<K> {
  constructor() {
    super(1);
  }
}
