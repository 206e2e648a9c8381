import { type AbortOptions, CodedError, type Logger, sleep } from '../../base/index.ts';
import { delayBefore, type RetryPolicy, tellWait, type Verdict } from '../blob-download/index.ts';
import type { Caller } from './credentials.ts';
import { RegistryError } from './errors.ts';

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

/** What a failure of a request says of another attempt. */
export function verdictOf(error: unknown): Verdict {
  return { passes: isTransient(error), afterMs: error instanceof RegistryError ? error.retryAfterMs : undefined };
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
      const wait = options.replayable?.() === false ? undefined : delayBefore(policy, retry, verdictOf(error));
      if (wait === undefined) throw error;
      logger.info('retrying a registry request', { err: error, durationMs: wait });
      tellWait(options.told, error, wait);
      await sleep(wait, options);
    }
  }
}
