import { type Digest, digestHex, digestOf } from '../base/index.ts';

/**
 * Ids of cache keys. A root's id is BuildKit's record digest of (op cache digest, output); a slow key is a root with output
 * {@link CONTENT_OUTPUT}. A linked key is named by the links it was first reached by, so that two edges that arrive at the same
 * place arrive at the same name; which links lead to it later is the key store's knowledge alone.
 */

/** The output index that content digests stand under. */
export const CONTENT_OUTPUT = -1;

const VOLATILE = 'random:';

/** Keys made of something random (a session, an execution that ignored the cache) mean nothing to a later build: never stored. */
export function isVolatile(id: string): boolean {
  return id.startsWith(VOLATILE);
}

/** The id of output `output` of an op without inputs, or of a content digest. */
export function rootKey(digest: Digest | string, output: number): string {
  const id = digestOf(`${digest}@${output}`);
  return isVolatile(digest) ? VOLATILE + digestHex(id) : id;
}

/** A new name for output `output` of an op reached from these keys, one an input. */
export function linkedKey(
  digest: Digest | string,
  output: number | 'any',
  inputs: readonly { readonly id: string; readonly selector: string }[],
): string {
  const id = digestOf(`${digest}@${output};${inputs.map((input) => `${input.id}#${input.selector}`).join(';')}`);
  return isVolatile(digest) || inputs.some((input) => isVolatile(input.id)) ? VOLATILE + digestHex(id) : id;
}

/** A name that nothing else has. */
export function volatileKey(unique: string): string {
  return VOLATILE + unique;
}

/** BuildKit's digest of the record that a link leads to. */
export function recordDigest(digest: Digest, output: number): Digest {
  return rootKey(digest, output) as Digest;
}
