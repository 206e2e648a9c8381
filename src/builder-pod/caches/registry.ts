import {
  annotate,
  CodedError,
  type Descriptor,
  formatImageReference,
  goJson,
  type ImageReference,
  inSlices,
  parseImageReference,
  withDefaultTag,
} from '../../base/index.ts';
import type { Compression, ImmutableRef, RefManager } from '../../cache/ports.ts';
import {
  type CacheManifestForm,
  encodeCacheConfig,
  encodeCacheManifest,
  MAX_CACHE_CONFIG_BYTES,
  readCaches,
  remoteCache,
} from '../../cache/remote/index.ts';
import { descriptorJson } from '../../oci/manifest/index.ts';
import type { Repository } from '../../oci/registry-client/index.ts';
import type { KeyReader, ResultStore } from '../../solver/index.ts';
import type { CachedBuild, CacheExporter, CacheImporter } from '../engine/index.ts';
import {
  compressionOf,
  type ExportContext,
  ExportOptions,
  type ExportResponse,
  layerSource,
  ociTypesOf,
  pushImage,
} from '../exporters/index.ts';
import { type CollectedCache, collectCache } from './collect.ts';

type Attributes = Readonly<Record<string, string>>;

export interface RegistryCacheDeps {
  readonly openRepository: (
    reference: ImageReference,
    options: { readonly insecure: boolean; readonly sessions: () => readonly string[] },
  ) => Repository;
  readonly refs: RefManager;
  readonly keys: KeyReader;
  readonly results: ResultStore<ImmutableRef>;
}

/** Annotations of a cache's layers that who reads it needs. */
const LAYER_ANNOTATIONS = ['containerd.io/uncompressed', 'buildkit/createdat', 'buildkit/description'];

function referenceOf(options: ExportOptions, what: string): ImageReference {
  const ref = options.text('ref') ?? '';
  if (ref === '')
    throw CodedError.of('CACHE_ATTRIBUTE', `ref required for registry cache ${what}`, {
      hint: 'add ref=<registry>/<repository>:<tag>',
    });
  try {
    return withDefaultTag(parseImageReference(ref));
  } catch (error) {
    throw annotate(error, `failed to parse ${ref}`);
  }
}

/** Caches in registries, and those that images there carry. */
export function registryCacheImporter({
  openRepository,
  refs,
}: Pick<RegistryCacheDeps, 'openRepository' | 'refs'>): CacheImporter {
  return {
    open: async (attrs, { signal, sessions }) => {
      const options = new ExportOptions('registry cache', attrs);
      const reference = referenceOf(options, 'importer');
      const insecure = options.boolean('registry.insecure', false, { empty: true });
      const { domain, path } = reference;
      const repository = openRepository(reference, { insecure, sessions });
      const caches = await readCaches(repository, reference, { signal });
      const place = { kind: 'registry', host: domain, repository: path, ...(insecure ? { insecure } : {}) } as const;
      const name = formatImageReference(reference);
      return await Promise.all(
        caches.map(({ digest, ...content }) =>
          remoteCache(content, { id: `${name} ${insecure} ${digest}`, name, places: [place], refs }, { signal }),
        ),
      );
    },
  };
}

/** Writes a cache to a registry. @throws CodedError for attributes that cannot be met */
export function registryCacheExporter(attrs: Attributes, deps: RegistryCacheDeps): CacheExporter {
  const options = new ExportOptions('registry cache', attrs);
  const reference = referenceOf(options, 'exporter');
  const insecure = options.boolean('registry.insecure', false, { empty: true });
  const ignoreError = options.boolean('ignore-error', false, { empty: true });
  const asked = ociTypesOf(options);
  const compression = compressionOf(options, asked);
  const form = formOf(options, asked ?? true);
  const mode = modeOf(options);
  return {
    name: 'exporting cache to registry',
    ignoreError,
    export: async (build, context) => {
      options.tellUnused(context);
      return await write(build, { reference, insecure, compression, mode, ...form }, deps, context);
    },
  };
}

function modeOf(options: ExportOptions): 'min' | 'max' {
  const mode = options.text('mode') ?? 'min';
  if (mode === 'min' || mode === 'max') return mode;
  throw CodedError.of('CACHE_ATTRIBUTE', `unknown cache export mode ${JSON.stringify(mode)}`, {
    hint: 'modes are min and max',
  });
}

/** An image manifest has OCI's types always. */
function formOf(options: ExportOptions, oci: boolean): CacheManifestForm {
  const imageManifest = options.boolean('image-manifest', oci, { empty: true });
  if (imageManifest && !oci)
    throw CodedError.of('CACHE_ATTRIBUTE', 'image-manifest=true is not possible with oci-mediatypes=false', {
      hint: 'leave one of them out',
    });
  return { imageManifest, oci };
}

interface WriteOptions extends CacheManifestForm {
  readonly reference: ImageReference;
  readonly insecure: boolean;
  readonly compression: Compression;
  readonly mode: 'min' | 'max';
}

async function write(
  build: CachedBuild,
  { reference, insecure, compression, mode, ...form }: WriteOptions,
  deps: RegistryCacheDeps,
  context: ExportContext,
): Promise<ExportResponse> {
  await using cache = await collectCache(build, { mode, compression }, deps, context);
  if (cache === undefined) return tooLarge(context);
  if (cache.left.length > 0)
    context.progress.warn({
      level: 1,
      short: `${cache.left.length} results are left out of the cache ${formatImageReference(reference)}`,
      detail: [String(cache.left[0])],
    });
  const { bytes, blobs } = await inSlices(encodeCacheConfig(cache.records), context);
  if (blobs.length === 0) {
    context.progress.warn({ level: 1, short: 'nothing of this build has layers, so no cache is written' });
    return {};
  }
  if (bytes.length > MAX_CACHE_CONFIG_BYTES) return tooLarge(context);
  const { config, manifest } = encodeCacheManifest(
    bytes,
    blobs.map((blob) => described(cache, blob, form.oci)),
    form,
  );
  const layers = [...new Set(blobs)].map((blob) => {
    const { ref, layer } = cache.layers.get(blob)!;
    return layerSource(layer.descriptor, ref, form.oci);
  });
  const image = {
    ...{ root: manifest.descriptor, rootDocument: manifest, manifests: [manifest], configs: [config], layers },
  };
  await pushImage(image, [reference], { insecure, byDigest: false }, deps, context);
  return { 'cache.manifest': goJson(descriptorJson(manifest.descriptor)) };
}

function tooLarge({ progress }: ExportContext): ExportResponse {
  progress.warn({
    level: 1,
    short: 'the cache of this build is not written: it has more records than any builder reads',
    detail: ['Builders read a mebibyte of them, which is some thousands of steps.'],
  });
  return {};
}

/** The descriptor of a layer with what its reader needs to know of it. */
function described(cache: CollectedCache, blob: string, oci: boolean): Descriptor {
  const { ref, layer } = cache.layers.get(blob)!;
  const annotations = layer.descriptor.annotations ?? {};
  const kept = LAYER_ANNOTATIONS.flatMap((key) =>
    annotations[key] === undefined ? [] : [[key, annotations[key]] as const],
  );
  const { descriptor } = layerSource(layer.descriptor, ref, oci);
  return { ...descriptor, annotations: { ...descriptor.annotations, ...Object.fromEntries(kept) } };
}
