import { createHash, hash } from 'node:crypto';
import { invalidArgument } from './errors.ts';

/** `sha256:<64 hex>` (OCI image spec, descriptor digests); sha384 and sha512 are accepted where read from outside. */
export type Digest = `${string}:${string}`;

const ENCODED_LENGTH: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** sha256 of text or bytes held in memory. Big inputs go to a worker instead. */
export function digestOf(data: string | Uint8Array): Digest {
  return `sha256:${hash('sha256', data, 'hex')}`;
}

/** An incremental sha256 whose `digest()` ends it. */
export function digester(): { update(data: string | Uint8Array): void; digest(): Digest } {
  const h = createHash('sha256');
  return { update: (data) => void h.update(data), digest: () => `sha256:${h.digest('hex')}` };
}

export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(':');
  const length = ENCODED_LENGTH[text.slice(0, colon)];
  return length !== undefined && text.length === colon + 1 + length && /^[0-9a-f]+$/.test(text.slice(colon + 1));
}

/** @throws CodedError invalid_argument when the text is no digest of a known algorithm. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw invalidArgument(digestFault(text), {
    hint: `${JSON.stringify(text)} should be sha256: and 64 hexadecimal digits.`,
  });
}

/** In the words of Go's digest package. */
function digestFault(text: string): string {
  const [, algorithm = '', encoded = ''] = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/.exec(text) ?? [];
  if (algorithm === '') return 'invalid checksum digest format';
  const length = ENCODED_LENGTH[algorithm];
  if (length === undefined) return 'unsupported digest algorithm';
  return encoded.length === length ? 'invalid checksum digest format' : 'invalid checksum digest length';
}

export function digestAlgorithm(digest: Digest): string {
  return digest.slice(0, digest.indexOf(':'));
}

export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}
