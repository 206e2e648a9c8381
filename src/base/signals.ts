import { addAbortListener } from 'node:events';

/** What every wait takes. */
export interface AbortOptions {
  readonly signal: AbortSignal;
}

/** A signal that never fires, for places that truly end with the process. */
export const neverAborted: AbortSignal = new AbortController().signal;

/** What a timer can wait at most, some 24 days: one for more would be over at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Fires after so long, of which nobody has checked that a timer can wait it. */
export function timeoutSignal(ms: number): AbortSignal {
  return AbortSignal.timeout(timerMs(ms));
}

function timerMs(ms: number): number {
  return Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(ms)));
}

/** Sleeps, for as long as a timer can wait; rejects with the signal's reason. */
export async function sleep(ms: number, { signal }: AbortOptions): Promise<void> {
  using aborted = onAbort(signal);
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timerMs(ms));
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A promise that rejects with the signal's reason once it fires, and a disposer for its listener. Never leave the raced work running. */
export function onAbort(signal: AbortSignal): { promise: Promise<never>; [Symbol.dispose](): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  if (signal.aborted) {
    reject(signal.reason);
    return { promise, [Symbol.dispose]: () => {} };
  }
  const listener = addAbortListener(signal, () => reject(signal.reason));
  return { promise, [Symbol.dispose]: () => listener[Symbol.dispose]() };
}
