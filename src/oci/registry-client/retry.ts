import { type AbortOptions, CodedError, type Logger, sleep, transportWords } from '../../base/index.ts';
import type { Caller } from './credentials.ts';
import { RegistryError } from './errors.ts';

/** Waits between attempts; as many retries as entries. */
export interface RetryPolicy {
  readonly delaysMs: readonly number[];
  /** Longest wait a registry may ask for by Retry-After, in ms. */
  readonly maxRetryAfterMs: number;
}

export const defaultRetryPolicy: RetryPolicy = { delaysMs: [1000, 2000, 4000], maxRetryAfterMs: 60_000 };

const TRANSIENT_ERRNO = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNREFUSED',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_SOCKET',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** Whether trying again may help: 5xx (but "not implemented"), 408, 429, and connections that ended. */
function isTransient(error: unknown): boolean {
  if (error instanceof RegistryError) {
    const { status } = error;
    return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 507);
  }
  if (error instanceof CodedError)
    return error.reason === 'REGISTRY_CUT' || (error.cause !== undefined && isTransient(error.cause));
  return error instanceof Error && TRANSIENT_ERRNO.has((error as NodeJS.ErrnoException).code ?? '');
}

/** The wait before retry number `retry` (0 first) after `error`; undefined when it is not to be tried again. */
export function delayBefore(policy: RetryPolicy, retry: number, error: unknown): number | undefined {
  const planned = policy.delaysMs[retry];
  if (planned === undefined || !isTransient(error)) return undefined;
  const asked = error instanceof RegistryError ? error.retryAfterMs : undefined;
  if (asked === undefined) return planned;
  return asked > policy.maxRetryAfterMs ? undefined : asked;
}

/** In BuildKit's words, which people search for. */
export function tellWait(told: Caller['told'], error: unknown, waitMs: number): void {
  told?.(`error: ${error instanceof CodedError ? error.message : transportWords(error)}`);
  told?.(`retrying in ${Number((waitMs / 1000).toFixed(3))}s`);
}

/**
 * Runs `attempt` until it ends, fails for good, or the waits are used up. `replayable` is asked after a failure: work whose input is
 * consumed is never tried again.
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  logger: Logger,
  options: AbortOptions & { readonly replayable?: () => boolean; readonly told?: Caller['told'] },
  attempt: () => Promise<T>,
): Promise<T> {
  for (let retry = 0; ; retry++) {
    try {
      return await attempt();
    } catch (error) {
      options.signal.throwIfAborted();
      const wait = options.replayable?.() === false ? undefined : delayBefore(policy, retry, error);
      if (wait === undefined) throw error;
      logger.info('retrying a registry request', { err: error, durationMs: wait });
      tellWait(options.told, error, wait);
      await sleep(wait, options);
    }
  }
}
