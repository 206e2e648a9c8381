import {
  type AbortOptions,
  ANNOTATION_COMPRESSOR,
  ANNOTATION_UNCOMPRESSED,
  CodedError,
  type Descriptor,
  goJson,
  inSlices,
} from '../../base/index.ts';
import { type CacheManifestForm, encodeCacheConfig, encodeCacheManifest } from '../../cache/remote/index.ts';
import { descriptorJson, type EncodedDocument } from '../../oci/manifest/index.ts';
import { type ExportContext, type ExportOptions, withRow } from '../exporters/index.ts';
import type { CacheContent, CacheIndex, LayerToWrite } from './store.ts';

/** Annotations of a cache's layers that who reads it needs. */
const LAYER_ANNOTATIONS = [
  ...[ANNOTATION_UNCOMPRESSED, ANNOTATION_COMPRESSOR],
  ...['buildkit/createdat', 'buildkit/description'],
];

/** How a cache is kept that is named by a manifest or an index. An image's manifest has OCI's types always. @throws CodedError */
export function cacheFormOf(options: ExportOptions): CacheManifestForm {
  const oci = options.boolean('oci-mediatypes', true);
  const imageManifest = options.boolean('image-manifest', oci, { empty: true });
  if (imageManifest && !oci)
    throw CodedError.of('CACHE_ATTRIBUTE', 'image-manifest=true is not possible with oci-mediatypes=false', {
      hint: 'leave one of them out',
    });
  return { imageManifest, oci };
}

interface Documents {
  /** The config is a blob like any other. */
  readonly putConfig: (config: EncodedDocument, context: ExportContext) => Promise<unknown>;
  readonly putManifest: (manifest: EncodedDocument, context: ExportContext) => Promise<unknown>;
}

/** An index as a manifest with the config beside it. */
export async function encodeOciIndex(
  { records, layers }: CacheContent,
  form: CacheManifestForm,
  { putConfig, putManifest }: Documents,
  options: AbortOptions,
): Promise<CacheIndex> {
  const { bytes, blobs } = await inSlices(encodeCacheConfig(records), options);
  const described = blobs.map((blob) => describedLayer(layers.get(blob)!));
  const { config, manifest } = encodeCacheManifest(bytes, described, form);
  const { digest } = manifest.descriptor;
  return {
    configDigest: config.descriptor.digest,
    size: Math.max(bytes.length, manifest.bytes.length),
    blobs: [...new Set(blobs)],
    begin: async (context) => {
      await withRow(context, `writing config ${config.descriptor.digest}`, () => putConfig(config, context));
    },
    write: async (context) => {
      const what = form.imageManifest ? 'cache image manifest' : 'cache manifest';
      await withRow(context, `writing ${what} ${digest}`, () => putManifest(manifest, context));
      return { response: { 'cache.manifest': goJson(descriptorJson(manifest.descriptor)) }, digest };
    },
  };
}

/** The descriptor of a layer with what its reader needs to know of it. */
function describedLayer({ descriptor, source }: LayerToWrite): Descriptor {
  const annotations = descriptor.annotations ?? {};
  const kept = LAYER_ANNOTATIONS.flatMap((key) =>
    annotations[key] === undefined ? [] : [[key, annotations[key]] as const],
  );
  return { ...source.descriptor, annotations: { ...source.descriptor.annotations, ...Object.fromEntries(kept) } };
}
