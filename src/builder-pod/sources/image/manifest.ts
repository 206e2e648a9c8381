import {
  CodedError,
  type Descriptor,
  type Digest,
  formatPlatform,
  isDigest,
  normalizePlatform,
  type Platform,
  platformMatches,
} from '../../../base/index.ts';

/** What is read of an image manifest. */
export interface ImageManifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

const INDEX_TYPES = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
const MANIFEST_TYPES = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]);
const MAX_LAYERS = 4096;

/** Tells an index from an image; @throws for what Slipway does not take, by name. */
export function manifestKind(mediaType: string, what: string): 'index' | 'image' {
  if (INDEX_TYPES.has(mediaType)) return 'index';
  if (MANIFEST_TYPES.has(mediaType)) return 'image';
  if (/manifest\.v1\+(json|prettyjws)$/.test(mediaType) && mediaType.includes('docker'))
    throw new CodedError('failed_precondition', `${what} is a Docker schema 1 image, which is not supported`, {
      reason: 'OCI_SCHEMA1',
      hint: 'push it again with a tool of this decade',
    });
  throw new CodedError('failed_precondition', `${what} is no image: its media type is ${JSON.stringify(mediaType)}`, {
    reason: 'OCI_MEDIA_TYPE',
  });
}

function parseObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw broken(what, 'it is no JSON object');
  return value as Record<string, unknown>;
}

function broken(what: string, why: string): CodedError {
  return new CodedError('failed_precondition', `${what} is broken: ${why}`, { reason: 'OCI_MANIFEST_INVALID' });
}

function descriptor(value: unknown, what: string): Descriptor {
  const d = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const { mediaType, digest, size, annotations, platform } = d;
  if (typeof digest !== 'string' || !isDigest(digest)) throw broken(what, 'a descriptor has no valid digest');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw broken(what, 'a descriptor has no valid size');
  const notes = Object.entries(typeof annotations === 'object' && annotations !== null ? annotations : {});
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    digest,
    size,
    ...(notes.length === 0 ? {} : { annotations: Object.fromEntries(notes.filter(([, v]) => typeof v === 'string')) }),
    ...(isPlatform(platform) ? { platform: normalizePlatform(platform) } : {}),
  };
}

function isPlatform(value: unknown): value is Platform {
  const p = (value ?? {}) as { os?: unknown; architecture?: unknown; variant?: unknown };
  return (
    typeof p.os === 'string' &&
    typeof p.architecture === 'string' &&
    (p.variant === undefined || typeof p.variant === 'string')
  );
}

/** @throws CodedError failed_precondition */
export function parseImageManifest(bytes: Uint8Array, what: string): ImageManifest {
  const value = parseObject(bytes, what);
  if (!Array.isArray(value['layers']) || value['layers'].length > MAX_LAYERS)
    throw broken(what, 'its list of layers is missing or too long');
  return { config: descriptor(value['config'], what), layers: value['layers'].map((layer) => descriptor(layer, what)) };
}

/**
 * The entries of an index that may serve the platform, best first: exact matches, then older variants, then entries that name no platform.
 * Attestations are not images and never among them.
 */
export function candidatesOf(bytes: Uint8Array, platform: Platform, what: string): readonly Descriptor[] {
  const value = parseObject(bytes, what);
  if (!Array.isArray(value['manifests']) || value['manifests'].length > 10_000)
    throw broken(what, 'its list of manifests is missing or too long');
  const entries = value['manifests']
    .map((entry) => descriptor(entry, what))
    .filter(
      ({ platform: p, annotations }) =>
        annotations?.['vnd.docker.reference.type'] === undefined &&
        !(p?.os === 'unknown' && p.architecture === 'unknown'),
    );
  const wanted = formatPlatform(normalizePlatform(platform));
  const named = entries.filter((entry) => entry.platform !== undefined && platformMatches(platform, entry.platform));
  const rank = (entry: Descriptor) =>
    entry.platform !== undefined && formatPlatform(entry.platform) === wanted ? 0 : 1;
  named.sort((a, b) => rank(a) - rank(b) || (b.platform?.variant ?? '').localeCompare(a.platform?.variant ?? ''));
  const found = [...named, ...entries.filter((entry) => entry.platform === undefined)];
  if (found.length === 0) {
    const there = [
      ...new Set(entries.flatMap((entry) => (entry.platform === undefined ? [] : [formatPlatform(entry.platform)]))),
    ];
    throw new CodedError('not_found', `${what} has no image for ${wanted}`, {
      reason: 'OCI_NO_PLATFORM',
      hint: there.length === 0 ? 'it lists no images' : `it has ${there.slice(0, 20).join(', ')}`,
    });
  }
  return found;
}

/** What is read of an image config: its platform and the digests of its uncompressed layers. */
export function parseImageConfig(
  bytes: Uint8Array,
  what: string,
): { readonly platform: Platform | undefined; readonly diffIds: readonly Digest[] } {
  const value = parseObject(bytes, what);
  const rootfs = (value['rootfs'] ?? {}) as { diff_ids?: unknown };
  const diffIds = rootfs.diff_ids ?? [];
  if (!Array.isArray(diffIds) || diffIds.some((id) => typeof id !== 'string' || !isDigest(id)))
    throw broken(what, 'the config has invalid diff ids');
  return { platform: isPlatform(value) ? normalizePlatform(value) : undefined, diffIds: diffIds as Digest[] };
}
