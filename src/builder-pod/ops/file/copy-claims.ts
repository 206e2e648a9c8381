/** Entries that are one thread's at a time: many enough that threads seldom meet, few enough that they end together. */
const CHUNK = 64;
/** From so many on a copy is large. */
const LARGE = 8 * CHUNK;

/** Words of the shared memory: the first chunk that nobody has, and how it stands with the second thread. */
const NEXT = 0;
const HELP = 1;
const AWAITED = 0;
const JOINED = 1;
const OVER = 2;

/**
 * Whose the entries of a copy are. Two threads may copy one tree: both walk all of it in the same order and make the directories on their way, and each chunk of other entries
 * is copied by whoever comes to it first. So the second may join at any time, or never: nothing waits for it to begin.
 */
export class CopyClaims {
  readonly #onLarge: ((shared: SharedArrayBuffer) => void) | undefined;
  #shared: Int32Array | undefined;
  #chunk = -1;
  #left = 0;
  #isMine = true;

  private constructor(shared: Int32Array | undefined, onLarge: ((shared: SharedArrayBuffer) => void) | undefined) {
    this.#shared = shared;
    this.#onLarge = onLarge;
  }

  /** Of the thread that begins, and has all for itself until the copy turns out to be large: `onLarge` may then look for a second. */
  static first(onLarge?: (shared: SharedArrayBuffer) => void): CopyClaims {
    return new CopyClaims(undefined, onLarge);
  }

  /** Of the second thread; nothing when it comes too late. */
  static second(shared: SharedArrayBuffer): CopyClaims | undefined {
    const words = new Int32Array(shared);
    return Atomics.compareExchange(words, HELP, AWAITED, JOINED) === AWAITED
      ? new CopyClaims(words, undefined)
      : undefined;
  }

  /** Tells the first thread that the second has ended, however it did. */
  static endSecond(shared: SharedArrayBuffer): void {
    const words = new Int32Array(shared);
    Atomics.store(words, HELP, OVER);
    Atomics.notify(words, HELP);
  }

  /** Whether the next entry of the walk is this thread's to copy. */
  takesNext(): boolean {
    if (this.#left === 0) this.#nextChunk();
    this.#left--;
    return this.#isMine;
  }

  /** Waits for what the second thread still copies; none joins any more. */
  settle(throwIfAborted: () => void): void {
    const words = this.#shared;
    if (words === undefined) return;
    Atomics.compareExchange(words, HELP, AWAITED, OVER);
    while (Atomics.load(words, HELP) === JOINED) {
      throwIfAborted();
      Atomics.wait(words, HELP, JOINED, 100);
    }
    throwIfAborted();
  }

  #nextChunk(): void {
    this.#chunk++;
    this.#left = CHUNK;
    if (this.#shared === undefined && this.#onLarge !== undefined && this.#chunk * CHUNK === LARGE) {
      const shared = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
      this.#shared = new Int32Array(shared);
      this.#shared[NEXT] = this.#chunk;
      this.#onLarge(shared);
    }
    this.#isMine =
      this.#shared === undefined ||
      Atomics.compareExchange(this.#shared, NEXT, this.#chunk, this.#chunk + 1) === this.#chunk;
  }
}
