import type { AbortOptions } from './signals.ts';

/** How long one slice may compute: others on the same thread wait for so long. */
const SLICE_MS = 5;

/** Long work looks at this at each short step: `if (slice.isOver) await slice.next(options)`. */
export class Slice {
  #began = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#began >= SLICE_MS;
  }

  /** Lets others have their turn. */
  async next({ signal }: AbortOptions): Promise<void> {
    await new Promise<void>(inTurn);
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

const waiting: (() => void)[] = [];
let granting = false;

/** Goes on in a later turn of the event loop, first come first served and one a turn: what is done in slices at once does not add up to a long one. */
export function inTurn(go: () => void): void {
  waiting.push(go);
  if (granting) return;
  granting = true;
  setImmediate(grant);
}

function grant(): void {
  const go = waiting.shift()!;
  granting = waiting.length > 0;
  if (granting) setImmediate(grant);
  go();
}
