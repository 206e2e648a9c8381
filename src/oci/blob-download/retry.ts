import { CodedError, transportWords } from '../../base/index.ts';

/** Waits between attempts; as many retries as entries. */
export interface RetryPolicy {
  readonly delaysMs: readonly number[];
  /** Longest wait a server may ask for by Retry-After, in ms. */
  readonly maxRetryAfterMs: number;
}

export const defaultRetryPolicy: RetryPolicy = { delaysMs: [1000, 2000, 4000], maxRetryAfterMs: 60_000 };

/** What a failure says of another attempt. */
export interface Verdict {
  /** Trying again may help. */
  readonly passes: boolean;
  /** What the server asked to wait, in ms. */
  readonly afterMs?: number | undefined;
}

/** The wait before retry number `retry` (0 first); undefined when it is not to be tried again. */
export function delayBefore(policy: RetryPolicy, retry: number, { passes, afterMs }: Verdict): number | undefined {
  const planned = policy.delaysMs[retry];
  if (planned === undefined || !passes) return undefined;
  if (afterMs === undefined) return planned;
  return afterMs > policy.maxRetryAfterMs ? undefined : afterMs;
}

/** In BuildKit's words, which people search for. */
export function tellWait(told: ((line: string) => void) | undefined, error: unknown, waitMs: number): void {
  told?.(`error: ${error instanceof CodedError ? error.message : transportWords(error)}`);
  told?.(`retrying in ${Number((waitMs / 1000).toFixed(3))}s`);
}
