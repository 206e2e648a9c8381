import type { Attestation, Digest, Platform } from '../../base/index.ts';
import type { FileStat } from '../../builder-api/fsutil/index.ts';
import type {
  CacheImport as BridgeCacheImport,
  CallOptions as BridgeCall,
  ResolvedImage as BridgeImage,
  FileRange as BridgeRange,
  FrontendWarning as BridgeWarning,
  ImageConfigRequest,
} from '../../dockerfile/index.ts';
import type { Definition, ExecMeta, ExecMount, ExecOp, SourceOp } from '../../llb/index.ts';
import type { Process } from '../executor/index.ts';

/** What the built-in frontend asks in the same words. */
export type { BridgeCacheImport, BridgeCall, BridgeImage, BridgeRange, BridgeWarning };

/**
 * What a frontend may ask of the solve that runs it: LLBBridge's calls as plain values. The engine implements
 * it once for each solve; built-in frontends reach it from their thread, frontend images and clients over gRPC.
 * Refs are ids within the solve; an empty id is scratch.
 */
export interface FrontendBridge {
  /** The session whose local directories a `local://` source reads unless it names another. */
  readonly sessionId: string;
  /** At least one. */
  readonly workers: readonly BridgeWorker[];
  /** LLB capability ids that the engine has. */
  readonly llbCaps: readonly string[];
  solve(request: BridgeSolveRequest, options: BridgeCall): Promise<BridgeResult>;
  /** Without `length` up to the end. Bounded by one message (16 MiB); longer ranges fail with out_of_range. */
  readFile(ref: string, path: string, range: BridgeRange | undefined, options: BridgeCall): Promise<Uint8Array>;
  readDir(
    ref: string,
    path: string,
    includePattern: string | undefined,
    options: BridgeCall,
  ): Promise<readonly BridgeStat[]>;
  statFile(ref: string, path: string, options: BridgeCall): Promise<BridgeStat>;
  /** Computes a lazy ref. */
  evaluate(ref: string, options: BridgeCall): Promise<void>;
  resolveImageConfig(request: BridgeImageRequest, options: BridgeCall): Promise<BridgeImage>;
  resolveSourceMeta(request: BridgeSourceMetaRequest, options: BridgeCall): Promise<BridgeSourceMeta>;
  /** Graphs given with this frontend's request. */
  inputs(options: BridgeCall): Promise<ReadonlyMap<string, Definition>>;
  warn(warning: BridgeWarning): void;
  /** Makes a container with the mounts' refs computed; nothing runs in it yet. It ends with the build if not before. */
  newContainer(request: BridgeContainerRequest, options: BridgeCall): Promise<void>;
  /** One that was made under this id. @throws CodedError not_found */
  container(id: string): BridgeContainer;
}

export interface BridgeContainerRequest {
  /** The asker's name for it. */
  readonly id: string;
  /** One at `/` at least. `resultId` is the ref that a mount is of; none is scratch. What is written in them is thrown away with the container. */
  readonly mounts: readonly ExecMount[];
  readonly network: ExecOp['network'];
  readonly hostname: string;
  readonly extraHosts: ExecMeta['extraHosts'];
}

export interface BridgeContainer extends AsyncDisposable {
  /** Starts the first process, with whose end all end, or another one beside it. */
  start(process: BridgeProcess, options: BridgeCall): Promise<Process>;
  /** These read what is in a mount, by its place among those that were asked for, also before and after processes; links lead on in the mount alone. */
  readFile(mount: number, path: string, range: BridgeRange | undefined, options: BridgeCall): Promise<Uint8Array>;
  readDir(
    mount: number,
    path: string,
    includePattern: string | undefined,
    options: BridgeCall,
  ): Promise<readonly BridgeStat[]>;
  statFile(mount: number, path: string, options: BridgeCall): Promise<BridgeStat>;
}

export interface BridgeProcess {
  readonly meta: ExecMeta;
  readonly stdin: boolean;
  readonly tty: boolean;
  /** The first one's is the container's. */
  readonly security: ExecOp['security'];
  readonly secretEnv: ExecOp['secretEnv'];
}

export interface BridgeWorker {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly platforms: readonly Platform[];
}

/** A graph, or another frontend with its options and inputs. */
export interface BridgeSolveRequest {
  /** Encoded: so it goes from thread to thread without a copy. */
  readonly definition?: Uint8Array;
  readonly frontend?: string;
  readonly frontendOptions?: ReadonlyMap<string, string>;
  readonly frontendInputs?: ReadonlyMap<string, Definition>;
  /** Compute the result before returning; otherwise faults show at the first use of a ref. */
  readonly evaluate?: boolean;
  readonly cacheImports?: readonly BridgeCacheImport[];
}

export interface BridgeRef {
  readonly id: string;
  /** The graph as it was asked for. */
  readonly definition?: Uint8Array | undefined;
}

/** One ref or one for each platform; neither for answers that are metadata only. */
export interface BridgeResult {
  readonly ref?: BridgeRef;
  readonly refs?: ReadonlyMap<string, BridgeRef>;
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  readonly attestations?: ReadonlyMap<string, readonly BridgeAttestation[]>;
  /** By platform id what the builder is to scan beside the result, where an SBOM is asked for and no scanner named: `ref` undefined is scratch. */
  readonly scans?: ReadonlyMap<string, readonly { readonly name: string; readonly ref: BridgeRef | undefined }[]>;
}

export type BridgeAttestation = Attestation<BridgeRef>;

export interface BridgeSourceMetaRequest {
  readonly source: SourceOp;
  readonly platform?: Platform;
  readonly resolveMode: string;
  readonly logName: string;
  /** Git: return the commit and tag objects too. */
  readonly gitObject?: boolean;
  /** Image: the digest alone. */
  readonly noConfig?: boolean;
}

export interface BridgeSourceMeta {
  readonly source: SourceOp;
  readonly image?: { readonly digest: Digest; readonly config: Uint8Array };
  readonly git?: {
    readonly checksum: string;
    readonly ref: string;
    readonly commitChecksum: string;
    readonly commitObject?: Uint8Array;
    readonly tagObject?: Uint8Array;
  };
  /** `lastModified` in milliseconds since the epoch. */
  readonly http?: { readonly checksum: Digest; readonly filename: string; readonly lastModified?: number };
}

/** Attributes are not told. */
export type BridgeStat = Omit<FileStat, 'xattrs'>;

export interface BridgeImageRequest extends ImageConfigRequest {
  readonly reference: string;
}
