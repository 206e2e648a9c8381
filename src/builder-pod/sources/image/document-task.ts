import { CodedError, type Descriptor, type Digest, formatPlatform, type Platform } from '../../../base/index.ts';
import { configPlatform, manifestsFor, parseImageConfig, parseManifestOrIndex } from '../../../oci/manifest/index.ts';

// Documents of images come from outside, and some are long: a worker reads and checks these, and hands on what is needed of them to find an image.

/** Manifests and indexes that are asked for to find one image. */
export const MAX_DOCUMENTS = 64;
/** What can be mounted: more would be found out after all of it was unpacked. */
export const MAX_LAYERS = 500;
/** Of all layers of an image. */
const MAX_ANNOTATIONS = 10_000;
/** Platforms that are named where none is the one that was wanted. */
const MAX_NAMED = 100;

/** A manifest or an index, as far as an image for one platform is found by it. */
type ImageDocument =
  | {
      readonly kind: 'index';
      /** What may be, or lead to, the image, best first. */
      readonly entries: readonly Descriptor[];
      /** What there is. */
      readonly platforms: readonly Platform[];
    }
  | {
      readonly kind: 'manifest';
      readonly config: Descriptor;
      /** Bottom first; one more than an image may have, where it has more. */
      readonly layers: readonly Descriptor[];
    };

/** @throws CodedError for what is neither */
export function imageDocument({
  bytes,
  mediaType,
  platform,
}: {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly platform: Platform;
}): ImageDocument {
  const parsed = parseManifestOrIndex(bytes, mediaType);
  if (parsed.kind === 'index') {
    const entries = manifestsFor(parsed.index, platform).slice(0, MAX_DOCUMENTS + 1);
    const platforms = new Map(
      parsed.index.manifests.flatMap(({ platform: one }) =>
        one === undefined ? [] : [[formatPlatform(one), one] as const],
      ),
    );
    return {
      kind: 'index',
      entries: entries.map(({ mediaType: type, digest, size, platform: of }) => ({
        ...{ mediaType: type, digest, size },
        ...(of === undefined ? {} : { platform: of }),
      })),
      platforms: [...platforms.values()].slice(0, MAX_NAMED),
    };
  }
  const { config, layers } = parsed.manifest;
  return {
    kind: 'manifest',
    config: { mediaType: config.mediaType, digest: config.digest, size: config.size },
    layers: checkedLayers(layers.slice(0, MAX_LAYERS + 1)),
  };
}

/** What an image's configuration says of its layers and of where it runs. @throws CodedError */
export function imageConfig({ bytes }: { readonly bytes: Uint8Array }): {
  readonly platform: Platform;
  readonly diffIds: readonly Digest[];
} {
  const image = parseImageConfig(bytes);
  return { platform: configPlatform(image), diffIds: image.rootfs.diff_ids };
}

/** A descriptor is kept with each ref of each chain. */
function checkedLayers(layers: readonly Descriptor[]): readonly Descriptor[] {
  const all = layers.reduce((sum, { annotations }) => sum + Object.keys(annotations ?? {}).length, 0);
  if (all > MAX_ANNOTATIONS)
    throw CodedError.of('OCI_TOO_LARGE', `the layers have ${all} annotations together, more than ${MAX_ANNOTATIONS}`);
  return layers;
}
