import type { Readable } from 'node:stream';
import { type Code, CodedError, type CodedErrorOptions, toCodedError } from '../../../base/index.ts';
import type { ObjectBlob } from './client.ts';

const MAX_WORDS = 500;

interface StoreErrorOptions extends CodedErrorOptions {
  /** Undefined where nothing came. */
  readonly status: number | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** A store said no, or nothing. */
export class StoreError extends CodedError {
  readonly status: number | undefined;
  /** What it asked to wait, in ms. */
  readonly retryAfterMs: number | undefined;

  constructor(code: Code, message: string, { status, retryAfterMs, ...options }: StoreErrorOptions) {
    super(code, message, options);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What a store answered, by its HTTP status; without one nothing came. Words of the store are told, not what it was asked with. */
export function storeError(
  what: string,
  status: number | undefined,
  said: string,
  { cause, retryAfter }: { readonly cause?: unknown; readonly retryAfter?: string | undefined } = {},
): StoreError {
  const words = said
    .replace(/[\u0000-\u0020\u007f-\u009f]+/g, ' ')
    .trim()
    .slice(0, MAX_WORDS);
  const answer = status === undefined ? '' : ` was answered with ${status}`;
  return new StoreError(codeOf(status), `${what}${answer}${words === '' ? '' : `: ${words}`}`, {
    ...{ fault: 'infrastructure', status, retryAfterMs: retryAfterMs(retryAfter) },
    ...(cause === undefined ? {} : { cause }),
  });
}

function codeOf(status: number | undefined) {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'permission_denied';
  if (status === 404) return 'not_found';
  return mayPass(status) ? 'unavailable' : 'failed_precondition';
}

/** Whether what was answered with this HTTP status, or not at all, may be answered otherwise later. */
export function mayPass(status: number | undefined): boolean {
  return status === undefined || status === 408 || status === 429 || status >= 500;
}

/** Of the header Retry-After: seconds or a date, in ms from now. */
export function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

export function goneError({ digest }: ObjectBlob, where: string): CodedError {
  return CodedError.of('REF_CONTENT_GONE', `blob ${digest} is not in ${where}`);
}

/** A small object whole. @throws CodedError CACHE_MALFORMED above `maxBytes` */
export async function readAll(stream: Readable, what: string, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes)
        throw CodedError.of('CACHE_MALFORMED', `${what} is too large: it has more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof CodedError
      ? error
      : storeError(what, undefined, toCodedError(error).message, { cause: error });
  } finally {
    stream.destroy();
  }
  return new Uint8Array(Buffer.concat(chunks));
}
