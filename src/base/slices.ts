import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AbortOptions } from './signals.ts';

/** How long one slice may compute: others on the same thread wait for so long. */
const SLICE_MS = 10;

/** Long work looks at this at each short step: `if (slice.isOver) await slice.next(options)`. */
export class Slice {
  #began = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#began >= SLICE_MS;
  }

  /** Lets others have their turn. */
  async next({ signal }: AbortOptions): Promise<void> {
    await nextTurn();
    signal.throwIfAborted();
    this.#began = performance.now();
  }
}

/** Runs work that yields at short steps to its end, and lets others have their turn in between. */
export async function inSlices<T>(steps: Iterator<unknown, T, void>, options: AbortOptions): Promise<T> {
  const slice = new Slice();
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    if (slice.isOver) await slice.next(options);
  }
}
