import { CodedError, type Descriptor } from '../../base/index.ts';
import type { BlobPlace, ImmutableRef } from '../../cache/ports.ts';
import { foreignMediaType, layerCompression, layerMediaType } from '../../oci/manifest/index.ts';
import type { ExportContext } from './ports.ts';

const DISTRIBUTION_SOURCE = 'containerd.io/distribution.source.';

/** The epoch that a layer's times were brought down to. */
export const REWRITTEN_TIMES = 'buildkit/rewritten-timestamp';

type Access = Pick<ExportContext, 'signal' | 'owner' | 'sessions' | 'limits'>;

/** A layer blob and how to get at it. */
export interface LayerSource {
  /** As the manifest names it. */
  readonly descriptor: Descriptor;
  /** Repositories by registry host that may hold it already. */
  readonly sources: Readonly<Record<string, readonly string[]>>;
  open(context: Access): Promise<ReadableStream<Uint8Array>>;
  /** Whether what is here of it is what the digest says. @throws LostResultError when not, so that it is made anew */
  check(context: Access): Promise<void>;
  /** A place has it now. */
  givenTo(place: BlobPlace): void;
}

interface LayerOptions {
  /** OCI media types, or Docker's. */
  readonly oci: boolean;
  /** What is said to be had elsewhere stays so. */
  readonly keepForeign?: boolean;
}

/** A layer of a ref under its final type, without the annotations that are the builder's own business. */
export function layerSource(
  layer: Descriptor,
  ref: ImmutableRef | undefined,
  { oci, keepForeign = false }: LayerOptions,
): LayerSource {
  const { annotations = {}, mediaType, digest, size, urls = [] } = layer;
  const isForeign = keepForeign && urls.length > 0;
  const compression = layerCompression(mediaType);
  // Docker's manifests have none.
  const kept = Object.entries(oci ? annotations : {}).filter(
    ([key]) =>
      key === REWRITTEN_TIMES ||
      key.startsWith('containerd.io/snapshot/stargz/') ||
      !/^(?:buildkit|build\.slipway|containerd\.io)\//.test(key),
  );
  const sources = Object.entries(annotations)
    .filter(([key]) => key.startsWith(DISTRIBUTION_SOURCE))
    .map(([key, value]) => [key.slice(DISTRIBUTION_SOURCE.length), value.split(',').filter(Boolean)] as const);
  return {
    descriptor: {
      mediaType:
        compression === undefined ? mediaType : (isForeign ? foreignMediaType : layerMediaType)(compression, oci),
      digest,
      size,
      ...(isForeign ? { urls } : {}),
      ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
    },
    sources: Object.fromEntries(sources),
    open: (access) => {
      if (ref === undefined) throw new CodedError('internal', `layer ${digest} belongs to no ref`);
      return ref.openBlob(layer, access);
    },
    check: async ({ signal, owner, sessions, limits }) => {
      await ref?.check({ signal, owner, sessions, limits, blob: layer });
    },
    givenTo: (place) => ref?.givenTo(layer, place),
  };
}
