import type { AbortOptions } from './signals.ts';

/** How long work in slices may compute in one turn of the event loop, all of it together: everybody else on the thread waits for so long. */
const SLICE_MS = 5;

/** When this turn's slices began; undefined when there were none yet. */
let began: number | undefined;
const waiting: (() => void)[] = [];
let turning = false;

/** Long work looks at this at each short step: `if (isTurnSpent()) await nextTurn(options)`. */
export function isTurnSpent(): boolean {
  const since = begin();
  return performance.now() - since >= SLICE_MS;
}

/** Lets others have their turn. */
export async function nextTurn({ signal }: AbortOptions): Promise<void> {
  await new Promise<void>(inTurn);
  signal.throwIfAborted();
}

/** Runs work that yields at short steps to its end, and lets others have their turn in between. */
export async function inSlices<T>(steps: Iterator<unknown, T, void>, options: AbortOptions): Promise<T> {
  try {
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return step.value;
      if (isTurnSpent()) await nextTurn(options);
    }
  } catch (error) {
    // What it holds open is closed.
    steps.return?.();
    throw error;
  }
}

/** Runs such work to its end at once. */
export function atOnce<T>(steps: Iterator<unknown, T, void>): T {
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}

/** Goes on in a later turn of the event loop, first come first served, as many a turn as have their time in it. */
export function inTurn(go: () => void): void {
  waiting.push(go);
  turnSoon();
}

function begin(): number {
  began ??= performance.now();
  turnSoon();
  return began;
}

function turnSoon(): void {
  if (turning) return;
  turning = true;
  setImmediate(turn);
}

function turn(): void {
  turning = false;
  began = undefined;
  if (waiting.length > 0) goOn();
}

function goOn(): void {
  begin();
  waiting.shift()!();
  // After what it has let go on; the others in the next turn, if that took all time of this one.
  queueMicrotask(() => {
    if (waiting.length === 0) return;
    if (isTurnSpent()) turnSoon();
    else goOn();
  });
}
