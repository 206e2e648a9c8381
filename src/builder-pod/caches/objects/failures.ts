import type { Readable } from 'node:stream';
import { CodedError, toCodedError } from '../../../base/index.ts';
import type { ObjectBlob } from './client.ts';

const MAX_WORDS = 500;

/** What a store answered, by its HTTP status; without one nothing came. Words of the store are told, not what it was asked with. */
export function storeError(what: string, status: number | undefined, said: string, cause?: unknown): CodedError {
  const words = said
    .replace(/[\u0000-\u0020\u007f-\u009f]+/g, ' ')
    .trim()
    .slice(0, MAX_WORDS);
  const answer = status === undefined ? '' : ` was answered with ${status}`;
  return new CodedError(codeOf(status), `${what}${answer}${words === '' ? '' : `: ${words}`}`, {
    fault: 'infrastructure',
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
    throw error instanceof CodedError ? error : storeError(what, undefined, toCodedError(error).message, error);
  } finally {
    stream.destroy();
  }
  return new Uint8Array(Buffer.concat(chunks));
}
