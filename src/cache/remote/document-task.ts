import {
  ANNOTATION_COMPRESSOR,
  ANNOTATION_UNCOMPRESSED,
  atOnce,
  type Descriptor,
  type Digest,
  digestOf,
  isDigest,
} from '../../base/index.ts';
import { TOC_DIGEST, UNCOMPRESSED_SIZE } from '../../oci/layers/index.ts';
import { isLayerType, isManifestType, parseImageConfig, parseManifestOrIndex } from '../../oci/manifest/index.ts';
import type { Layer } from '../ports.ts';
import { CACHE_CONFIG_TYPE, type CacheConfig, readCacheConfig, readInlineRecords } from './cache-config.ts';

import { INLINE_KEY } from './inline-records.ts';

// Documents of caches come from outside, and are long: a worker reads and checks them, and what it hands on is read in short steps.

const DESCRIPTION = 'buildkit/description';
const MAX_DESCRIPTION = 4096;
const COMPRESSOR = /^[\w./+-]{1,256}$/;
/** Entries of a list in one text. */
const PORTION = 50;

/** A manifest, as far as caches are read from it: of a cache, of an image that may carry one, or of several images. */
export type CacheManifest =
  | { readonly kind: 'cache'; readonly config: Descriptor; readonly layers: readonly Layer[] }
  | { readonly kind: 'image'; readonly config: Descriptor; readonly layers: readonly Descriptor[] }
  | { readonly kind: 'index'; readonly images: readonly Digest[] };

/** A checked config as JSON texts of some entries each. */
interface CacheConfigTexts {
  readonly layers: readonly string[];
  readonly records: readonly string[];
}

/** @throws CodedError for what is no manifest */
export function manifestOf({
  bytes,
  mediaType,
}: {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}): CacheManifest {
  const parsed = parseManifestOrIndex(bytes, mediaType);
  const listed = parsed.kind === 'index' ? parsed.index.manifests : [parsed.manifest.config, ...parsed.manifest.layers];
  const config = listed.find((one) => one.mediaType === CACHE_CONFIG_TYPE);
  if (config !== undefined) return { kind: 'cache', config: named(config), layers: layersOf(listed) };
  if (parsed.kind === 'index') {
    const images = parsed.index.manifests.filter(isImage).map(({ digest }) => digest);
    return { kind: 'index', images };
  }
  const { config: configured, layers } = parsed.manifest;
  return { kind: 'image', config: named(configured), layers: layers.map(named) };
}

/** @throws CodedError CACHE_MALFORMED */
export function configOf({ bytes }: { readonly bytes: Uint8Array }): CacheConfigTexts {
  return textsOf(atOnce(readCacheConfig(bytes)));
}

/** A config that says itself what its layers are. @throws CodedError CACHE_MALFORMED */
export function objectOf({ bytes }: { readonly bytes: Uint8Array }): {
  readonly digest: Digest;
  readonly config: CacheConfigTexts;
  readonly layers: readonly Layer[];
} {
  const config = atOnce(readCacheConfig(bytes));
  const described = config.layers.flatMap(({ blob, said }) => {
    if (said === undefined) return [];
    const annotations = {
      [ANNOTATION_UNCOMPRESSED]: said.diffID,
      ...(said.compressor === undefined ? {} : { [ANNOTATION_COMPRESSOR]: said.compressor }),
    };
    return [{ mediaType: said.mediaType, digest: blob, size: said.size, annotations }];
  });
  return { digest: digestOf(bytes), config: textsOf(config), layers: layersOf(described) };
}

/** What the configuration of an image of these layers carries; undefined where that is nothing. @throws CodedError */
export function inlineOf({
  bytes,
  layers,
}: {
  readonly bytes: Uint8Array;
  readonly layers: readonly Descriptor[];
}): { readonly config: CacheConfigTexts; readonly layers: readonly Layer[] } | undefined {
  const image = parseImageConfig(bytes);
  const records = (image as { readonly [INLINE_KEY]?: unknown })[INLINE_KEY];
  const { diff_ids: diffIds } = image.rootfs;
  if (typeof records !== 'string' || records === '' || diffIds.length !== layers.length) return undefined;
  const described = layers.map((layer, i) => ({
    ...layer,
    annotations: { ...layer.annotations, [ANNOTATION_UNCOMPRESSED]: diffIds[i] as Digest },
  }));
  const blobs = layers.map(({ digest }) => digest);
  const config = atOnce(readInlineRecords(Buffer.from(records, 'base64'), blobs));
  return { config: textsOf(config), layers: layersOf(described) };
}

/** The config again. Yields after each text. */
export function* joinedConfig({ layers, records }: CacheConfigTexts): Generator<void, CacheConfig, void> {
  // Checked by who wrote them.
  const config: CacheConfig = { layers: [], records: [] };
  for (const [texts, list] of [
    [layers, config.layers],
    [records, config.records],
  ] as const) {
    for (const text of texts) {
      (list as unknown[]).push(...(JSON.parse(text) as unknown[]));
      yield;
    }
  }
  return config;
}

function textsOf({ layers, records }: CacheConfig): CacheConfigTexts {
  const texts = (list: readonly unknown[]) =>
    Array.from({ length: Math.ceil(list.length / PORTION) }, (_, n) =>
      JSON.stringify(list.slice(n * PORTION, (n + 1) * PORTION)),
    );
  return { layers: texts(layers), records: texts(records) };
}

function isImage({ mediaType, annotations }: Descriptor): boolean {
  return isManifestType(mediaType) && annotations?.['vnd.docker.reference.type'] === undefined;
}

/** With no more than anybody reads of it: which step it is of, and that it is an eStargz. */
function named({ mediaType, digest, size, annotations = {} }: Descriptor): Descriptor {
  const { [DESCRIPTION]: text, [TOC_DIGEST]: table, [UNCOMPRESSED_SIZE]: unpacked } = annotations;
  const kept = {
    ...(text === undefined ? {} : { [DESCRIPTION]: text.slice(0, MAX_DESCRIPTION) }),
    ...(table === undefined || !isDigest(table) ? {} : { [TOC_DIGEST]: table }),
    ...(unpacked === undefined || !/^\d{1,16}$/.test(unpacked) ? {} : { [UNCOMPRESSED_SIZE]: unpacked }),
  };
  return { mediaType, digest, size, ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }) };
}

/**
 * Those that say what they are when they are unpacked: of what does not nothing can be made. A descriptor is kept with each ref of each chain, so nothing comes
 * with it that nobody reads.
 */
function layersOf(descriptors: readonly Descriptor[]): readonly Layer[] {
  return descriptors.flatMap((descriptor): Layer[] => {
    const diffId = descriptor.annotations?.[ANNOTATION_UNCOMPRESSED];
    if (!isLayerType(descriptor.mediaType) || diffId === undefined || !isDigest(diffId)) return [];
    const { annotations, ...kept } = named(descriptor);
    const compressor = descriptor.annotations?.[ANNOTATION_COMPRESSOR];
    return [
      {
        descriptor: { ...kept, annotations: { [ANNOTATION_UNCOMPRESSED]: diffId, ...annotations } },
        diffId,
        ...(compressor === undefined || !COMPRESSOR.test(compressor) ? {} : { compressor }),
      },
    ];
  });
}
