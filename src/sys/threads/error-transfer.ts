import { type Code, CodedError, type ErrorDetail, type Fault, type Reason } from '../../base/index.ts';

/** An error as plain values, since structured clone drops the class and every field of ours. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly coded:
    | {
        readonly code: Code;
        readonly fault: Fault;
        readonly reason: Reason | undefined;
        readonly hint: string | undefined;
        readonly details: readonly ErrorDetail[];
      }
    | undefined;
  readonly system:
    | { readonly code: string; readonly errno?: number; readonly syscall?: string; readonly path?: string }
    | undefined;
  readonly cause: PlainError | undefined;
}

const MAX_CAUSES = 8;

export function toPlainError(thrown: unknown, depth = 0): PlainError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { code, errno, syscall, path } = error as NodeJS.ErrnoException;
  const system =
    error instanceof CodedError || typeof code !== 'string'
      ? undefined
      : {
          code,
          ...(typeof errno === 'number' ? { errno } : {}),
          ...(typeof syscall === 'string' ? { syscall } : {}),
          ...(typeof path === 'string' ? { path } : {}),
        };
  return {
    name: error.name,
    message: error.message,
    stack: error.stack,
    coded:
      error instanceof CodedError
        ? { code: error.code, fault: error.fault, reason: error.reason, hint: error.hint, details: error.details }
        : undefined,
    system,
    cause: error.cause === undefined || depth >= MAX_CAUSES ? undefined : toPlainError(error.cause, depth + 1),
  };
}

export function fromPlainError(plain: PlainError): Error {
  const cause = plain.cause === undefined ? undefined : fromPlainError(plain.cause);
  let error: Error;
  if (plain.coded !== undefined) {
    const { code, ...same } = plain.coded;
    error = new CodedError(code, plain.message, { ...same, cause });
  } else {
    error = new Error(plain.message, cause === undefined ? undefined : { cause });
  }
  error.name = plain.name;
  if (plain.stack !== undefined) error.stack = plain.stack;
  return plain.system === undefined ? error : Object.assign(error, plain.system);
}
