import { type Descriptor, type Digest, isDigest } from '../../base/index.ts';
import { encodeIndex, MEDIA_TYPE } from '../manifest/index.ts';
import { parseJson } from './transport.ts';

/** How a registry without an API for referrers says so: 404 by the specification, the others are met as well. */
export const NOT_SERVED: ReadonlySet<number> = new Set([400, 404, 405, 406]);
export const NO_REFERRERS: Uint8Array = Buffer.from('{"manifests":[]}');

/** What a registry that lists no referrers itself has the list of them under (distribution-spec 1.1). */
export function fallbackTag(subject: Digest): string {
  return subject.replace(':', '-').slice(0, 128);
}

/** What a list names, without what names nothing. */
export function descriptorsOf(bytes: Uint8Array): Descriptor[] {
  const { manifests } = (parseJson(bytes) ?? {}) as { manifests?: unknown };
  if (!Array.isArray(manifests)) return [];
  return manifests.filter(
    (entry): entry is Descriptor =>
      typeof entry?.digest === 'string' &&
      isDigest(entry.digest) &&
      typeof entry.mediaType === 'string' &&
      Number.isSafeInteger(entry.size),
  );
}

/** The list with this one on it, and those replaced not; undefined where it is so already. */
export function withReferrer(
  list: Uint8Array,
  entry: Descriptor,
  replaced: readonly Digest[],
): { readonly mediaType: string; readonly bytes: Uint8Array } | undefined {
  const listed = descriptorsOf(list);
  const others = listed.filter(({ digest }) => digest !== entry.digest && !replaced.includes(digest));
  const isListed = listed.some(({ digest }) => digest === entry.digest);
  if (isListed && others.length === listed.length - 1) return undefined;
  const mediaType = MEDIA_TYPE.ociIndex;
  return { mediaType, bytes: encodeIndex({ schemaVersion: 2, mediaType, manifests: [...others, entry] }).bytes };
}
