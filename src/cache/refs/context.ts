import type { BuildLimits, Digest, Logger, WorkOptions, WorkOwner } from '../../base/index.ts';
import type { BestEffort, Pools } from '../../sys/index.ts';
import type { Database } from '../metadata/index.ts';
import type { BlobFetchers, Compression, ContentStore, Snapshotter } from '../ports.ts';

export interface PackedBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
  /** What made it, of the names that `oci/layers` gives. */
  readonly compressor: string;
  /** Of its descriptor. */
  readonly annotations?: Readonly<Record<string, string>>;
}

interface ConvertedBlob extends PackedBlob {
  /** Of all that the blob unpacks to that it was made of. */
  readonly sourceDiffId: Digest;
}

/** Of what may be packed before anybody waits for it. */
interface PackOptions extends WorkOptions {
  readonly bestEffort?: BestEffort | undefined;
}

/** Packing and unpacking of layers; `src/oci/layers` in a bulk worker. Paths are files and directories of ours. */
export interface LayerTools {
  /** Unpacks a blob into an empty overlay upper directory, `lowers` top first; verifies digest and diff id. */
  apply(
    args: {
      readonly blob: string;
      readonly directory: string;
      readonly lowers: readonly string[];
      readonly digest: Digest;
      readonly diffId: Digest;
      readonly limits: BuildLimits;
      readonly onProgress: (bytes: number) => void;
    },
    options: WorkOptions,
  ): Promise<void>;
  /** The same as an image, of a layer that stands on none, in the new file `image`; false, and the file is gone, when it has to be a directory. */
  index(
    args: {
      readonly blob: string;
      /** What it is to be mounted on: its root has this one's owner, mode and time. */
      readonly directory: string;
      readonly image: string;
      readonly digest: Digest;
      readonly diffId: Digest;
      readonly limits: BuildLimits;
      readonly onProgress: (bytes: number) => void;
    },
    options: WorkOptions,
  ): Promise<boolean>;
  /** Packs what an overlay upper directory changes of `below`, a view of the layers under it, into the file `into`. */
  pack(
    args: {
      readonly directory: string;
      readonly below: string | undefined;
      /** The directory is a view of all that there is to be. */
      readonly whole: boolean;
      readonly into: string;
      readonly compression: Compression;
    },
    options: PackOptions,
  ): Promise<PackedBlob>;
  /** Whether the layer can be laid on `lowers` (top first) as it lies; else the directory `into` is made, and holds what it changes. */
  restack(
    args: {
      readonly directory: string;
      readonly below: string | undefined;
      readonly whole: boolean;
      readonly lowers: readonly string[];
      readonly into: string;
    },
    options: WorkOptions,
  ): Promise<boolean>;
  /** The same tar in another compression; with `latest`, in seconds, no time in it is later. */
  convert(
    args: {
      readonly blob: string;
      readonly digest: Digest;
      readonly into: string;
      readonly compression: Compression;
      readonly latest?: number | undefined;
    },
    options: PackOptions,
  ): Promise<ConvertedBlob>;
}

/** What the parts of this room share. */
export interface RefsOptions {
  readonly db: Database;
  readonly content: ContentStore;
  readonly snapshotter: Snapshotter;
  readonly pools: Pools;
  /** Where views are mounted; emptied by its owner at start. */
  readonly mountDirectory: string;
  readonly tools: LayerTools;
  readonly log: Logger;
  /** What lazy refs are pulled by; a place of a kind that is not here gives nothing. */
  readonly fetchers?: BlobFetchers;
  /** Told of bytes that came from a place, by its name, for whoever began to pull them. */
  readonly onPulled?: ((owner: WorkOwner, source: string, bytes: number) => void) | undefined;
  /** Told when a stored result is removed, so that cache keys forget it. */
  readonly onResultDropped?: (resultId: string) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}
