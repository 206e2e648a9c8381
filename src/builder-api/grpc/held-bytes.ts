import type { CodedError, Shares, WorkOwner } from '../../base/index.ts';
import type { Hold } from './messages.ts';

interface HeldBytesOptions {
  /** Of all that have their bytes in the same place. */
  readonly shares: Shares<HeldBytes>;
  /** What one may have; with more than `all` in sum, one of whose have most in sum is ended. */
  readonly limits: { readonly each: number; readonly all: number };
  readonly owner: WorkOwner;
  /** Ends it, so that others have room. */
  readonly end: (error: CodedError) => void;
  readonly tooMuch: () => CodedError;
}

/** What is kept in memory on behalf of one call or session: who has more than it may is refused more, and where all have too much, one of who has most is ended. */
export class HeldBytes {
  readonly #options: HeldBytesOptions;
  #bytes = 0;
  /** Gives way: what it has counts no more, as it goes when it has ended. */
  #gaveWay = false;

  constructor(options: HeldBytesOptions) {
    this.#options = options;
  }

  /** A part of it, given back when it is disposed; what is added later counts no more. Adding throws what is to end it. @throws CodedError resource_exhausted */
  hold(): Hold {
    const { shares, owner } = this.#options;
    let held = 0;
    let isOver = false;
    const add = (bytes: number) => {
      held += bytes;
      this.#bytes += bytes;
      if (!this.#gaveWay) shares.add(owner, this, bytes);
    };
    return {
      add: (bytes) => {
        if (bytes === 0 || isOver) return;
        add(bytes);
        if (bytes > 0) this.#check();
      },
      [Symbol.dispose]: () => {
        isOver = true;
        add(-held);
      },
    };
  }

  #check(): void {
    const { shares, limits, tooMuch } = this.#options;
    if (this.#bytes > limits.each) throw tooMuch();
    if (shares.total <= limits.all) return;
    const largest = shares.largest();
    if (largest === undefined) return;
    largest.#giveWay();
    if (largest === this) throw tooMuch();
    largest.#options.end(tooMuch());
  }

  #giveWay(): void {
    const { shares, owner } = this.#options;
    this.#gaveWay = true;
    shares.add(owner, this, -this.#bytes);
  }
}
