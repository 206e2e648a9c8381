import type { Digest, Platform } from '../base/index.ts';

/**
 * LLB ops as plain values: the fields of `pb` in camelCase. Indexes, sizes and modes are numbers, times in
 * nanoseconds are bigint. Proto defaults are always filled in (empty list, empty string, 0, false), so code never asks twice.
 */
export interface Op {
  readonly inputs: readonly Input[];
  readonly platform?: Platform;
  /** Worker filters; an absent list and an empty one are different bytes. */
  readonly constraints?: readonly string[];
  readonly body: OpBody;
}

/** Output `index` of the op with this wire digest. */
export interface Input {
  readonly digest: Digest;
  readonly index: number;
}

/** `pointer` is the last entry of a Definition: no body, one input. */
export type OpBody =
  | { readonly kind: 'exec'; readonly exec: ExecOp }
  | { readonly kind: 'source'; readonly source: SourceOp }
  | { readonly kind: 'file'; readonly file: FileOp }
  | { readonly kind: 'build'; readonly build: BuildOp }
  | { readonly kind: 'merge'; readonly merge: { readonly inputs: readonly number[] } }
  | { readonly kind: 'diff'; readonly diff: { readonly lower: number; readonly upper: number } }
  | { readonly kind: 'passthrough'; readonly passthrough: { readonly id: string; readonly outputs: readonly number[] } }
  | { readonly kind: 'pointer' };

/** No input (scratch) where an input index is asked. */
export const EMPTY_INPUT = -1;
/** The mount or action has no output. */
export const SKIP_OUTPUT = -1;

export interface ExecOp {
  readonly meta: ExecMeta;
  readonly mounts: readonly ExecMount[];
  readonly network: 'unset' | 'host' | 'none';
  readonly security: 'sandbox' | 'insecure';
  readonly secretEnv: readonly { readonly id: string; readonly name: string; readonly optional: boolean }[];
  readonly cdiDevices: readonly { readonly name: string; readonly optional: boolean }[];
}

export interface ExecMeta {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly proxyEnv?: ProxyEnv;
  readonly extraHosts: readonly { readonly host: string; readonly ip: string }[];
  readonly hostname: string;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly cgroupParent: string;
  readonly removeMountStubsRecursive: boolean;
  readonly validExitCodes: readonly number[];
}

export interface ProxyEnv {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly ftpProxy: string;
  readonly noProxy: string;
  readonly allProxy: string;
}

export interface ExecMount {
  readonly input: number;
  readonly selector: string;
  readonly dest: string;
  readonly output: number;
  readonly readonly: boolean;
  readonly type: 'bind' | 'secret' | 'ssh' | 'cache' | 'tmpfs';
  readonly tmpfs?: { readonly size: number };
  readonly cache?: { readonly id: string; readonly sharing: 'shared' | 'private' | 'locked' };
  readonly secret?: SecretMount;
  readonly ssh?: SecretMount;
  readonly resultId: string;
  readonly contentCache: 'default' | 'on' | 'off';
}

export interface SecretMount {
  readonly id: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly optional: boolean;
}

/** `identifier` such as `docker-image://…`, `local://…`, `git://…`, `https://…`. */
export interface SourceOp {
  readonly identifier: string;
  readonly attrs: Readonly<Record<string, string>>;
}

export interface FileOp {
  readonly actions: readonly FileAction[];
}

/** `input`, `secondaryInput`: below the number of op inputs an op input, from there on the result of an earlier action; -1 is scratch. */
export interface FileAction {
  readonly input: number;
  readonly secondaryInput: number;
  readonly output: number;
  readonly body:
    | { readonly kind: 'copy'; readonly copy: FileCopy }
    | { readonly kind: 'mkfile'; readonly mkfile: FileMkfile }
    | { readonly kind: 'mkdir'; readonly mkdir: FileMkdir }
    | {
        readonly kind: 'rm';
        readonly rm: { readonly path: string; readonly allowNotFound: boolean; readonly allowWildcard: boolean };
      }
    | { readonly kind: 'symlink'; readonly symlink: FileSymlink };
}

/** `timestamp` in nanoseconds since the epoch, -1n unset; `mode` -1 keeps the source's. */
export interface FileCopy {
  readonly src: string;
  readonly dest: string;
  readonly owner?: ChownOpt;
  readonly mode: number;
  readonly modeStr: string;
  readonly followSymlink: boolean;
  readonly dirCopyContents: boolean;
  readonly attemptUnpack: boolean;
  readonly createDestPath: boolean;
  readonly allowWildcard: boolean;
  readonly allowEmptyWildcard: boolean;
  readonly timestamp: bigint;
  readonly includePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
  readonly alwaysReplaceExistingDestPaths: boolean;
  readonly requiredPaths: readonly string[];
}

export interface FileMkfile {
  readonly path: string;
  readonly mode: number;
  readonly data: Uint8Array;
  readonly owner?: ChownOpt;
  readonly timestamp: bigint;
}

export interface FileMkdir {
  readonly path: string;
  readonly mode: number;
  readonly makeParents: boolean;
  readonly owner?: ChownOpt;
  readonly timestamp: bigint;
}

export interface FileSymlink {
  readonly oldPath: string;
  readonly newPath: string;
  readonly owner?: ChownOpt;
  readonly timestamp: bigint;
}

export interface ChownOpt {
  readonly user?: UserOpt;
  readonly group?: UserOpt;
}

/** A numeric id, or a name looked up in /etc/passwd or /etc/group of op input `input`. */
export type UserOpt = { readonly id: number } | { readonly name: string; readonly input: number };

export interface BuildOp {
  readonly builder: number;
  readonly inputs: Readonly<Record<string, number>>;
  readonly definition?: Definition;
  readonly attrs: Readonly<Record<string, string>>;
}

export interface OpMetadata {
  readonly ignoreCache: boolean;
  readonly description: Readonly<Record<string, string>>;
  readonly exportCache?: boolean;
  readonly caps: Readonly<Record<string, boolean>>;
  readonly progressGroup?: ProgressGroup;
  readonly linuxResources?: LinuxResources;
}

export interface ProgressGroup {
  readonly id: string;
  readonly name: string;
  readonly weak: boolean;
}

export interface LinuxResources {
  readonly memory: number;
  readonly memorySwap: number;
  readonly cpuShares: number;
  readonly cpuPeriod: number;
  readonly cpuQuota: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
}

/** A serialized graph as it travels: op bytes (inputs before users, pointer last), metadata and locations by wire digest. */
export interface Definition {
  readonly ops: readonly Uint8Array[];
  readonly metadata: ReadonlyMap<Digest, OpMetadata>;
  readonly source?: SourceMap;
}

export interface SourceMap {
  readonly infos: readonly SourceInfo[];
  readonly locations: ReadonlyMap<Digest, readonly SourceLocation[]>;
}

export interface SourceInfo {
  readonly filename: string;
  readonly data: Uint8Array;
  readonly language: string;
  readonly definition?: Definition;
}

export interface SourceLocation {
  readonly sourceIndex: number;
  readonly ranges: readonly SourceRange[];
}

/** Lines are 1-based, characters 0-based. */
export interface SourceRange {
  readonly start: { readonly line: number; readonly character: number };
  readonly end: { readonly line: number; readonly character: number };
}
