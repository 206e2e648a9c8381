import { addAbortListener } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { cancelledError } from './errors.ts';

/** What every wait takes. */
export interface AbortOptions {
  readonly signal: AbortSignal;
}

/** A signal that never fires, for places that truly end with the process. */
export const neverAborted: AbortSignal = new AbortController().signal;

/** Sleeps; rejects with the signal's reason. */
export async function sleep(ms: number, { signal }: AbortOptions): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    if (signal.aborted) throw signal.reason ?? cancelledError();
    throw error;
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
