import type { BuildLimits, BuildTrust, CodedError } from '../../base/index.ts';
import type { Definition } from '../../llb/index.ts';
import type { CacheScope } from '../../solver/index.ts';
import type { ExportedImage, ExportResult } from '../exporters/index.ts';
import type { BridgeCacheImport } from '../frontends/index.ts';
import type { BuiltProvenance } from './attesting.ts';
import type { Build } from './build.ts';
import type { MovedBytes } from './moved-bytes.ts';

export interface SolveRequest {
  /** The client's name for the build; unique among those known. */
  readonly ref: string;
  /** Session of the client; empty for none. */
  readonly session: string;
  /** Who asks: the same object for all that comes by one connection. What one of a client's builds was asked for, provenance of its others may tell. */
  readonly client?: object;
  /** Solve this… */
  readonly definition?: Definition;
  /** The same as it came. */
  readonly encodedDefinition?: Uint8Array;
  /** …or what this frontend makes; with neither, a frontend in the client drives the build and hands in its result. */
  readonly frontend?: string;
  readonly frontendAttrs: ReadonlyMap<string, string>;
  readonly frontendInputs: ReadonlyMap<string, Definition>;
  readonly exporters: readonly { readonly type: string; readonly attrs: Readonly<Record<string, string>> }[];
  /** The client names further outputs once it has seen the result. */
  readonly sessionExporters?: boolean;
  readonly entitlements: readonly string[];
  /** Remote caches to read; of types that this builder does not know the user is told. */
  readonly cacheImports?: readonly BridgeCacheImport[];
  /** Remote caches to write, if that is possible: the user is told that this builder does not. */
  readonly cacheExports?: readonly BridgeCacheImport[];
  readonly scope: CacheScope;
  /** Of a client that the builder serves by itself, which may what the builder may; not of an operator, whose tenants may not. */
  readonly direct?: boolean;
  /** Of what is done for it, beside the builder's own; none when absent. */
  readonly limits?: BuildLimits;
  /** How its connections leave the machine, where that is not how the builder's own do: of its session. */
  readonly trust?: BuildTrust;
  /** Images are pushed by digest only; who asked writes the tags. */
  readonly deferTags?: boolean;
  /** What the build's history keeps of it: all by default, nothing, or an outline without attributes, which may hold secrets. */
  readonly recorded?: 'whole' | 'outline' | 'not';
  /** Beside the engine's. */
  readonly observer?: BuildObserver;
}

export interface SolveOutcome {
  /** What Solve answers. */
  readonly exporterResponse: Readonly<Record<string, string>>;
  readonly images: readonly (ExportedImage & { readonly moved?: MovedBytes })[];
  /** In the order in which they were asked for. */
  readonly caches?: readonly CacheOutcome[];
}

/** What became of a cache that was to be written. */
interface CacheOutcome {
  /** Where, as it was asked for. */
  readonly target: string;
  /** Of its manifest; undefined where there was nothing to write. */
  readonly digest?: string | undefined;
  /** Why it could not be written, which its build was not to fail of. */
  readonly error?: CodedError;
  readonly moved: MovedBytes;
}

export interface ObservedBuild {
  readonly request: SolveRequest;
  readonly build: Build;
}

export type BuildEnd =
  | {
      readonly kind: 'done';
      readonly outcome: SolveOutcome;
      readonly exports: readonly ExportResult[];
      /** Where the result came from; undefined where nothing is recorded or attested. */
      readonly provenance?: BuiltProvenance | undefined;
    }
  | { readonly kind: 'failed'; readonly error: CodedError };

/** What is told of one solve, each at most once. It is called on the way of the build and must not wait. */
export interface BuildWatch {
  /** All is done, and what the graph holds can still be read: in short steps, between which others have their turn. */
  ending?(): Iterator<unknown, unknown, void>;
  /** Nothing more is told of its vertices. */
  ended?(end: BuildEnd): void;
}

/** Called for a solve before anything of it is solved. */
export type BuildObserver = (solve: ObservedBuild) => BuildWatch;
