import { CodedError, isCancelled, type Logger, sleep, toCodedError } from '../../base/index.ts';
import { clientOf } from '../grpc/channel.ts';
import { Health } from '../services/common.ts';
import type { Session } from './session.ts';

const INTERVAL_MS = 5000;
const TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 1024;

interface HealthOptions {
  /** Replaces interval and timeout, and makes one failure fatal (a client's wish, for tests). */
  readonly customTimeoutMs: number | undefined;
  readonly logger: Logger;
  readonly intervalMs?: number;
}

/** Asks the client for its health until the session is closed, and closes it after two failures in a row. */
export function watchHealth(session: Session, options: HealthOptions): void {
  const health = clientOf(Health, session);
  const signal = session.closed;
  const interval = options.customTimeoutMs ?? options.intervalMs ?? INTERVAL_MS;
  const allowed = options.customTimeoutMs === undefined ? 1 : 0;
  const watch = async () => {
    let failures = 0;
    let latency = 0;
    while (!signal.aborted) {
      await sleep(interval, { signal });
      const started = performance.now();
      try {
        const timeoutMs = options.customTimeoutMs ?? Math.max(TIMEOUT_MS, 1.5 * latency);
        await health.check({}, { signal, timeoutMs, maxMessageBytes: MAX_ANSWER_BYTES });
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        // Any answer is a sign of life.
        if (toCodedError(error).code === 'unimplemented') failures = 0;
        else if (++failures > allowed) {
          options.logger.warn('session does not answer', { err: error });
          session.close(CodedError.of('SESSION_UNHEALTHY', 'the build client does not answer', { cause: error }));
          return;
        }
      }
      latency = performance.now() - started;
    }
  };
  watch().catch((error: unknown) => {
    if (!signal.aborted && !isCancelled(error)) options.logger.warn('health watch failed', { err: error });
  });
}
