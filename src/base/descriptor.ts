import type { Digest } from './digest.ts';
import type { Platform } from './platform.ts';

/** OCI content descriptor (image-spec, descriptor.md). `size` in bytes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  readonly artifactType?: string;
  readonly urls?: readonly string[];
  readonly data?: string;
}

/** Annotation of a layer descriptor: the digest of its uncompressed tar (containerd, BuildKit). */
export const ANNOTATION_UNCOMPRESSED = 'containerd.io/uncompressed';
/** Ours, of a layer in a cache: what packed it, where a builder of Slipway did. */
export const ANNOTATION_COMPRESSOR = 'build.slipway/compressor';
