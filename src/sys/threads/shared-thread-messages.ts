import { CodedError, type WorkOwner } from '../../base/index.ts';
import type { PlainError } from './error-transfer.ts';

export type ToSharedThread =
  | { readonly t: 'open'; readonly lane: number; readonly owner: WorkOwner }
  | { readonly t: 'close'; readonly lane: number }
  | { readonly t: 'message'; readonly lane: number; readonly message: unknown }
  /** Answered in its {@link ThreadState}. */
  | { readonly t: 'ping' };

export type FromSharedThread =
  /** Its module is there. */
  | { readonly t: 'ready' }
  | { readonly t: 'message'; readonly lane: number; readonly message: unknown }
  | { readonly t: 'ended'; readonly lane: number; readonly error: PlainError | undefined }
  /** The thread's last words. */
  | { readonly t: 'crash'; readonly error: PlainError };

export interface SharedThreadData {
  readonly module: string;
  readonly preload: readonly string[];
  readonly warm: boolean;
  /** CPU time that a lane may have, in milliseconds. */
  readonly cpuMs: number | undefined;
  readonly state: SharedArrayBuffer;
}

/** The end of a lane that has used up its CPU time. */
export function spentError(cpuMs: number): CodedError {
  return CodedError.of('SYS_THREAD_SPENT', `computed for more than ${cpuMs / 1000} s`);
}

/** What a shared thread says of itself in memory that both sides see, so that it is heard while the thread computes and nobody waits for a turn of the other side's. */
export class ThreadState {
  readonly memory: SharedArrayBuffer;
  readonly #fields: Int32Array;

  constructor(memory = new SharedArrayBuffer(16)) {
    this.memory = memory;
    this.#fields = new Int32Array(memory);
  }

  /** The kernel's number of the thread. */
  get thread(): number {
    return Atomics.load(this.#fields, 0);
  }

  set thread(number: number) {
    Atomics.store(this.#fields, 0, number);
  }

  /** How many pings it has answered. */
  get answered(): number {
    return Atomics.load(this.#fields, 1);
  }

  answer(): void {
    Atomics.add(this.#fields, 1, 1);
  }

  /** The lane whose turn it is, or was last. */
  get lane(): number {
    return Atomics.load(this.#fields, 2);
  }

  /** Milliseconds that this lane had computed before its turn. */
  get before(): number {
    return Atomics.load(this.#fields, 3);
  }

  turn(lane: number, before: number): void {
    Atomics.store(this.#fields, 2, lane);
    Atomics.store(this.#fields, 3, before);
  }
}
