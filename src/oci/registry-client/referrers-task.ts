import { type Descriptor, type Digest, isDigest } from '../../base/index.ts';
import { encodeIndex, MEDIA_TYPE } from '../manifest/index.ts';
import { parseJson } from './transport.ts';

/** What a list names, of one type or all, without what names nothing. */
export function listedReferrers({
  bytes,
  artifactType,
}: {
  readonly bytes: Uint8Array;
  readonly artifactType: string | undefined;
}): readonly Descriptor[] {
  const { manifests } = (parseJson(bytes) ?? {}) as { manifests?: unknown };
  if (!Array.isArray(manifests)) return [];
  return manifests.filter(
    (entry): entry is Descriptor =>
      typeof entry?.digest === 'string' &&
      isDigest(entry.digest) &&
      typeof entry.mediaType === 'string' &&
      Number.isSafeInteger(entry.size) &&
      (artifactType === undefined || entry.artifactType === artifactType),
  );
}

/** The list with this one on it, and those replaced not; undefined where it is so already. */
export function withReferrer({
  bytes,
  entry,
  replaced,
}: {
  readonly bytes: Uint8Array;
  readonly entry: Descriptor;
  readonly replaced: readonly Digest[];
}): { readonly mediaType: string; readonly bytes: Uint8Array } | undefined {
  const listed = listedReferrers({ bytes, artifactType: undefined });
  const gone = new Set([entry.digest, ...replaced]);
  const others = listed.filter(({ digest }) => !gone.has(digest));
  const isListed = listed.some(({ digest }) => digest === entry.digest);
  if (isListed && others.length === listed.length - 1) return undefined;
  const mediaType = MEDIA_TYPE.ociIndex;
  return { mediaType, bytes: encodeIndex({ schemaVersion: 2, mediaType, manifests: [...others, entry] }).bytes };
}
