import {
  type AbortOptions,
  FairQueue,
  KeyedSemaphore,
  onAbort,
  released,
  type WorkOptions,
  type WorkOwner,
} from '../../base/index.ts';

/** Of all that goes out while builds go on. */
export interface OutflowBounds {
  /** Infinite for no bound. */
  readonly bytesPerSecond: number;
  /** Requests that are under way at once. */
  readonly requests: number;
}

export const DEFAULT_OUTFLOW: OutflowBounds = { bytesPerSecond: 64 << 20, requests: 8 };

/** Bytes a second of one export that goes ahead, where nothing else is said. */
export const AHEAD_BANDWIDTH = 32 << 20;

/** What is let through in one turn, in bytes. */
const TURN = 256 << 10;
/** What was left unused for so long may be made up for, in ms: timers are late. */
const BURST_MS = 20;
/** Timers take no more than so much, in ms. */
const MOST_WAIT_MS = 60_000;

interface Held extends WorkOptions {
  /** Nothing is held back any more once this fires: the build waits for it. */
  readonly hurry: AbortSignal;
}

/** What is opened to be sent. */
interface Content<A extends AbortOptions> {
  readonly descriptor: { readonly size: number };
  open(access: A): Promise<ReadableStream<Uint8Array>>;
}

interface Waiter {
  readonly bytes: number;
  readonly grant: () => void;
}

/** Bytes that have their time one after another, whoever they are of: in turns, to tenants, their builds, and what has waited longest. */
class Pace {
  readonly #bytesPerMs: number;
  readonly #waiting = new FairQueue<Waiter>();
  /** When all that was let through has had its time. */
  #freeAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  get isBounded(): boolean {
    return Number.isFinite(this.#bytesPerMs);
  }

  /** Resolves when so many bytes may go. @throws the reason of the signal */
  async pass(bytes: number, { owner, signal }: WorkOptions): Promise<void> {
    if (!this.isBounded) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const leave = this.#waiting.push(owner, { bytes, grant: resolve });
    using aborted = onAbort(signal);
    try {
      this.#letThrough();
      await Promise.race([promise, aborted.promise]);
    } finally {
      leave();
      if (this.#waiting.size === 0) this.#stop();
    }
  }

  #letThrough(): void {
    while (this.#timer === undefined && this.#waiting.size > 0) {
      const now = performance.now();
      if (this.#freeAt > now) {
        const wait = Math.min(this.#freeAt - now, MOST_WAIT_MS);
        this.#timer = setTimeout(() => {
          this.#stop();
          this.#letThrough();
        }, wait);
        return;
      }
      const { bytes, grant } = this.#waiting.shift()!;
      this.#freeAt = Math.max(this.#freeAt, now - BURST_MS) + bytes / this.#bytesPerMs;
      grant();
    }
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** Requests that are under way: each build has half of the places at the most, and who waits has them in turns. */
class Requests {
  readonly #waiting = new FairQueue<() => void>();
  readonly #ofBuilds: KeyedSemaphore;
  #free: number;

  constructor(count: number) {
    this.#free = count;
    this.#ofBuilds = new KeyedSemaphore(Math.ceil(count / 2));
  }

  /** @throws the reason of the signal */
  async begin({ owner, signal }: WorkOptions): Promise<Disposable> {
    const ofBuild = await this.#ofBuilds.acquire(JSON.stringify([owner.tenant, owner.build]), { signal });
    try {
      await this.#take(owner, signal);
    } catch (error) {
      ofBuild[Symbol.dispose]();
      throw error;
    }
    return released(ofBuild, () => this.#give());
  }

  async #take(owner: WorkOwner, signal: AbortSignal): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    let isGiven = false;
    const leave = this.#waiting.push(owner, () => {
      isGiven = true;
      resolve();
    });
    using aborted = onAbort(signal);
    try {
      await Promise.race([promise, aborted.promise]);
    } catch (error) {
      leave();
      if (isGiven) this.#give();
      throw error;
    }
  }

  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

/**
 * What goes out of a builder while builds go on, of all of them together: so many bytes a second, and so many requests at once, each in turns. So a build's huge layer takes half of the way from
 * another's, and no more. A build that is at its end has all that it still sends out of it at once.
 */
export class Outflow {
  readonly #pace: Pace;
  readonly #requests: Requests;

  constructor({ bytesPerSecond, requests }: OutflowBounds = DEFAULT_OUTFLOW) {
    this.#pace = new Pace(bytesPerSecond);
    this.#requests = new Requests(requests);
  }

  /** The part of one export, which sends no more than so many bytes a second by itself. */
  part(bytesPerSecond: number): OutflowPart {
    return new OutflowPart({ all: this.#pace, own: new Pace(bytesPerSecond), requests: this.#requests });
  }
}

interface Shared {
  readonly all: Pace;
  readonly own: Pace;
  readonly requests: Requests;
}

export class OutflowPart {
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /** Runs what asks or writes, once it has its place. */
  async request<T>(held: Held, work: () => Promise<T>): Promise<T> {
    using place = await whileHeld(held, ({ owner, signal }) => this.#shared.requests.begin({ owner, signal }));
    const free = () => place?.[Symbol.dispose]();
    held.hurry.addEventListener('abort', free, { once: true });
    try {
      return await work();
    } finally {
      held.hurry.removeEventListener('abort', free);
    }
  }

  /** The same for an upload: what is opened by what `work` is given comes no faster than it may go. */
  async upload<A extends AbortOptions, T>(
    content: Content<A>,
    held: Held,
    work: (open: Content<A>['open']) => Promise<T>,
  ): Promise<T> {
    return await this.request(held, () => work((access) => this.#opened(content, access, held)));
  }

  async #opened<A extends AbortOptions>(
    content: Content<A>,
    access: A,
    held: Held,
  ): Promise<ReadableStream<Uint8Array>> {
    const stream = await content.open(access);
    if (!this.#shared.own.isBounded && !this.#shared.all.isBounded) return stream;
    const pacing = { ...held, signal: AbortSignal.any([access.signal, held.signal]) };
    /** Bytes that are still to come, and those that have had their turn. */
    let left = content.descriptor.size;
    let due = 0;
    const slow = new TransformStream<Uint8Array, Uint8Array>({
      transform: async (chunk, controller) => {
        for (due -= chunk.length; due < 0; ) {
          const bytes = Math.min(TURN, Math.max(left, -due));
          await this.#pass(bytes, pacing);
          due += bytes;
          left -= bytes;
        }
        controller.enqueue(chunk);
      },
    });
    return stream.pipeThrough(slow);
  }

  async #pass(bytes: number, held: Held): Promise<void> {
    await whileHeld(held, async (options) => {
      await this.#shared.own.pass(bytes, options);
      await this.#shared.all.pass(bytes, options);
    });
  }
}

/** Waits as long as something is to be held back; undefined where it is not. @throws the reason of the signal */
async function whileHeld<T>(held: Held, wait: (options: WorkOptions) => Promise<T>): Promise<T | undefined> {
  held.signal.throwIfAborted();
  if (held.hurry.aborted) return undefined;
  const options = { owner: held.owner, signal: AbortSignal.any([held.signal, held.hurry]) };
  try {
    return await wait(options);
  } catch (error) {
    held.signal.throwIfAborted();
    if (held.hurry.aborted) return undefined;
    throw error;
  }
}
