import {
  type AbortOptions,
  ANNOTATION_UNCOMPRESSED,
  CodedError,
  type Descriptor,
  type Digest,
  type ImageReference,
  inSlices,
  isDigest,
} from '../../base/index.ts';
import {
  describeDocument,
  type EncodedDocument,
  encodeIndex,
  encodeManifest,
  isLayerType,
  isManifestType,
  MAX_CONFIG_BYTES,
  MEDIA_TYPE,
  parseImageConfig,
  parseManifestOrIndex,
} from '../../oci/manifest/index.ts';
import type { Repository } from '../../oci/registry-client/index.ts';
import type { Layer } from '../ports.ts';
import { CACHE_CONFIG_TYPE, MAX_CACHE_CONFIG_BYTES, readCacheConfig, readInlineRecords } from './cache-config.ts';
import { INLINE_KEY } from './inline-records.ts';
import type { RemoteCacheContent } from './remote-cache.ts';

const DESCRIPTION = 'buildkit/description';
const MAX_DESCRIPTION = 4096;
/** Images of one index that are looked at for inline records. */
const MAX_IMAGES = 32;

/** A cache with the digest of the manifest that names it. */
export interface ReadCache extends RemoteCacheContent {
  readonly digest: Digest;
  /** Of the document with its records, where that is one of its own. */
  readonly configDigest?: Digest;
}

type ReadableRepository = Pick<Repository, 'getManifest' | 'getBlob'>;

/**
 * Reads the caches that a name in a registry stands for: one of its own (as a manifest or an index), or those that images carry. Manifests and configs are
 * read, and no layer.
 * @throws CodedError not_found…, CACHE_MALFORMED
 */
export async function readCaches(
  repository: ReadableRepository,
  { tag, digest }: Pick<ImageReference, 'tag' | 'digest'>,
  { signal }: AbortOptions,
): Promise<readonly ReadCache[]> {
  const root = await repository.getManifest(digest ?? tag ?? 'latest', { signal, maxBytes: MAX_CACHE_CONFIG_BYTES });
  const parsed = parseManifestOrIndex(root.bytes, root.descriptor.mediaType);
  const listed = parsed.kind === 'index' ? parsed.index.manifests : [parsed.manifest.config, ...parsed.manifest.layers];
  const config = listed.find(({ mediaType }) => mediaType === CACHE_CONFIG_TYPE);
  if (config !== undefined) {
    const bytes = await repository.getBlob(config, { signal, maxBytes: MAX_CACHE_CONFIG_BYTES });
    return [
      {
        digest: root.descriptor.digest,
        configDigest: config.digest,
        config: await inSlices(readCacheConfig(bytes), { signal }),
        layers: layersOf(listed),
      },
    ];
  }
  if (parsed.kind === 'manifest') return present([await inlineCache(repository, root, signal)]);
  const caches: (ReadCache | undefined)[] = [];
  for (const { digest: image } of parsed.index.manifests.filter(isImage).slice(0, MAX_IMAGES))
    caches.push(await inlineCache(repository, await repository.getManifest(image, { signal }), signal));
  return present(caches);
}

function present(caches: readonly (ReadCache | undefined)[]): readonly ReadCache[] {
  const found = caches.filter((cache) => cache !== undefined);
  if (found.length === 0)
    throw CodedError.of(
      'CACHE_NOT_FOUND',
      'there is no cache: neither of its own nor in the configuration of an image',
    );
  return found;
}

function isImage({ mediaType, annotations }: Descriptor): boolean {
  return isManifestType(mediaType) && annotations?.['vnd.docker.reference.type'] === undefined;
}

async function inlineCache(
  repository: ReadableRepository,
  { bytes, descriptor }: Awaited<ReturnType<Repository['getManifest']>>,
  signal: AbortSignal,
): Promise<ReadCache | undefined> {
  const parsed = parseManifestOrIndex(bytes, descriptor.mediaType);
  if (parsed.kind === 'index') return undefined;
  const { config: configured, layers } = parsed.manifest;
  const image = parseImageConfig(await repository.getBlob(configured, { signal, maxBytes: MAX_CONFIG_BYTES }));
  const records = (image as { readonly [INLINE_KEY]?: unknown })[INLINE_KEY];
  const { diff_ids: diffIds } = image.rootfs;
  if (typeof records !== 'string' || records === '' || diffIds.length !== layers.length) return undefined;
  const described = layers.map((layer, i) => ({
    ...layer,
    annotations: { ...layer.annotations, [ANNOTATION_UNCOMPRESSED]: diffIds[i] as Digest },
  }));
  const blobs = layers.map(({ digest }) => digest);
  const config = await inSlices(readInlineRecords(Buffer.from(records, 'base64'), blobs), { signal });
  return { digest: descriptor.digest, config, layers: layersOf(described) };
}

/**
 * Those that say what they are when they are unpacked: of what does not nothing can be made. A descriptor is kept with each ref of each chain, so nothing comes
 * with it that nobody reads.
 */
function layersOf(descriptors: readonly Descriptor[]): ReadonlyMap<Digest, Layer> {
  const layers = new Map<Digest, Layer>();
  for (const { mediaType, digest, size, annotations } of descriptors) {
    const diffId = annotations?.[ANNOTATION_UNCOMPRESSED];
    if (!isLayerType(mediaType) || diffId === undefined || !isDigest(diffId)) continue;
    const text = annotations?.[DESCRIPTION]?.slice(0, MAX_DESCRIPTION);
    const kept = { [ANNOTATION_UNCOMPRESSED]: diffId, ...(text === undefined ? {} : { [DESCRIPTION]: text }) };
    layers.set(digest, { descriptor: { mediaType, digest, size, annotations: kept }, diffId });
  }
  return layers;
}

export interface CacheManifestForm {
  /** A manifest, as of an image; else an index, which some registries refuse. */
  readonly imageManifest: boolean;
  readonly oci: boolean;
}

/** The documents of a cache: its config, and what names the config and its layers, in the config's order. */
export function encodeCacheManifest(
  config: Uint8Array,
  layers: readonly Descriptor[],
  { imageManifest, oci }: CacheManifestForm,
): { readonly config: EncodedDocument; readonly manifest: EncodedDocument } {
  const document = describeDocument(CACHE_CONFIG_TYPE, config);
  const manifest = imageManifest
    ? encodeManifest({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config: document.descriptor, layers })
    : encodeIndex({
        schemaVersion: 2,
        mediaType: oci ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.dockerList,
        manifests: [...layers, document.descriptor],
      });
  return { config: document, manifest };
}
