import { CodedError, Shares, type WorkOwner } from '../../base/index.ts';
import type { Hold } from '../grpc/messages.ts';
import type { SessionLimits } from './limits.ts';

const inThread = new Shares<HeldBytes>();

/** What is kept in this thread on behalf of one session. A session that has more than it may is refused more; when all have too much, one of whose sessions have most in sum is ended. */
export class HeldBytes {
  readonly #limits: SessionLimits;
  readonly #owner: WorkOwner;
  readonly #end: (error: CodedError) => void;
  #bytes = 0;

  constructor(limits: SessionLimits, owner: WorkOwner, end: (error: CodedError) => void) {
    this.#limits = limits;
    this.#owner = owner;
    this.#end = end;
  }

  /** A part of it, given back when it is disposed. Adding throws what is to end it. @throws CodedError resource_exhausted */
  hold(): Hold {
    let held = 0;
    const add = (bytes: number) => {
      held += bytes;
      this.#bytes += bytes;
      inThread.add(this.#owner, this, bytes);
    };
    return {
      add: (bytes) => {
        add(bytes);
        if (bytes > 0) this.#check();
      },
      [Symbol.dispose]: () => add(-held),
    };
  }

  #check(): void {
    if (this.#bytes > this.#limits.sessionBytes) throw tooLarge();
    if (inThread.total <= this.#limits.threadBytes) return;
    const largest = inThread.largest();
    if (largest === this) throw tooLarge();
    if (largest !== undefined) largest.#end(tooLarge());
  }
}

function tooLarge(): CodedError {
  return CodedError.of('SESSION_TOO_LARGE', 'the build client sends more at once than a builder can hold');
}
