import {
  areLooser,
  assertInvariant,
  type BuildLimits,
  type Clock,
  CodedError,
  cancelledError,
  type Digest,
  sharedLimits,
  type WorkOwner,
} from '../base/index.ts';
import { Asking } from './asking.ts';
import type { Caches } from './caches.ts';
import type { ProgressMemory } from './event-buffer.ts';
import { NONE, withOne } from './few.ts';
import { recordDigest } from './key.ts';
import { Lookup } from './lookup.ts';
import type { CacheMap, CacheScope, LossKind, Miss, Op, OpResolver, Remains, Result, Vertex } from './ports.ts';
import { type BuildProgress, VertexHistory } from './progress.ts';
import { Wanted } from './wanted.ts';

/** A build as vertices know it. */
export interface VertexBuild {
  readonly id: string;
  readonly progress: BuildProgress;
  /** The set of it alone, which its vertices share. */
  readonly alone: ReadonlySet<VertexBuild>;
  readonly limits: BuildLimits;
  readonly keepRemains?: ((vertex: Vertex, remains: Remains) => void) | undefined;
  sessions(): readonly string[];
}

/** A slow key, and the result that it was computed from. */
interface Content {
  readonly id: string;
  readonly of: string;
  readonly digest: Digest;
}

/** Where a vertex belongs. */
export interface VertexPlace {
  readonly scope: CacheScope;
  /** The scopes, of those who may share work. */
  readonly scopeKey: string;
  readonly caches: Caches;
  /** Its name in the active graph, of those who read the same caches. */
  readonly slot: string;
}

// Of a hundred thousand vertices each collection that mostly holds nothing counts: those are made when something comes into them.
const NO_RUNS: ReadonlySet<never> = new Set();
const NO_BUILDS: ReadonlySet<never> = new Set();

/** A vertex that at least one build has loaded, with all that was found out about it. */
export class ActiveVertex {
  /** Unlike the digest it also tells apart what ignores the cache, or has an input that does. */
  readonly key: string;
  readonly vertex: Vertex;
  readonly inputs: readonly EdgeState[];
  readonly scope: CacheScope;
  readonly scopeKey: string;
  readonly slot: string;
  readonly caches: Caches;
  readonly history: VertexHistory;
  /** Those that want it; replaced when one comes or goes. */
  builds: ReadonlySet<VertexBuild> = NO_BUILDS;
  edges: readonly EdgeState[] = NONE;
  maps: readonly CacheMap[] = NONE;
  mapsDone = false;
  mapRun: Run | undefined;
  /** Inputs whose content decides. */
  contentInputs: readonly number[] = NONE;
  /** What exec made, by output. */
  outputs: (Held | undefined)[] = [];
  retired = false;
  #work: Set<Run> | undefined;
  #contents: (Content | undefined)[] | undefined;
  /** The computing of contents under way, by input. */
  #contentRuns: Map<number, Run> | undefined;
  /** Something was shown of it beyond the look-up of its keys. */
  #worked = false;
  readonly #resolver: OpResolver;
  #op: Op | undefined;

  constructor(
    key: string,
    vertex: Vertex,
    inputs: readonly EdgeState[],
    /** Digests of the vertices that they are of, each once. */
    below: readonly Digest[],
    { scope, scopeKey, caches, slot }: VertexPlace,
    resolver: OpResolver,
    clock: Clock,
    memory: ProgressMemory,
  ) {
    this.key = key;
    this.vertex = vertex;
    this.inputs = inputs;
    this.scope = scope;
    this.scopeKey = scopeKey;
    this.caches = caches;
    this.slot = slot;
    this.#resolver = resolver;
    this.history = new VertexHistory(
      {
        digest: vertex.digest,
        inputs: below,
        name: vertex.name,
        cached: false,
        ...(vertex.progressGroup === undefined ? {} : { progressGroup: vertex.progressGroup }),
      },
      clock,
      memory,
    );
  }

  /** Work begun for this vertex that has not ended, aborted or not. */
  get work(): ReadonlySet<Run> {
    return this.#work ?? NO_RUNS;
  }

  begun(run: Run): void {
    this.#work ??= new Set();
    this.#work.add(run);
  }

  ended(run: Run): void {
    this.#work?.delete(run);
    if (this.#work?.size === 0) this.#work = undefined;
  }

  joined(build: VertexBuild): void {
    this.builds = this.builds.size === 0 ? build.alone : new Set([...this.builds, build]);
  }

  left(build: VertexBuild): void {
    this.builds = this.builds.isSubsetOf(build.alone) ? NO_BUILDS : this.builds.difference(build.alone);
  }

  /** For whom something is done about it: the oldest of the builds that want it. */
  get owner(): WorkOwner {
    const [build] = this.builds;
    return { tenant: this.scope.write, build: build?.id ?? '' };
  }

  get op(): Op {
    this.#op ??= this.#resolver.resolve(this.vertex);
    return this.#op;
  }

  /** The op, if anything was asked of it yet and it may know more than its definition says. */
  get opened(): Op | undefined {
    return this.#op;
  }

  /** Something was made of it: one that is no more than its definition is made anew, should it be run again. */
  made(): void {
    if (this.inputs.length > 0 && this.#op?.definitionMap !== undefined) this.#op = undefined;
  }

  /** One more cache map; `done`: the last. */
  take(map: CacheMap, done: boolean): void {
    const { length } = this.inputs;
    if (length > 0 && map.inputs.length !== length)
      throw new CodedError(
        'internal',
        `${this.vertex.name}: ${map.inputs.length} cache map inputs for ${length} inputs`,
      );
    this.maps = withOne(this.maps, map);
    this.mapsDone = done;
    if (length > 0) this.contentInputs = contentInputsOf(map);
  }

  /** What narrows the keys of an input. */
  selector(i: number): string {
    return this.maps[0]?.inputs[i]?.selector ?? '';
  }

  /** The slow key of an input: of the result that it holds, or of the one that was last held. */
  content(i: number): string | undefined {
    const content = this.#contents?.[i];
    const held = this.inputs[i]!.held;
    return held === undefined || held.result.id === content?.of ? content?.id : undefined;
  }

  contentRun(i: number): Run | undefined {
    return this.#contentRuns?.get(i);
  }

  digesting(i: number, run: Run): void {
    this.#contentRuns ??= new Map();
    this.#contentRuns.set(i, run);
  }

  /** That has ended. */
  digested(i: number): void {
    this.#contentRuns?.delete(i);
    if (this.#contentRuns?.size === 0) this.#contentRuns = undefined;
  }

  know(i: number, content: Content): void {
    this.#contents ??= [];
    this.#contents[i] = content;
  }

  /** Slow keys by input, each with the result it was computed from: a content key belongs to a result, not to a slot. */
  get contents(): readonly (Content | undefined)[] {
    return this.#contents ?? NONE;
  }

  edge(index: number): EdgeState {
    // Mostly one, of few.
    let edge = this.edges.find((known) => known.index === index);
    if (edge === undefined) {
      assertInvariant(Number.isInteger(index) && index >= 0, `output index ${index}`);
      edge = new EdgeState(this, index);
      this.edges = withOne(this.edges, edge);
    }
    return edge;
  }

  /** Shows that this vertex runs or is loaded. */
  started(cached: boolean): void {
    this.#worked = true;
    this.history.start(cached);
  }

  /** Shows that this vertex is run as part of what runs already, with all that is known of that. */
  startedWith({ vertices }: Run): void {
    const first = [...vertices].find(({ history }) => history.running && history.isKept);
    this.#worked = true;
    if (first === undefined) this.history.start();
    else this.history.join(first.history);
  }

  /** Shows inputs that have never had to do anything, and all below them, as cached; before this vertex, as they would have run. Yields after each. */
  *showUnused(): Generator<void, void, void> {
    const idle: ActiveVertex[] = [];
    const open = [...this.inputs];
    for (let edge = open.pop(); edge !== undefined; edge = open.pop()) {
      const { vertex } = edge;
      if (vertex.#worked) continue;
      vertex.#worked = true;
      idle.push(vertex);
      open.push(...vertex.inputs);
      yield;
    }
    for (const vertex of idle.reverse()) {
      vertex.history.markCached();
      yield;
    }
  }
}

function contentInputsOf({ inputs }: CacheMap): readonly number[] {
  let decide: number[] | undefined;
  for (let i = 0; i < inputs.length; i++) {
    if (inputs[i]!.contentDigest === undefined) continue;
    decide ??= [];
    decide.push(i);
  }
  return decide ?? NONE;
}

/** Who asks for an edge: another edge, or a build's demand. */
export type Asker = EdgeState | Demand;

export interface Demand {
  /** The edge got further. */
  wake(): void;
  /** The edge failed before it got as far as asked. */
  fail(error: CodedError): void;
}

/** A record in the cache of this id, which is empty for the own. */
export interface Origin {
  readonly cache: string;
  readonly record: string;
}

/** Who could not use a record, and what had become of it. */
interface Refusal {
  readonly builds: ReadonlySet<VertexBuild>;
  readonly loss: LossKind | undefined;
}

/** How often what an imported cache gives may be of no use to an edge before it is asked nothing more for it. */
const MAX_USELESS = 8;

/** A finished result while its vertex is active. */
export interface Held {
  readonly result: Result;
  /** The record it was loaded from or saved as. */
  readonly record: string | undefined;
  /** The record of an imported cache that it was loaded from. */
  readonly origin?: Origin | undefined;
  /** Whether it was found rather than made. */
  readonly hit: boolean;
  /** Stored key ids that name this very result. */
  readonly keys: readonly string[];
  /** Of what was found: the ids by which inputs led there. */
  readonly ways?: readonly (readonly string[])[];
  /** What it goes by in the active graph. */
  readonly name: string;
}

/** One output of an active vertex: a memoised computation that gets as far as the furthest asker wants. */
export class EdgeState extends Wanted<Asker> {
  readonly vertex: ActiveVertex;
  readonly index: number;
  readonly lookup: Lookup;
  held: Held | undefined;
  queued = false;
  loading: Run | undefined;
  /** Its work was refused before all who wait for it were there, and is done once more. */
  again = false;
  /** Losses that its work reported since it was last done, other than of hits. */
  losses = 0;
  readonly asking: Asking<EdgeState>;
  /** Is made ready to be run. */
  preparing: Generator<void, Prepared | undefined, void> | undefined;
  /** Everything was looked up again before it is run. */
  refreshed = false;
  /** Records that some builds could not use, by cache. */
  #refused: Map<string, Map<string, Refusal>> | undefined;
  #runs: Set<Run> | undefined;
  /** Why it was run last, and what on. */
  missed: { readonly why: Miss; readonly on: readonly Ground[] } | undefined;
  #record: Digest | undefined;

  constructor(vertex: ActiveVertex, index: number) {
    super();
    this.vertex = vertex;
    this.index = index;
    this.lookup = new Lookup(this);
    this.asking = new Asking<EdgeState>(this);
  }

  get inputs(): readonly EdgeState[] {
    return this.vertex.inputs;
  }

  nameOf(asker: Asker): string {
    return asker instanceof EdgeState ? asker.vertex.key : '';
  }

  /** Work under way that this edge waits for. */
  get runs(): ReadonlySet<Run> {
    return this.#runs ?? NO_RUNS;
  }

  joined(run: Run): void {
    this.#runs ??= new Set();
    this.#runs.add(run);
  }

  left(run: Run): void {
    this.#runs?.delete(run);
    if (this.#runs?.size === 0) this.#runs = undefined;
  }

  /** Its result is being loaded or made; it needs nothing of its inputs then. */
  get making(): boolean {
    for (const run of this.runs) if (run.makes) return true;
    return false;
  }

  /** Stored keys that name one and the same: all that a source is known by, else those of the very result that is held. */
  get names(): readonly string[] {
    const source = this.inputs.length === 0 && !this.vertex.vertex.ignoreCache;
    return source ? this.lookup.own.candidates.slice() : (this.held?.keys ?? []);
  }

  /** What links to its keys name; asked once the vertex has a cache map. */
  get record(): Digest {
    this.#record ??= recordDigest(this.vertex.maps[0]!.digest, this.index);
    return this.#record;
  }

  /** These builds cannot use a record that others may. */
  refuse({ cache, record }: Origin, builds: ReadonlySet<VertexBuild>, loss?: LossKind): void {
    if (loss !== undefined) this.vertex.caches.imports.find(({ id }) => id === cache)?.lost(loss);
    this.#refused ??= new Map();
    const refused = this.#refused.get(cache) ?? new Map<string, Refusal>();
    const before = refused.get(record);
    refused.set(record, { builds: new Set([...(before?.builds ?? []), ...builds]), loss: loss ?? before?.loss });
    this.#refused.set(cache, refused);
  }

  /** A record that builds which are here could not have. */
  get unreadable(): { readonly cache: string; readonly loss: LossKind } | undefined {
    for (const [cache, refused] of this.#refused ?? [])
      for (const { builds, loss } of refused.values())
        if (loss !== undefined && !builds.isDisjointFrom(this.vertex.builds)) return { cache, loss };
    return undefined;
  }

  /** Whether none of the builds that are here has found the record to be of no use to it. */
  usable({ cache, record }: Origin): boolean {
    const refused = this.#refused?.get(cache);
    if (refused === undefined) return true;
    if (cache !== '' && refused.size >= MAX_USELESS) return false;
    return refused.get(record)?.builds.isDisjointFrom(this.vertex.builds) ?? true;
  }
}

/**
 * One input of an execution as it was when that began. An outcome is named and linked by its ground alone: the input may be
 * lost and made anew with another content while the execution runs, and after it.
 */
export interface Ground {
  /** Id of the very result that is used. */
  readonly result: string;
  /** The slow key of that result, where content decides. */
  readonly content: string | undefined;
  /** Stored keys of that result, which lead on through the selector. */
  readonly keys: readonly string[];
  /** What it goes by in the active graph. */
  readonly name: string;
  readonly selector: string;
}

/** An edge's execution before it begins: what it runs on, with handles of its own, what it is joined by, and why it is run. */
export interface Prepared {
  readonly ground: readonly Ground[];
  readonly inputs: readonly Result[];
  readonly key: string;
  readonly miss: Miss;
}

/** Work under way, shared by the edges that wait for it; aborted when the last of them has left. */
export class Run {
  /** Every vertex that ever waited: whose sessions serve the work and whose watchers see it. */
  readonly vertices = new Set<ActiveVertex>();
  /** What the execution runs on, as each vertex that joined it knows that. */
  readonly grounds = new Map<ActiveVertex, readonly Ground[]>();
  /** Whether the edges that wait for it have their results from it. */
  readonly makes: boolean;
  readonly #users = new Set<EdgeState>();
  #controller: AbortController | undefined;
  #aborted = false;
  #limits: BuildLimits | undefined;
  /** The builds whose sessions served it from the beginning. */
  first: ReadonlySet<VertexBuild> = new Set();
  settled: Promise<void> = Promise.resolve();
  /** The op itself has begun (it got its place to run). */
  began = false;

  constructor(makes: boolean) {
    this.makes = makes;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort(cancelledError());
    return this.#controller.signal;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get users(): ReadonlySet<EdgeState> {
    return this.#users;
  }

  /** Waits for this run. One that was aborted is waited for too: its successor starts only when it has ended. */
  join(edge: EdgeState): void {
    this.#users.add(edge);
    this.vertices.add(edge.vertex);
    edge.joined(this);
  }

  /** Returns whether nobody waits any more. */
  leave(edge: EdgeState): boolean {
    this.#users.delete(edge);
    edge.left(this);
    return this.#users.size === 0;
  }

  /** Stops the work if nobody waits for it. */
  abortIfIdle(): void {
    if (this.#users.size > 0 || this.#aborted) return;
    this.#aborted = true;
    this.#controller?.abort(cancelledError());
  }

  /** Ends the run for all who wait. */
  finish(): readonly EdgeState[] {
    const users = [...this.#users];
    for (const edge of users) edge.left(this);
    this.#users.clear();
    return users;
  }

  /** The builds that want this now. */
  builds(): ReadonlySet<VertexBuild> {
    const [vertex] = this.vertices;
    if (this.vertices.size === 1) return vertex!.builds;
    return new Set([...this.vertices].flatMap((vertex) => [...vertex.builds]));
  }

  /** Their sessions. */
  sessions(): readonly string[] {
    return [...new Set([...this.builds()].flatMap((build) => build.sessions()))];
  }

  /** Their limits, those of the work from the first time that they are asked. */
  limits(): BuildLimits {
    this.#limits ??= limitsOf(this.builds());
    return this.#limits;
  }

  /** Whether the work was held to less than those who want the vertex now are. */
  wasTighterThan({ builds }: ActiveVertex): boolean {
    return this.#limits !== undefined && areLooser(limitsOf(builds), this.#limits);
  }
}

function limitsOf(builds: ReadonlySet<VertexBuild>): BuildLimits {
  return sharedLimits([...builds].map(({ limits }) => limits));
}
