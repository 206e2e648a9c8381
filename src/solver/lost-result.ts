import { CodedError } from '../base/index.ts';

/**
 * A consumer could not materialise a result that the cache promised: its blob is gone, corrupt or forbidden. Thrown by ops, content
 * digests and exporters; the solver answers by dropping the record and making the result again (design 3, the step back).
 */
export class LostResultError extends CodedError {
  /** {@link Result.id} of the result that is lost. */
  readonly resultId: string;

  constructor(resultId: string, message: string, options: { readonly cause?: unknown } = {}) {
    super('data_loss', message, { ...options, reason: 'SOLVER_RESULT_LOST', fault: 'infrastructure' });
    this.resultId = resultId;
  }
}

/** The lost result behind an error, however often it was wrapped. */
export function findLostResult(error: unknown): LostResultError | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 32; at = at.cause, depth++) {
    if (at instanceof LostResultError) return at;
  }
  return undefined;
}
