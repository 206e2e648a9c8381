import {
  type AbortOptions,
  CodedError,
  type Descriptor,
  type Digest,
  type ImageReference,
  inSlices,
  type WorkOwner,
} from '../../base/index.ts';
import {
  describeDocument,
  type EncodedDocument,
  encodeIndex,
  encodeManifest,
  MAX_CONFIG_BYTES,
  MEDIA_TYPE,
} from '../../oci/manifest/index.ts';
import type { Repository } from '../../oci/registry-client/index.ts';
import { siblingModule, type Task, tasksOf, type WorkerPool } from '../../sys/index.ts';
import type { Layer } from '../ports.ts';
import { CACHE_CONFIG_TYPE, MAX_CACHE_CONFIG_BYTES } from './cache-config.ts';
import { type CacheManifest, configOf, inlineOf, joinedConfig, manifestOf, objectOf } from './document-task.ts';
import type { RemoteCacheContent } from './remote-cache.ts';

/** Images of one index that are looked at for inline records. */
const MAX_IMAGES = 32;

/** A cache with the digest of the manifest that names it. */
export interface ReadCache extends RemoteCacheContent {
  readonly digest: Digest;
  /** Of the document with its records, where that is one of its own. */
  readonly configDigest?: Digest;
}

type ReadableRepository = Pick<Repository, 'getManifest' | 'getBlob'>;

const task = tasksOf<typeof import('./document-task.ts')>(siblingModule(import.meta.url, './document-task'));

interface ReadOptions extends AbortOptions {
  /** Reads and checks documents. Whoever has nobody to serve meanwhile does without. */
  readonly worker?: { readonly pool: WorkerPool; readonly owner: WorkOwner };
}

/**
 * Reads the caches that a name in a registry stands for: one of its own (as a manifest or an index), or those that images carry. Manifests and configs are
 * read, and no layer.
 * @throws CodedError not_found…, CACHE_MALFORMED
 */
export async function readCaches(
  repository: ReadableRepository,
  { tag, digest }: Pick<ImageReference, 'tag' | 'digest'>,
  options: ReadOptions,
): Promise<readonly ReadCache[]> {
  const { signal } = options;
  const get = async (name: string, maxBytes?: number) => {
    const { bytes, descriptor } = await repository.getManifest(name, {
      signal,
      ...(maxBytes === undefined ? {} : { maxBytes }),
    });
    const args = { bytes, mediaType: descriptor.mediaType };
    return { digest: descriptor.digest, manifest: await call(options, task('manifestOf'), manifestOf, args) };
  };
  const root = await get(digest ?? tag ?? 'latest', MAX_CACHE_CONFIG_BYTES);
  const { manifest } = root;
  if (manifest.kind === 'cache') {
    const bytes = await repository.getBlob(manifest.config, { signal, maxBytes: MAX_CACHE_CONFIG_BYTES });
    const texts = await call(options, task('configOf'), configOf, { bytes });
    const config = await inSlices(joinedConfig(texts), { signal });
    const layers = byDigest(manifest.layers);
    return [{ digest: root.digest, configDigest: manifest.config.digest, config, layers }];
  }
  if (manifest.kind === 'image') return present([await inlineCache(repository, root.digest, manifest, options)]);
  const caches: (ReadCache | undefined)[] = [];
  for (const image of manifest.images.slice(0, MAX_IMAGES)) {
    const one = await get(image);
    if (one.manifest.kind === 'image') caches.push(await inlineCache(repository, one.digest, one.manifest, options));
  }
  return present(caches);
}

async function call<A, R>({ signal, worker }: ReadOptions, to: Task<A, R>, here: (args: A) => R, args: A): Promise<R> {
  return worker === undefined ? here(args) : await worker.pool.run(to, args, { signal, owner: worker.owner });
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

async function inlineCache(
  repository: ReadableRepository,
  digest: Digest,
  { config: configured, layers }: Extract<CacheManifest, { kind: 'image' }>,
  options: ReadOptions,
): Promise<ReadCache | undefined> {
  const { signal } = options;
  const bytes = await repository.getBlob(configured, { signal, maxBytes: MAX_CONFIG_BYTES });
  const found = await call(options, task('inlineOf'), inlineOf, { bytes, layers });
  if (found === undefined) return undefined;
  return { digest, config: await inSlices(joinedConfig(found.config), { signal }), layers: byDigest(found.layers) };
}

/** Reads the cache of a store that keeps its config alone. @throws CodedError CACHE_MALFORMED */
export async function readObjectCache(bytes: Uint8Array, options: ReadOptions): Promise<ReadCache> {
  const { digest, ...found } = await call(options, task('objectOf'), objectOf, { bytes });
  const config = await inSlices(joinedConfig(found.config), options);
  return { digest, configDigest: digest, config, layers: byDigest(found.layers) };
}

function byDigest(layers: readonly Layer[]): ReadonlyMap<Digest, Layer> {
  return new Map(layers.map((layer) => [layer.descriptor.digest, layer]));
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
