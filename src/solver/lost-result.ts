import { CodedError, findCause, sameAs, toCodedError } from '../base/index.ts';

/**
 * How a result was lost. Only what is `gone` (missing, or proven corrupt) is lost for everybody; `refused` (these credentials) and
 * `unavailable` (for now) are the matter of the builds that met them, and nobody else's records.
 */
export type LossKind = 'gone' | 'refused' | 'unavailable';

interface LostResultOptions {
  readonly kind?: LossKind;
  /** Why it is lost. Its code, fault, reason and hint are what a user is told when the result cannot be made again. */
  readonly cause?: unknown;
  /** Results that the lost one stands on and that are lost with it. */
  readonly below?: readonly string[];
}

/**
 * A consumer could not materialise a result that the cache promised: its blob is gone, corrupt or forbidden. Thrown by ops, content
 * digests and exporters; the solver answers by dropping the record and making the result again.
 */
export class LostResultError extends CodedError {
  /** {@link Result.id} of what is lost: first what the consumer held, then what that stands on. */
  readonly resultIds: readonly string[];
  readonly kind: LossKind;

  constructor(resultId: string, message: string, { cause, kind = 'gone', below = [] }: LostResultOptions = {}) {
    const known = cause === undefined ? undefined : toCodedError(cause);
    super(known?.code ?? 'data_loss', message, { reason: 'SOLVER_RESULT_LOST', ...(known && sameAs(known)), cause });
    this.resultIds = [resultId, ...below];
    this.kind = kind;
  }
}

/** The lost result behind an error, however often it was wrapped. */
export function findLostResult(error: unknown): LostResultError | undefined {
  return findCause(error, LostResultError);
}
