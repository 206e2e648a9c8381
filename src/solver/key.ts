import { type Digest, digester, digestHex, digestOf } from '../base/index.ts';

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

/** Inputs whose keys are hashed at one go. */
const PORTION = 100;

interface KeyOfInput {
  readonly id: string;
  readonly selector: string;
}

/** A new name for output `output` of an op reached from these keys, one an input. Yields after each portion of many. */
export function* linkedKey<T>(
  digest: Digest | string,
  output: number | 'any',
  inputs: readonly T[],
  keyOf: (input: T) => KeyOfInput,
): Generator<void, string, void> {
  let volatile = isVolatile(digest);
  const portion = (from: number) => {
    const texts: string[] = [];
    for (const input of inputs.slice(from, from + PORTION)) {
      const { id, selector } = keyOf(input);
      volatile ||= isVolatile(id);
      texts.push(`${id}#${selector}`);
    }
    return texts.join(';');
  };
  const hash = digester();
  hash.update(`${digest}@${output};${portion(0)}`);
  for (let at = PORTION; at < inputs.length; at += PORTION) {
    yield;
    hash.update(`;${portion(at)}`);
  }
  const id = hash.digest();
  return volatile ? VOLATILE + digestHex(id) : id;
}

/** A name that nothing else has. */
export function volatileKey(unique: string): string {
  return VOLATILE + unique;
}

/** BuildKit's digest of the record that a link leads to. */
export function recordDigest(digest: Digest, output: number): Digest {
  return rootKey(digest, output) as Digest;
}
