import type {
  AbortOptions,
  Attestation,
  BuildLimits,
  Descriptor,
  Digest,
  ImageReference,
  WorkOptions,
} from '../../base/index.ts';
import type { Compression, ContentStore, ImmutableRef, Layer } from '../../cache/ports.ts';
import type { BlobSource, UploadOptions, UploadOutcome } from '../../oci/registry-client/index.ts';
import type { BundleRepository } from '../../oci/signature/index.ts';
import type { VertexProgress } from '../../solver/ports.ts';
import type { StreamPool, WorkerPool } from '../../sys/index.ts';
import type { Outflow } from './outflow.ts';

export interface ExportAttestation extends Attestation<ImmutableRef> {
  /** Of one that lies in no ref: makes its predicate, as JSON without spaces. */
  readonly content?: (context: WorkOptions) => Promise<Uint8Array>;
}

/** What a build made. One ref, or one for each platform id (`linux/amd64`) as `refs.platforms` in the metadata lists them. */
export interface ExportSource {
  readonly ref?: ImmutableRef | undefined;
  readonly refs?: ReadonlyMap<string, ImmutableRef | undefined> | undefined;
  /** Result metadata, e.g. `containerimage.config` or `containerimage.config/linux/amd64`. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** By platform id. */
  readonly attestations?: ReadonlyMap<string, readonly ExportAttestation[]>;
}

export interface ExportContext extends WorkOptions {
  /** Of the exporter's own vertex. */
  readonly progress: VertexProgress;
  /** Sessions whose credentials may be used. */
  readonly sessions: () => readonly string[];
  /** Of the build. */
  readonly limits?: (() => BuildLimits) | undefined;
  /** Where images are to carry a cache. */
  readonly inlineRecords?: InlineRecords | undefined;
  /** The build says what time it is to be: its layers, in whichever output, are packed as every builder packs them. */
  readonly reproducible?: boolean | undefined;
  /** Told of each blob that a registry has of it now: how it came there, and its size in bytes. */
  readonly moved?: ((how: UploadOutcome, bytes: number) => void) | undefined;
  /** Position among the exporters of the solve; the client's files go there. */
  readonly exporterId: number;
}

/**
 * What an image is to carry of the cache by which its parts are found; undefined for nothing. Its layers are given as they were packed, whatever was made of them for the image: records know no others,
 * and tell them by their position.
 */
export type InlineRecords = (
  image: { readonly ref: ImmutableRef; readonly layers: readonly Layer[]; readonly latest: number | undefined },
  compression: Compression,
  context: ExportContext,
) => Promise<Uint8Array | undefined>;

/** Keys of the solve response. */
export type ExportResponse = Readonly<Record<string, string>>;

export interface ExportResult {
  readonly response: ExportResponse;
  /** The manifest or index made, for build history. */
  readonly descriptor?: Descriptor | undefined;
  /** Documents and configurations of it that lie in the content store. */
  readonly kept?: readonly Digest[];
  readonly image?: ExportedImage;
}

/** An image that was made, and pushed where asked. */
export interface ExportedImage {
  /** The manifest or index. */
  readonly root: Descriptor;
  /** Full names with tags that it is to have in registries; empty when it was not pushed. */
  readonly names: readonly string[];
  /** Whether its registries may be spoken to without verification. */
  readonly insecure: boolean;
  /** Bytes of documents, configurations and layers together. */
  readonly size: number;
  /** E.g. `linux/amd64`. */
  readonly platforms: readonly string[];
  /** Types of the predicates that lie beside it. */
  readonly attested: readonly string[];
  /** What an index names for each platform; of a single manifest itself. */
  readonly parts: readonly ImagePart[];
  /** Names of its signatures, one a repository. */
  readonly signatures: readonly string[];
}

/** The image of one platform. */
export interface ImagePart {
  readonly platform: string;
  /** Of its manifest. */
  readonly digest: Digest;
  /** Bytes of manifest, configuration and layers together. */
  readonly size: number;
  /** Types of the predicates that are attested of it. */
  readonly attested: readonly string[];
}

/** One output of a build, its attributes already checked. */
export interface Exporter {
  readonly type: ExporterType;
  /** Name of its vertex, e.g. `exporting to image`. */
  readonly name: string;
  /** How it wants layers, when it makes any: they can be packed before, and a cache export can use the same. */
  readonly compression?: Compression;
  /** Takes results of which its image will consist, each packed, while later steps run. Whatever goes wrong, {@link export} meets it, too. */
  readonly ahead?:
    | {
        /** Registries that it gives them to. */
        readonly hosts: readonly string[];
        push(ref: ImmutableRef, context: ExportContext): Promise<void>;
        stop(): void;
      }
    | undefined;
  export(source: ExportSource, context: ExportContext): Promise<ExportResult>;
}

type ExporterType = 'image' | 'oci' | 'docker' | 'local' | 'tar';

/** Where in the client a result goes. */
export interface SendTarget {
  readonly exporterId: number;
  readonly response: ExportResponse;
  readonly multiPlatform?: boolean;
}

/** Sends files to the client of the build; the session room implements it. */
export interface SessionFileSender {
  /** False when the client has it already. */
  sendFile(
    target: SendTarget,
    source: AsyncIterable<Uint8Array>,
    options: AbortOptions & { readonly onProgress?: (bytes: number) => void },
  ): Promise<boolean>;
  /** Trees as one. */
  sendTrees(
    target: SendTarget,
    trees: readonly SentTree[],
    options: AbortOptions & { readonly onProgress?: (bytes: number) => void },
  ): Promise<void>;
}

export interface SentTree {
  readonly directory: string;
  /** Puts everything below a directory of this name. */
  readonly prefix?: { readonly name: string; readonly mtimeNs: bigint };
  /** The modification time of everything; undefined leaves each its own. */
  readonly mtimeNs?: bigint;
}

/** The client's content store `export`, for layouts that are no tar. */
interface SessionContentSink {
  has(descriptor: Descriptor, options: AbortOptions): Promise<boolean>;
  write(descriptor: Descriptor, content: ReadableStream<Uint8Array>, options: AbortOptions): Promise<void>;
}

/** A repository to push to; the registry client's `Repository` is one. */
export interface PushRepository extends BundleRepository {
  pushBlob(source: BlobSource, options: UploadOptions): Promise<UploadOutcome>;
  putManifest(
    reference: string,
    manifest: { readonly mediaType: string; readonly bytes: Uint8Array },
    options: AbortOptions,
  ): Promise<Descriptor>;
}

/** What the first of these sessions that is there offers. */
type FromClient<T> = (sessions: readonly string[], options: AbortOptions) => T | undefined | Promise<T | undefined>;

export interface ExporterDeps {
  /** For what is pushed while its build goes on. */
  readonly outflow: Outflow;
  readonly content: ContentStore;
  readonly bulk: WorkerPool;
  /** For what goes at a client's pace. */
  readonly streams: StreamPool;
  /** For empty trees and other short-lived things of ours. */
  readonly tempDirectory: string;
  /** `insecure`: TLS is not verified, plain HTTP is allowed. */
  readonly openRepository: (
    reference: ImageReference,
    options: {
      readonly insecure: boolean;
      readonly sessions: () => readonly string[];
      /** Told, a line at a time, why it takes long. */
      readonly told?: (line: string) => void;
    },
  ) => PushRepository;
  /** The client that asked for the build; undefined when it takes no files. */
  readonly fileSender?: FromClient<SessionFileSender> | undefined;
  /** A secret of the client, for signing. */
  readonly secret?: (id: string, sessions: readonly string[], options: AbortOptions) => Promise<Uint8Array | undefined>;
  readonly contentSink?: FromClient<SessionContentSink> | undefined;
}
