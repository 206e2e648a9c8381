import type { Attestation, Digest, Platform } from '../base/index.ts';
import type { Definition, SourceInfo, SourceOp, SourceRange } from '../llb/op.ts';

/**
 * What the Dockerfile frontend asks of whoever runs it: the verbs of the LLBBridge protocol as plain calls, so that the same code runs
 * in a worker of the engine or, behind a gRPC client, in a frontend image. Every call takes a signal and fails with a CodedError.
 */
export interface DockerfileClient {
  /** Frontend options (`target`, `build-arg:X`, `context:NAME`, …). */
  readonly options: ReadonlyMap<string, string>;
  /** The session whose local directories a `local://` source reads unless an option names another. */
  readonly sessionId: string;
  /** Platforms of the first worker; the first is the build platform. */
  readonly buildPlatforms: readonly Platform[];
  /** LLB capabilities that the engine announced. */
  readonly llbCaps: ReadonlySet<string>;
  /** Solves a graph, lazily unless `evaluate`. Undefined for an empty graph (scratch). */
  solve(request: FrontendSolveRequest, options: CallOptions): Promise<FrontendRef | undefined>;
  /** Resolves an image name to a digest and its config for one platform. */
  resolveImageConfig(reference: string, request: ImageConfigRequest, options: CallOptions): Promise<ResolvedImage>;
  /** When the content of a source was made, in seconds since the epoch, by what the source says; undefined for one that does not. */
  sourceTime(source: SourceOp, request: SourceTimeRequest, options: CallOptions): Promise<number | undefined>;
  /** The newest modification time of the regular files in an archive (tar, packed or not); undefined for a file that is none. */
  newestInArchive(ref: FrontendRef, path: string, options: CallOptions): Promise<number | undefined>;
  /** Hands the build to another frontend. Throws `unimplemented` where there is none. */
  forward(frontend: ForwardRequest, options: CallOptions): Promise<FrontendResult>;
  /** Graphs given with the build (`input:NAME` contexts). */
  inputs(options: CallOptions): Promise<ReadonlyMap<string, Definition>>;
  /** Shows a warning at a vertex; never fails the build. */
  warn(warning: FrontendWarning): void;
}

export interface CallOptions {
  readonly signal: AbortSignal;
}

export interface FrontendSolveRequest {
  readonly definition: Definition;
  readonly evaluate?: boolean;
  readonly cacheImports?: readonly CacheImport[];
}

export interface CacheImport {
  readonly type: string;
  readonly attrs: Readonly<Record<string, string>>;
}

/** A solved graph. Paths are inside its root; symbolic links are followed inside it. */
export interface FrontendRef {
  readonly id: string;
  readFile(path: string, range: FileRange | undefined, options: CallOptions): Promise<Uint8Array>;
  statFile(path: string, options: CallOptions): Promise<FileStat>;
}

/** Bytes; without `length` up to the end. */
export interface FileRange {
  readonly offset: number;
  readonly length?: number;
}

interface SourceTimeRequest {
  /** The name of the vertex that shows the lookup. */
  readonly logName: string;
}

interface FileStat {
  readonly size: number;
}

export interface ImageConfigRequest {
  readonly platform?: Platform;
  /** `default`, `pull` or `local`. */
  readonly resolveMode: string;
  /** The name of the vertex that shows the lookup. */
  readonly logName: string;
  /** Look in a content store of the client instead of a registry. */
  readonly ociLayout?: { readonly sessionId: string; readonly storeId: string };
}

export interface ResolvedImage {
  /** The name, perhaps rewritten by policy. */
  readonly reference: string;
  readonly digest: Digest | '';
  /** Image config JSON. */
  readonly config: Uint8Array;
}

export interface ForwardRequest {
  readonly frontend: string;
  readonly options: ReadonlyMap<string, string>;
  readonly inputs: ReadonlyMap<string, Definition>;
}

export interface FrontendWarning {
  readonly vertex: Digest;
  readonly level: number;
  readonly message: string;
  readonly detail: readonly string[];
  readonly url: string;
  readonly source?: SourceInfo;
  readonly ranges: readonly SourceRange[];
}

/** What a frontend returns: one ref, or one for each platform (`refs`), and metadata. */
export interface FrontendResult {
  /** Undefined is scratch. */
  readonly ref?: FrontendRef | undefined;
  readonly refs?: ReadonlyMap<string, FrontendRef | undefined>;
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** By platform id. */
  readonly attestations?: ReadonlyMap<string, readonly Attestation<FrontendRef>[]>;
  /** What the builder is to scan beside the result, by platform id, where the build asks for an SBOM and names no scanner. */
  readonly scans?: ReadonlyMap<string, readonly FrontendScan[]>;
}

export interface FrontendScan {
  /** Of a stage, or `context`. */
  readonly name: string;
  /** Undefined is scratch. */
  readonly ref: FrontendRef | undefined;
}

export type { Definition };
