/** Whose fault a failure is; decides `status.failure.class`, retries and exit codes (design 5). */
export type Fault = 'user' | 'policy' | 'infrastructure' | 'cancelled';

/** The sixteen gRPC failure codes by their canonical lower-case names. */
export type Code =
  | 'cancelled'
  | 'unknown'
  | 'invalid_argument'
  | 'deadline_exceeded'
  | 'not_found'
  | 'already_exists'
  | 'permission_denied'
  | 'resource_exhausted'
  | 'failed_precondition'
  | 'aborted'
  | 'out_of_range'
  | 'unimplemented'
  | 'internal'
  | 'unavailable'
  | 'data_loss'
  | 'unauthenticated';

/** A typed detail that travels with an error over gRPC: `type` is the short name, e.g. `errdefs.Vertex`, `value` its JSON. */
export interface ErrorDetail {
  readonly type: string;
  readonly value: unknown;
}

export interface CodedErrorOptions {
  readonly cause?: unknown;
  /** Defaults by code: see {@link faultOfCode}. */
  readonly fault?: Fault;
  /** Stable SCREAMING_SNAKE name, e.g. `OCI_DIGEST_MISMATCH`. */
  readonly reason?: string;
  /** What the reader should do next. */
  readonly hint?: string;
  readonly details?: readonly ErrorDetail[];
}

/** The one error family of Slipway. Subclass only where a caller needs a field. */
export class CodedError extends Error {
  readonly code: Code;
  readonly fault: Fault;
  readonly reason: string | undefined;
  readonly hint: string | undefined;
  readonly details: readonly ErrorDetail[];

  constructor(code: Code, message: string, options: CodedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.fault = options.fault ?? faultOfCode(code);
    this.reason = options.reason;
    this.hint = options.hint;
    this.details = options.details ?? [];
  }
}

/** The fault a code stands for when the thrower says nothing else. */
export function faultOfCode(code: Code): Fault {
  switch (code) {
    case 'cancelled':
      return 'cancelled';
    case 'permission_denied':
      return 'policy';
    case 'invalid_argument':
    case 'not_found':
    case 'already_exists':
    case 'failed_precondition':
    case 'out_of_range':
    case 'unimplemented':
    case 'unauthenticated':
      return 'user';
    default:
      return 'infrastructure';
  }
}

/** Bad input from a user. */
export function invalidArgument(message: string, options?: CodedErrorOptions): CodedError {
  return new CodedError('invalid_argument', message, options);
}

/** The reason to abort with, so that a signal never carries a bare `AbortError`. */
export function cancelledError(message = 'context canceled', options?: CodedErrorOptions): CodedError {
  return new CodedError('cancelled', message, options);
}

/** Whether an error (or anything it was caused by) is a cancellation. */
export function isCancelled(error: unknown): boolean {
  if (error instanceof CodedError) return error.code === 'cancelled';
  return error instanceof Error && error.name === 'AbortError';
}

/** The error of this class behind an error, or itself, however often it was wrapped. */
export function findCause<T extends Error>(error: unknown, type: abstract new (...args: never) => T): T | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < MAX_CAUSES; at = at.cause, depth++)
    if (at instanceof type) return at;
  return undefined;
}

/** Causes of causes that are followed: a chain may be a circle. */
const MAX_CAUSES = 32;

/** The same failure with context before its message; code, fault, reason, hint and details stay. */
export function annotate(error: unknown, context: string, extraDetails: readonly ErrorDetail[] = []): CodedError {
  const coded = toCodedError(error);
  return new CodedError(coded.code, `${context}: ${coded.message}`, {
    cause: error,
    fault: coded.fault,
    ...(coded.reason === undefined ? {} : { reason: coded.reason }),
    ...(coded.hint === undefined ? {} : { hint: coded.hint }),
    details: [...coded.details, ...extraDetails],
  });
}

const CODE_BY_ERRNO: Readonly<Record<string, Code>> = {
  ENOENT: 'not_found',
  EEXIST: 'already_exists',
  ENOSPC: 'resource_exhausted',
  EDQUOT: 'resource_exhausted',
  EMFILE: 'resource_exhausted',
  ENFILE: 'resource_exhausted',
  EROFS: 'permission_denied',
  EPERM: 'permission_denied',
  EACCES: 'permission_denied',
  ECONNREFUSED: 'unavailable',
  ECONNRESET: 'unavailable',
  EPIPE: 'unavailable',
  ETIMEDOUT: 'unavailable',
  ENOTFOUND: 'unavailable',
  EAI_AGAIN: 'unavailable',
};

/** Any thrown value as a {@link CodedError}: errno by table, abort as cancelled, all else `unknown`. */
export function toCodedError(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  if (error instanceof SuppressedError) return toCodedError(error.suppressed);
  if (error instanceof Error) {
    if (error.name === 'AbortError') return cancelledError(error.message, { cause: error });
    const errno = (error as NodeJS.ErrnoException).code;
    const code = typeof errno === 'string' ? CODE_BY_ERRNO[errno] : undefined;
    // A local errno is the platform's fault: user errors are raised as CodedError where the input is known.
    return new CodedError(code ?? 'unknown', error.message, { cause: error, fault: 'infrastructure' });
  }
  return new CodedError('unknown', String(error), { cause: error });
}

/** Throws `internal` when an invariant of ours does not hold. */
export function assertInvariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new CodedError('internal', `invariant broken: ${message}`, { reason: 'INVARIANT' });
}
