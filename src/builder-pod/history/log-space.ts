/** How far states of steps are still written once their output is not. */
const RESERVE = 16 << 20;
/** Whoever makes room is asked each time so much was written. */
const STEP = 16 << 20;

interface LogSpaceOptions {
  /** Bytes of one log… */
  readonly each: number;
  /** …and of all, those of builds that are over among them. */
  readonly total: number;
  /** Removes old logs, so that those being written may have so many bytes. */
  readonly makeRoom: (bytes: number) => void;
}

/** What the logs that are being written may take of the disk. */
export class LogSpace {
  readonly #options: LogSpaceOptions;
  #used = 0;
  #asked = 0;

  constructor(options: LogSpaceOptions) {
    this.#options = options;
  }

  /** For one log; disposed, it is no longer being written. */
  open() {
    const { each, total } = this.#options;
    let taken = 0;
    let full: string | undefined;
    return {
      get taken() {
        return taken;
      },
      /** Why nothing more fits; undefined while it does. */
      get full() {
        return full;
      },
      /** Whether there is room for so many bytes; for what is vital beyond the bounds, too. */
      take: (bytes: number, { isVital }: { readonly isVital: boolean }): boolean => {
        const over = isVital ? RESERVE : 0;
        if (taken + bytes > each + over) full ??= `history.maxLogSize is ${each} bytes`;
        else if (this.#used + bytes > total + over) full ??= `the logs of this builder may have ${total} bytes`;
        if ((full !== undefined && !isVital) || taken + bytes > each + over) return false;
        taken += bytes;
        this.#take(bytes);
        return true;
      },
      [Symbol.dispose]: () => this.#take(-taken),
    };
  }

  #take(bytes: number): void {
    this.#used += bytes;
    if (this.#used < this.#asked) this.#asked = this.#used;
    if (this.#used - this.#asked < STEP) return;
    this.#asked = this.#used;
    this.#options.makeRoom(this.#used);
  }
}
