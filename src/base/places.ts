import { CodedError } from './errors.ts';
import { FairQueue, HOUSE, type WorkOwner } from './fair-queue.ts';
import { type AbortOptions, onAbort } from './signals.ts';

/** What work takes that may have to wait for a place. */
export interface WorkOptions extends AbortOptions {
  /** For whom it is: a build, or {@link HOUSE}. */
  readonly owner: WorkOwner;
}

/**
 * What computes by itself, in a thread or process of its own, until `ended` settles. It is the claim of whoever makes one that it waits for nothing outside, so only what starts
 * threads and processes makes them (a test holds that).
 */
export interface Computation {
  readonly computes: true;
  readonly ended: Promise<unknown>;
}

/** More of one tenant than its largest graphs can ask for is a fault. */
const MAX_WAITING = 250_000;

/**
 * How much may compute at once. A place is never in anybody's hands: it comes with the beginning of a {@link Computation}, which is one synchronous call and so cannot wait, and goes
 * with its end. While none is free requests are queued, and served as a {@link FairQueue} says.
 */
export class Places {
  readonly capacity: number;
  #held = 0;
  readonly #waiting = new FairQueue<() => void>();
  readonly #watchers = new Set<() => void>();

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** How many are held. */
  get held(): number {
    return this.#held;
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves once there is a place that nobody wants: for what is worth doing only then. */
  async idle({ signal }: AbortOptions): Promise<void> {
    signal.throwIfAborted();
    while (this.#held >= this.capacity || this.waiting > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      using _watch = this.#watch(resolve);
      using aborted = onAbort(signal);
      await Promise.race([promise, aborted.promise]);
    }
  }

  /** Calls back when somebody has to wait for a place. */
  onCrowded(crowded: () => void): Disposable {
    return this.#watch(() => {
      if (this.waiting > 0) crowded();
    });
  }

  /** Calls back when somebody begins to wait, and when a place is left over. */
  #watch(changed: () => void): Disposable {
    this.#watchers.add(changed);
    return { [Symbol.dispose]: () => void this.#watchers.delete(changed) };
  }

  /**
   * Begins a computation as soon as there is a place for it. Rejects with the signal's reason if that fires before; once it has begun, the signal is the computation's own business.
   * What `begin` throws is the caller's.
   */
  async start<C extends Computation>({ owner, signal }: WorkOptions, begin: () => C): Promise<C> {
    signal.throwIfAborted();
    if (this.#held < this.capacity && this.#waiting.size === 0)
      try {
        return this.#begin(begin);
      } catch (error) {
        this.#serve();
        throw error;
      }
    if (this.#waiting.sizeOf(owner.tenant) >= MAX_WAITING)
      throw CodedError.of('PLACES_FULL', `more than ${MAX_WAITING} pieces of work wait for a place`);
    const { promise, resolve, reject } = Promise.withResolvers<C>();
    // Begun in the very call that gives it the place: there is no moment between them in which an abort could be missed.
    const leave = this.#waiting.push(owner, () => {
      signal.removeEventListener('abort', leaveOnAbort);
      try {
        resolve(this.#begin(begin));
      } catch (error) {
        reject(error);
      }
    });
    const leaveOnAbort = () => {
      leave();
      reject(signal.reason);
    };
    signal.addEventListener('abort', leaveOnAbort, { once: true });
    for (const changed of [...this.#watchers]) changed();
    return await promise;
  }

  #begin<C extends Computation>(begin: () => C): C {
    this.#held++;
    let begun: C;
    try {
      begun = begin();
    } catch (error) {
      this.#held--;
      throw error;
    }
    const end = () => {
      this.#held--;
      this.#serve();
    };
    begun.ended.then(end, end);
    return begun;
  }

  #serve(): void {
    while (this.#held < this.capacity) {
      const next = this.#waiting.shift();
      if (next === undefined) {
        for (const changed of [...this.#watchers]) changed();
        return;
      }
      next();
    }
  }
}
