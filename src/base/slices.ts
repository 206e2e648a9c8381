import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AbortOptions } from './signals.ts';

/** How long one slice may compute: others on the same thread wait for so long. */
const SLICE_MS = 10;

/** Runs work that yields at short steps to its end, and lets others have their turn in between. */
export async function inSlices<T>(steps: Iterator<unknown, T, void>, { signal }: AbortOptions): Promise<T> {
  let began = performance.now();
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    if (performance.now() - began < SLICE_MS) continue;
    await nextTurn();
    signal.throwIfAborted();
    began = performance.now();
  }
}
