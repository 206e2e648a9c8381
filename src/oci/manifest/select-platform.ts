import {
  CodedError,
  type Descriptor,
  formatPlatform,
  normalizePlatform,
  type Platform,
  platformMatches,
} from '../../base/index.ts';
import { isManifestType } from './media-types.ts';
import type { ImageIndex } from './types.ts';

/** The best manifest of an index for a platform: exact variant first, then the highest arm variant below; attestations are passed over. */
export function selectPlatform(index: ImageIndex, wanted: Platform): Descriptor | undefined {
  const target = normalizePlatform(wanted);
  const fits = index.manifests.filter((manifest) => {
    if (manifest.annotations?.['vnd.docker.reference.type'] !== undefined) return false;
    const { platform } = manifest;
    return (
      platform !== undefined && platform.os !== '' && platform.os !== 'unknown' && platformMatches(target, platform)
    );
  });
  const rank = ({ platform }: Descriptor) => {
    const variant = platform === undefined ? '' : (normalizePlatform(platform).variant ?? '');
    return variant === (target.variant ?? '') ? '~' : variant;
  };
  // Stable: the first of equals wins, as the index's author ordered them.
  return fits.reduce<Descriptor | undefined>(
    (best, next) => (best === undefined || rank(next) > rank(best) ? next : best),
    undefined,
  );
}

/** {@link selectPlatform}, with an index of one unlabelled manifest taken as it is. @throws CodedError not_found naming what there is */
export function requirePlatform(index: ImageIndex, wanted: Platform, name: string): Descriptor {
  const found = selectPlatform(index, wanted);
  if (found !== undefined) return found;
  const [only, second] = index.manifests;
  if (only !== undefined && second === undefined && only.platform === undefined && isManifestType(only.mediaType))
    return only;
  const there = index.manifests.flatMap(({ platform }) =>
    platform === undefined || platform.os === 'unknown' ? [] : [formatPlatform(platform)],
  );
  throw new CodedError(
    'not_found',
    `no match for platform in manifest of ${name}: ${formatPlatform(wanted)} is not there`,
    {
      fault: 'user',
      reason: 'OCI_PLATFORM',
      hint: there.length === 0 ? 'the image names no platforms' : `the image has ${there.slice(0, 20).join(', ')}`,
    },
  );
}
