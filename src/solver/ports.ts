import type { BuildLimits, Digest, WorkOptions } from '../base/index.ts';
import type { LossKind } from './lost-result.ts';

export { findLostResult, type LossKind, LostResultError } from './lost-result.ts';

/** Output `index` of a vertex. */
export interface Edge<O = unknown> {
  readonly vertex: Vertex<O>;
  readonly index: number;
}

/** A node of the graph to solve. `op` is opaque to the solver: the {@link OpResolver} knows it. */
export interface Vertex<O = unknown> {
  /** Canonical vertex digest: its name in graph and status. */
  readonly digest: Digest;
  readonly name: string;
  readonly inputs: readonly Edge<O>[];
  readonly op: O;
  readonly ignoreCache: boolean;
  readonly progressGroup?: { readonly id: string; readonly name: string; readonly weak: boolean };
}

/**
 * A value an op made: a counted handle. `release` gives this handle back; `clone` makes another. The solver clones what it hands out
 * and releases all that it holds, on every path.
 */
export interface Result<T = unknown> {
  readonly id: string;
  readonly value: T;
  clone(): Result<T>;
  release(): Promise<void>;
}

/** How an op enters cache keys. */
export interface CacheMap {
  readonly digest: Digest;
  /** One per vertex input, in order. */
  readonly inputs: readonly CacheMapInput[];
  /** What the digest was made of, for who explains keys. */
  parts?(): readonly KeyPart[];
}

/** One of the things that a key was made of. */
export interface KeyPart {
  /** `op` is its kind, `base` the digest of an image, `source` what another source was resolved to, `action` a member of what a file op does. */
  readonly kind: 'op' | 'base' | 'source' | 'arg' | 'env' | 'mount' | 'action' | 'option' | 'platform';
  /** Tells it apart from others of its kind: a variable, a path, a place in a list. */
  readonly name: string;
  readonly value: string;
}

export interface CacheMapInput {
  /** Narrows the input's keys, e.g. to the paths a COPY reads. */
  readonly selector?: Digest;
  /** The slow key: digest of the selected content of this input's result. Absent when content must not decide. */
  contentDigest?(result: Result, context: OpContext): Promise<Digest>;
  /** What is selected for that, for who tells what of it has changed: text that the reader of the op's results knows. */
  readonly selection?: string;
}

/** What an op gets while it works for one or more builds. */
export interface OpContext extends WorkOptions {
  /** Fires when the last build that wants the vertex is gone. */
  readonly signal: AbortSignal;
  /** Session ids of the builds that want the vertex now, first come first; re-read at each use, since builds join and leave. */
  sessions(): readonly string[];
  /** What the work may use: the loosest limits of the builds that want it when this is first asked; the same from then on. */
  limits(): BuildLimits;
  readonly progress: VertexProgress;
  readonly scope: string;
  /** Called before the work fails, and only if somebody looks into what it leaves: of those who want the vertex now. */
  readonly leave?: ((remains: Remains) => void) | undefined;
}

/** What work that failed had, and what had become of it. Lent: clone what is to be kept. */
export interface Remains<T = unknown> {
  /** Which of the things that the work was to do failed: an action of the op, or the digest of an input's content. All of it unless given. */
  readonly subject?: { readonly kind: 'action' | 'content'; readonly index: number };
  readonly inputs: readonly (Result<T> | undefined)[];
  /** As they were left: by the mounts or actions of the op. */
  readonly mounts: readonly (Result<T> | undefined)[];
}

/** Who is told of a piece of output alone, where not all are: those who watch what is clipped for the eye, or records, which are whole. */
type LogAudience = 'watchers' | 'records';

/** Progress rows and logs of one vertex. */
export interface VertexProgress {
  /** Row keyed by `id`; `total` 0 is unbounded; times in ms since the epoch. */
  status(row: {
    id: string;
    name?: string;
    current?: number;
    total?: number;
    started?: number;
    completed?: number;
  }): void;
  /** A returned promise holds back who has more to say: records are whole, and are yet to be written. */
  log(stream: 1 | 2, data: Uint8Array, audience?: LogAudience): void | Promise<void>;
  warn(warning: VertexWarning): void;
}

export interface VertexWarning {
  readonly level: number;
  readonly short: string;
  readonly detail?: readonly string[];
  readonly url?: string;
  readonly sourceInfo?: { readonly filename: string; readonly data: Uint8Array; readonly language: string };
  readonly ranges?: readonly { start: { line: number; character: number }; end: { line: number; character: number } }[];
}

/** An executable vertex. One instance at a time per active vertex, and mostly one: what has a definition map is made anew when it is run again; `cacheMap` and `exec` are each called once at a time. */
export interface Op<T = unknown> {
  /** The only cache map of an op with inputs whose definition says all of it: had at once, without a context. */
  readonly definitionMap?: () => CacheMap;
  /** Cache map number `index` (0 first); `done` false when a later one may still match (images: digest, then chain id). */
  cacheMap(index: number, context: OpContext): Promise<{ readonly map: CacheMap; readonly done: boolean }>;
  /** Runs the op. Inputs stay the caller's. One result per output. */
  exec(inputs: readonly Result<T>[], context: OpContext): Promise<readonly Result<T>[]>;
}

/** The finished result of an edge: a handle the receiver releases, and the ids of its cache keys (for cache export). */
export interface BuiltResult<T = unknown> {
  readonly result: Result<T>;
  readonly keys: readonly string[];
}

/** Which cache records a build may read, and which scope it writes. `read` is taken to include `write`. */
export interface CacheScope {
  readonly write: string;
  readonly read: readonly string[];
}

/** Turns vertices into ops. */
export interface OpResolver<O = unknown, T = unknown> {
  resolve(vertex: Vertex<O>): Op<T>;
}

/** Where results lie that records name. */
interface ResultReader<T = unknown> {
  /**
   * A handle on a recorded result, or undefined when its content is gone. The context is that of the builds that want it now. Whatever it fails of, the
   * record is passed over; a {@link LostResultError} says whether for all.
   */
  load(record: string, context: OpContext): Promise<Result<T> | undefined>;
  /** Whether load would find it, without work. */
  exists(record: string): boolean;
}

/** Results kept beyond the builds that made them; implemented by `cache/refs`. */
export interface ResultStore<T = unknown> extends ResultReader<T> {
  /** Persists the result (a lease on it); returns the record it is found by again. */
  save(result: Result<T>): Promise<string>;
}

/** One link of the key graph: reached through input `input` from a key of that input, through a selector. */
export interface CacheLink {
  readonly input: number;
  /** BuildKit's digest of the record that the link leads to: of op cache digest and output. All that a manifest says of an op. */
  readonly record: Digest;
  readonly selector: string;
}

/** A result that a key has. */
export interface CacheRecord {
  readonly resultId: string;
  readonly createdAt: number;
}

/**
 * A link graph of cache keys, as it stands in the builder's own store or in what another builder wrote. The id of a root (an op without inputs, a content
 * digest) is BuildKit's record digest and the same in all of them; ids of linked keys mean something in one graph only. All calls are synchronous.
 */
export interface KeyReader {
  /** Ids that `id` leads to by this link, in the given scopes. */
  links(id: string, link: CacheLink, scopes: readonly string[]): readonly string[];
  /** Links that lead to `id` in the given scopes, for export. */
  backlinks(id: string, scopes: readonly string[]): readonly { readonly from: string; readonly link: CacheLink }[];
  results(id: string, scopes: readonly string[]): readonly CacheRecord[];
}

/** The builder's own graph, the one that is written. Scopes tag links and results, and are not part of ids. */
export interface KeyStore extends KeyReader {
  /** Several changes at once, which cost little more than one. */
  together(changes: () => void): void;
  addLink(id: string, link: CacheLink, target: string, scope: string): void;
  addResult(id: string, resultId: string, createdAt: number, scope: string): void;
  /** Forgets a result (gone, corrupt, released), whatever the scope, and every key that then leads nowhere. */
  dropResult(resultId: string): void;
  /** What became of the record of a key that has none in these scopes: it was dropped, as far as that is remembered, or only another scope has one. */
  absence(id: string, scopes: readonly string[]): 'dropped' | 'elsewhere' | undefined;
  /** Scopes that have a record of the key, so many at most. */
  scopesOf(id: string, most: number): readonly string[];
  /** Whether anything in these scopes leads to a record of this digest. */
  leadsTo(record: Digest, scopes: readonly string[]): boolean;
  /** Whether the given scopes know the key. */
  has(id: string, scopes: readonly string[]): boolean;
}

/** A cache that builds read beside the builder's own. What is found in it is entered in the own one. */
export interface ImportedCache<T = unknown> {
  /** Names what it says: sources with equal ids say the same. */
  readonly id: string;
  readonly keys: KeyReader;
  readonly results: ResultReader<T>;
  /** Told whenever a result of it could not be had, or turned out to be lost: it is made anew. */
  readonly lost?: (kind: LossKind) => void;
}

/** What solving emits; status streams, command line, metrics and tests read this one union. Times in ms since the epoch. */
export type VertexEvent =
  | { readonly kind: 'vertex'; readonly vertex: VertexState }
  | {
      readonly kind: 'status';
      readonly vertex: Digest;
      readonly id: string;
      readonly name: string;
      readonly current: number;
      readonly total: number;
      readonly timestamp: number;
      readonly started?: number;
      readonly completed?: number;
    }
  | {
      readonly kind: 'log';
      readonly vertex: Digest;
      readonly stream: 1 | 2;
      readonly data: Uint8Array;
      readonly timestamp: number;
      readonly audience?: LogAudience;
    }
  | { readonly kind: 'warning'; readonly vertex: Digest; readonly warning: VertexWarning };

export interface VertexState {
  readonly digest: Digest;
  readonly inputs: readonly Digest[];
  readonly name: string;
  readonly cached: boolean;
  readonly started?: number;
  readonly completed?: number;
  readonly error?: string;
  readonly progressGroup?: { readonly id: string; readonly name: string; readonly weak: boolean };
}

/** Output `output` of an active vertex, for the builds that want it now. */
export interface VertexOutput<O = unknown> {
  readonly vertex: Vertex<O>;
  readonly output: number;
  readonly scope: string;
  /** Ids of the jobs. */
  readonly jobs: readonly string[];
}

/** An input that is not what it was when the op was run before. */
export interface DifferingInput {
  readonly input: number;
  /** Whether that is told by its content, or else by its keys. */
  readonly content: boolean;
}

/**
 * Why an op is run, as far as the solver knows; what of a new op is new, its key's parts tell.
 *
 * - `ignored`: the cache was not to be used.
 * - `unkeyed`: its key means nothing to another build.
 * - `new`: an op, or a source, that these scopes have never seen.
 * - `differs`: the op was run before, on inputs of which these were others; all of them where each was there, but not together.
 * - `pruned`: there was such a record, and it was dropped.
 * - `outOfScope`: there is such a record, in these scopes, which are not read. Only for those to know whose these are: it tells what others made.
 * - `unreadable`: the cache of this id (empty for the builder's own) could not be read, or could not give a record that it has; with what became of that.
 */
export type Miss =
  | { readonly kind: 'ignored' | 'unkeyed' | 'new' | 'pruned' }
  | { readonly kind: 'outOfScope'; readonly scopes: readonly string[] }
  | { readonly kind: 'differs'; readonly inputs: readonly DifferingInput[] }
  | { readonly kind: 'unreadable'; readonly cache: string; readonly loss?: LossKind };

/** Inputs of one vertex, the first of them, whose keys are told. */
export const MOST_KEYED_INPUTS = 250;

/** What a build has found out about the keys of a vertex. */
export interface KeyedVertex {
  readonly digest: Digest;
  readonly name: string;
  readonly maps: readonly CacheMap[];
  /** As far as they are told, see {@link MOST_KEYED_INPUTS}. */
  readonly inputs: readonly KeyedInput[];
  readonly outputs: readonly KeyedOutput[];
}

interface KeyedInput {
  readonly vertex: Digest;
  readonly output: number;
  readonly selector?: string;
  /** Of what is selected in the input's result, where it was computed. */
  readonly content?: Digest;
  /** Id of that result, and what of it was selected. */
  readonly of?: string;
  readonly selection?: string;
}

export interface KeyedOutput {
  readonly output: number;
  /** The op was run for it, or a cache had it (whose id is told; empty for the builder's own); `idle` when no result of it was needed. */
  readonly outcome: { readonly kind: 'run' | 'idle' } | { readonly kind: 'found'; readonly cache: string };
  /** Why the op was run. */
  readonly miss?: Miss;
  /** In the builder's own store, of the result that is used; undefined when none was needed, or it is not kept. */
  readonly record?: string;
  /** Keys by which it was found or is entered; empty when none was reached. */
  readonly keys: readonly string[];
  /** Keys of each input that these were reached from. */
  readonly ground: readonly (readonly string[])[];
}

/**
 * Is told what the solver comes to know, as it does: exports while a build runs, records and explanations are observers. Calls are synchronous and short;
 * one that throws harms nothing but itself.
 */
export interface SolverObserver<O = unknown, T = unknown> {
  /** A cache map of a vertex is known: what goes into its keys. */
  keyed?(event: { readonly vertex: Vertex<O>; readonly scope: string; readonly map: CacheMap }): void;
  /** The caches have nothing for an output: its op begins, or one that makes the same is joined. */
  missed?(event: VertexOutput<O> & { readonly miss: Miss; keyed(): KeyedVertex | undefined }): void;
  /**
   * There is a result: found in the cache of that id (empty for the builder's own), or made. It is lent: clone it to keep it. `keys` are those of the own
   * store that name it.
   */
  resulted?(
    event: VertexOutput<O> & {
      readonly found: string | undefined;
      readonly result: Result<T>;
      readonly keys: readonly string[];
    },
  ): void;
  /** A cache could not be read, or could not give what it promised; it is gone on without. */
  failed?(event: { readonly cache: string; readonly error: unknown }): void;
}
