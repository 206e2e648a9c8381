import { type Digest, digestOf, goJson, type WorkOptions } from '../../../base/index.ts';
import { type ContentHasher, type ContentSelector, selectionText } from '../../../cache/contenthash/index.ts';
import type { ImmutableRef } from '../../../cache/ports.ts';
import type { CacheMap, CacheMapInput, KeyPart, Op } from '../../../solver/ports.ts';
import { keyParts } from './key-parts.ts';

/** How an op enters cache keys, before anything is read: pure data, see {@link knownAtOnce}. */
export interface OpCacheMap {
  readonly digest: Digest;
  /** One for each input of the op. */
  readonly inputs: readonly OpCacheInput[];
  /** {@link CacheMap.parts}: of the value whose JSON the digest is of. */
  parts(): readonly KeyPart[];
}

export interface OpCacheInput {
  readonly selector?: Digest;
  /** The content of these decides too; an empty list is all of the input. Absent when content must not decide. */
  readonly content?: readonly ContentSelector[];
}

/** Of most inputs there is nothing to say. */
export const NOTHING: OpCacheInput = {};

/** How the solver asks an op for keys that its definition alone makes; content is read through the hasher. */
export function knownAtOnce(
  map: () => OpCacheMap,
  hasher: ContentHasher,
): Pick<Op<ImmutableRef>, 'definitionMap' | 'cacheMap'> {
  return {
    definitionMap: () => bindCacheMap(map(), hasher),
    cacheMap: async () => ({ map: bindCacheMap(map(), hasher), done: true }),
  };
}

/** An {@link OpCacheMap} that a worker has made: the parts with it, each as long as it need be. */
export interface MadeCacheMap extends Omit<OpCacheMap, 'parts'> {
  readonly parts: readonly KeyPart[];
}

/** The same for an op whose definition is so long that a worker makes its keys. */
export function knownByWorker(
  make: (context: WorkOptions) => Promise<MadeCacheMap>,
  hasher: ContentHasher,
): Pick<Op<ImmutableRef>, 'cacheMap'> {
  return {
    cacheMap: async (_, context) => {
      const { parts, ...made } = await make(context);
      return { map: bindCacheMap({ ...made, parts: () => parts }, hasher), done: true };
    },
  };
}

const NO_KEYS: CacheMapInput = {};

function bindCacheMap({ digest, parts, inputs }: OpCacheMap, hasher: ContentHasher): CacheMap {
  return {
    digest,
    parts,
    inputs: inputs.map(({ selector, content }) =>
      selector === undefined && content === undefined
        ? NO_KEYS
        : {
            ...(selector === undefined ? {} : { selector }),
            ...(content === undefined
              ? {}
              : {
                  selection: selectionText(content),
                  contentDigest: (result, { signal, owner, sessions, limits }) =>
                    hasher.checksum(result.value as ImmutableRef, content, { signal, owner, sessions, limits }),
                }),
          },
    ),
  };
}

/** Has a digest made, or has kept it of the same op as it was met before. */
export type KeepsDigest = (make: () => Digest) => Digest;

/** The digest and parts of a key; the value is made again when somebody asks for the parts, since it may hold whole files. */
export function keyOf(
  made: () => Readonly<Record<string, unknown>>,
  keep: KeepsDigest = (make) => make(),
): Pick<OpCacheMap, 'digest' | 'parts'> {
  return { digest: keep(() => jsonDigest(made())), parts: () => keyParts(made()) };
}

/** Digest of a value's JSON as Go writes it: that JSON is what BuildKit hashes. */
export function jsonDigest(value: unknown): Digest {
  return digestOf(goJson(value));
}

/** Drops members that Go's `omitempty` drops: zero, empty, absent. */
export function omitEmpty<T extends Record<string, unknown>>(value: T): Partial<T> {
  const kept: Partial<T> = {};
  for (const name in value) {
    const member = value[name];
    if (member === undefined || member === 0 || member === 0n || member === '' || member === false) continue;
    if ((Array.isArray(member) || member instanceof Uint8Array) && member.length === 0) continue;
    kept[name] = member;
  }
  return kept;
}

/** Paths without those that lie beneath another one, sorted. */
export function dedupePaths(paths: readonly string[]): readonly string[] {
  if (paths.length <= 1) return paths;
  const beneath = (path: string, other: string) =>
    path !== other && path.startsWith(other.endsWith('/') ? other : `${other}/`);
  // With the slash before all else whatever lies beneath a path follows it.
  const ordered = [...new Set(paths)]
    .map((path) => ({ path, order: path.replaceAll('/', '\0') }))
    .sort((a, b) => (a.order < b.order ? -1 : 1));
  const kept: string[] = [];
  for (const { path } of ordered) {
    const last = kept.at(-1);
    if (last === undefined || !beneath(path, last)) kept.push(path);
  }
  return kept.sort(compareBytes);
}

export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
