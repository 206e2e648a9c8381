import { CodedError, type Descriptor, formatPlatform, type Platform, platformRank } from '../../base/index.ts';
import { isIndexType, isManifestType } from './media-types.ts';
import type { ImageIndex } from './types.ts';

/**
 * Entries of an index that may be, or lead to, the image for a platform, in the order to try them: those that say so, best first, then those that name no
 * platform, of which only their content tells. Attestations are passed over.
 */
export function manifestsFor({ manifests }: ImageIndex, wanted: Platform): readonly Descriptor[] {
  const ranked = manifests.flatMap((manifest) => {
    const { mediaType, platform, annotations } = manifest;
    if (annotations?.['vnd.docker.reference.type'] !== undefined) return [];
    if (mediaType !== '' && !isManifestType(mediaType) && !isIndexType(mediaType)) return [];
    const rank = platform === undefined ? Number.POSITIVE_INFINITY : platformRank(wanted, platform);
    return rank === undefined ? [] : [{ manifest, rank }];
  });
  // Stable: the first of equals wins, as the index's author ordered them.
  return ranked.sort((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank)).map(({ manifest }) => manifest);
}

/** `there`: the platforms that were come by. */
export function noMatch(root: Descriptor, wanted: Platform, there: readonly Platform[]): CodedError {
  const names = [...new Set(there.filter(({ os }) => os !== 'unknown').map(formatPlatform))];
  return CodedError.of('OCI_PLATFORM', `no match for platform in manifest ${root.digest}: not found`, {
    hint:
      names.length === 0
        ? 'the image names no platforms'
        : `the image has ${names.slice(0, 20).join(', ')}, not ${formatPlatform(wanted)}`,
  });
}
