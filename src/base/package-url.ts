import { familiarImageName, type ImageReference } from './image-reference.ts';
import { formatPlatform, type Platform } from './platform.ts';

/** A package URL (purl-spec), which SBOMs and provenance name packages and images by. */
export interface PackageUrl {
  readonly type: string;
  /** Segments; empty for none. */
  readonly namespace: readonly string[];
  readonly name: string;
  readonly version?: string | undefined;
  /** In this order; those without a value are left out. */
  readonly qualifiers?: readonly (readonly [string, string | undefined])[];
}

export function formatPackageUrl({ type, namespace, name, version, qualifiers = [] }: PackageUrl): string {
  const path = [...namespace, name].map(encodeSegment).join('/');
  const after = version ? `@${encodeSegment(version)}` : '';
  const query = qualifiers.flatMap(([key, value]) => (value ? [`${key}=${encodeURIComponent(value)}`] : [])).join('&');
  return `pkg:${type}/${path}${after}${query === '' ? '' : `?${query}`}`;
}

/** Of an image: `docker` for one of a registry, `oci` for one of a layout. */
export function imagePackageUrl(
  type: 'docker' | 'oci',
  { tag, digest, ...bare }: ImageReference,
  platform: Platform | undefined,
): string {
  const segments = familiarImageName(bare).split('/');
  return formatPackageUrl({
    type,
    namespace: segments.slice(0, -1),
    name: segments.at(-1) ?? '',
    version: tag,
    qualifiers: [
      ['digest', digest],
      ['platform', platform === undefined ? undefined : formatPlatform(platform)],
    ],
  });
}

/** As part of a path: a colon stays. */
function encodeSegment(text: string): string {
  return encodeURIComponent(text).replaceAll('%3A', ':');
}
