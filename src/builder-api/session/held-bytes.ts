import { CodedError } from '../../base/index.ts';
import type { Hold } from '../grpc/messages.ts';
import type { SessionLimits } from './limits.ts';

const sessions = new Set<HeldBytes>();
let total = 0;

/** What is kept in this thread on behalf of one session. A session that has more than it may is refused more; when all have too much, the one that has most is ended. */
export class HeldBytes {
  readonly #limits: SessionLimits;
  readonly #end: (error: CodedError) => void;
  #bytes = 0;

  constructor(limits: SessionLimits, end: (error: CodedError) => void) {
    this.#limits = limits;
    this.#end = end;
  }

  /** A part of it, given back when it is disposed. Adding throws what is to end it. @throws CodedError resource_exhausted */
  hold(): Hold {
    let held = 0;
    const add = (bytes: number) => {
      held += bytes;
      this.#add(bytes);
    };
    return {
      add: (bytes) => {
        add(bytes);
        if (bytes > 0) this.#check();
      },
      [Symbol.dispose]: () => add(-held),
    };
  }

  #add(bytes: number): void {
    this.#bytes += bytes;
    total += bytes;
    if (this.#bytes > 0) sessions.add(this);
    else sessions.delete(this);
  }

  #check(): void {
    if (this.#bytes > this.#limits.sessionBytes) throw tooLarge();
    if (total <= this.#limits.threadBytes) return;
    let most: HeldBytes = this;
    for (const session of sessions) if (session.#bytes > most.#bytes) most = session;
    if (most === this) throw tooLarge();
    most.#end(tooLarge());
  }
}

function tooLarge(): CodedError {
  return CodedError.of('SESSION_TOO_LARGE', 'the build client sends more at once than a builder can hold');
}
