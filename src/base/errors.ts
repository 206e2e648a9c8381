import type { Code, Fault } from './codes.ts';
import { type CodeOf, codesOfReason, failureKind, faultOf, type Reason } from './failures.ts';

/** A typed detail that travels with an error over gRPC: `type` is the short name, e.g. `errdefs.Vertex`, `value` its JSON. */
export interface ErrorDetail {
  readonly type: string;
  readonly value: unknown;
}

export interface CodedErrorOptions {
  readonly cause?: unknown;
  /** By reason and code unless given. */
  readonly fault?: Fault | undefined;
  readonly reason?: Reason | undefined;
  /** What the reader should do next; that of the reason unless given. */
  readonly hint?: string | undefined;
  readonly details?: readonly ErrorDetail[];
}

/** The one error family of Slipway. Subclass only where a caller needs a field; what has a reason is made by {@link CodedError.of}. */
export class CodedError extends Error {
  readonly code: Code;
  readonly fault: Fault;
  readonly reason: Reason | undefined;
  readonly hint: string | undefined;
  readonly details: readonly ErrorDetail[];

  constructor(code: Code, message: string, options: CodedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const { reason } = options;
    this.name = new.target.name;
    this.code = code;
    this.fault = options.fault ?? faultOf(code, reason);
    this.reason = reason;
    this.hint = options.hint ?? (reason === undefined ? undefined : failureKind(reason).hint);
    this.details = options.details ?? [];
  }

  /** A failure as the table of reasons has it; `code` where its reason may have several, the first of them unless given. */
  static of<R extends Reason>(
    reason: R,
    message: string,
    options: Omit<CodedErrorOptions, 'fault' | 'reason'> & { readonly code?: CodeOf<R> } = {},
  ): CodedError {
    return new CodedError(options.code ?? codesOfReason(reason)[0], message, { ...options, reason });
  }
}

/** The same failure in other words or with other details; all else stays. */
export function restated(
  error: unknown,
  {
    message,
    reason,
    details,
  }: { readonly message?: string; readonly reason?: Reason; readonly details?: readonly ErrorDetail[] },
): CodedError {
  const coded = toCodedError(error);
  return new CodedError(coded.code, message ?? coded.message, {
    cause: error,
    ...sameAs(coded),
    ...(reason === undefined ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
  });
}

/** What makes an error of another class the same failure. */
export function sameAs({ fault, reason, hint, details }: CodedError): CodedErrorOptions {
  return { fault, reason, hint, details };
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

/** The same failure with context before its message. */
export function annotate(error: unknown, context: string, extraDetails: readonly ErrorDetail[] = []): CodedError {
  const coded = toCodedError(error);
  return restated(error, { message: `${context}: ${coded.message}`, details: [...coded.details, ...extraDetails] });
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
  if (!condition) throw CodedError.of('INVARIANT', `invariant broken: ${message}`);
}
