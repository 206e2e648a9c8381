import { setTimeout as delay } from 'node:timers/promises';
import { isMainThread, workerData } from 'node:worker_threads';
import { cancelledError } from '../../base/index.ts';

const CLOSED = 1 << 30;
/** Milliseconds between two looks: what is behind a gate is done within a few. */
const LOOK_MS = 2;

/**
 * No native code may run in a thread while it is ended: what it asks of the engine then fails, and for that koffi aborts the process. So a thread passes its gate on
 * the way into native code, and whoever ends the thread closes the gate first and waits until nothing is behind it. What comes later is turned away.
 */
export class NativeGate {
  readonly memory: SharedArrayBuffer;
  readonly #state: Int32Array<SharedArrayBuffer>;

  constructor(memory = new SharedArrayBuffer(4)) {
    this.memory = memory;
    this.#state = new Int32Array(memory);
  }

  /** Each is left by {@link leave}. @throws CodedError cancelled where the thread is being ended */
  enter(): void {
    if (Atomics.add(this.#state, 0, 1) < CLOSED) return;
    this.leave();
    throw cancelledError('this thread is being ended');
  }

  leave(): void {
    Atomics.sub(this.#state, 0, 1);
  }

  close(): void {
    Atomics.or(this.#state, 0, CLOSED);
  }

  /** Once closed: resolves when nothing is behind it any more, or `over` says that waiting is over. */
  async drained(over: () => boolean): Promise<void> {
    while (this.#isBusy && !over()) await delay(LOOK_MS);
  }

  /** The same, at once and on a thread that cannot wait otherwise; `until` as of `performance.now()`. */
  drainedHere(until: number): void {
    while (this.#isBusy && performance.now() < until) Atomics.wait(this.#state, 0, this.#state[0]!, LOOK_MS);
  }

  get #isBusy(): boolean {
    return Atomics.load(this.#state, 0) !== CLOSED;
  }
}

/** What every thread of ours is started with. */
export interface ThreadStart<Data> {
  readonly gate: SharedArrayBuffer;
  readonly data: Data;
}

/** This thread's; the process's own thread has none, since nobody ends it. */
export const nativeGate = isMainThread ? undefined : gateOf(workerData);

function gateOf(start: Partial<ThreadStart<unknown>> | null | undefined): NativeGate | undefined {
  return start?.gate instanceof SharedArrayBuffer ? new NativeGate(start.gate) : undefined;
}
