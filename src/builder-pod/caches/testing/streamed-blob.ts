import { Readable } from 'node:stream';
import { type Digest, digestOf } from '../../../base/index.ts';

/** What names these bytes in a store. */
export function blobOf(bytes: Uint8Array): { readonly digest: Digest; readonly size: number } {
  return { digest: digestOf(bytes), size: bytes.length };
}

/** The bytes as they come from elsewhere, so many at once. */
export function streamed(bytes: Uint8Array, step = 1 << 20): Readable {
  const pieces = function* () {
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
  };
  return Readable.from(pieces());
}
