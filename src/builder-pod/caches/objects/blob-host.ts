import { CodedError } from '../../../base/index.ts';
import { type BlobHost, defaultRetryPolicy, mayWantNoRange, TransferError } from '../../../oci/blob-download/index.ts';
import { StoreError, storeError } from './failures.ts';

/** A blob of which nothing comes for so long is asked for again. */
const IDLE_MS = 20_000;

interface StoreHostOptions {
  /** For people. */
  readonly name: string;
  /** How often it is asked in all; as often as a registry where absent. */
  readonly attempts?: number | undefined;
  readonly open: BlobHost['open'];
}

/** A store as a host of one blob. */
export function storeHost({ name, attempts, open }: StoreHostOptions): BlobHost {
  return {
    ...{ name, open, idleMs: IDLE_MS },
    retry: { ...defaultRetryPolicy, ...(attempts === undefined ? {} : { delaysMs: delays(attempts - 1) }) },
    judge: (error) => ({
      passes: error instanceof CodedError ? error.code === 'unavailable' : error instanceof Error,
      ...(error instanceof StoreError
        ? { afterMs: error.retryAfterMs, noRanges: mayWantNoRange(error.status ?? 0) }
        : {}),
    }),
    failure: (message, cause) => storeError(name, undefined, message, cause instanceof TransferError ? {} : { cause }),
  };
}

/** So many: those of a registry, and then the last of them. */
function delays(count: number): readonly number[] {
  const { delaysMs } = defaultRetryPolicy;
  const last = delaysMs.at(-1)!;
  return Array.from({ length: count }, (_, n) => delaysMs[n] ?? last);
}
