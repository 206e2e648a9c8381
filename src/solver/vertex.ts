import { assertInvariant, type BuildLimits, type Clock, digestOf } from '../base/index.ts';
import type { Caches } from './caches.ts';
import { EdgeState, type Held } from './edge.ts';
import type { ProgressMemory } from './event-buffer.ts';
import type { CacheMap, CacheScope, Op, Vertex } from './ports.ts';
import { type BuildProgress, VertexHistory } from './progress.ts';
import type { Run } from './run.ts';

/** A build as vertices know it. */
export interface VertexBuild {
  readonly id: string;
  readonly progress: BuildProgress;
  readonly limits: BuildLimits;
  sessions(): readonly string[];
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
  readonly builds = new Set<VertexBuild>();
  readonly edges = new Map<number, EdgeState>();
  readonly maps: CacheMap[] = [];
  mapsDone = false;
  mapRun: Run | undefined;
  /** Slow keys by input, each with the result it was computed from: a content key belongs to a result, not to a slot. */
  readonly contents: ({ readonly id: string; readonly of: string } | undefined)[] = [];
  readonly contentRuns: (Run | undefined)[] = [];
  /** What exec made, by output. */
  readonly outputs: (Held | undefined)[] = [];
  /** Work begun for this vertex that has not ended, aborted or not. */
  readonly work = new Set<Run>();
  retired = false;
  /** Something was shown of it beyond the look-up of its keys. */
  #worked = false;
  readonly #resolve: () => Op;
  #op: Op | undefined;

  constructor(
    key: string,
    vertex: Vertex,
    inputs: readonly EdgeState[],
    { scope, scopeKey, caches, slot }: VertexPlace,
    resolve: () => Op,
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
    this.#resolve = resolve;
    this.history = new VertexHistory(
      {
        digest: vertex.digest,
        inputs: [...new Set(vertex.inputs.map((input) => input.vertex.digest))],
        name: vertex.name,
        cached: false,
        ...(vertex.progressGroup === undefined ? {} : { progressGroup: vertex.progressGroup }),
      },
      clock,
      memory,
    );
  }

  get op(): Op {
    this.#op ??= this.#resolve();
    return this.#op;
  }

  /** The op, if anything was asked of it yet. */
  get opened(): Op | undefined {
    return this.#op;
  }

  /** What narrows the keys of an input. */
  selector(i: number): string {
    return this.maps[0]?.inputs[i]?.selector ?? '';
  }

  /** The slow key of an input: of the result that it holds, or of the one that was last held. */
  content(i: number): string | undefined {
    const content = this.contents[i];
    const held = this.inputs[i]!.held;
    return held === undefined || held.result.id === content?.of ? content?.id : undefined;
  }

  edge(index: number): EdgeState {
    let edge = this.edges.get(index);
    if (edge === undefined) {
      assertInvariant(Number.isInteger(index) && index >= 0, `output index ${index}`);
      edge = new EdgeState(this, index);
      this.edges.set(index, edge);
    }
    return edge;
  }

  /** Shows that this vertex runs or is loaded. */
  started(cached: boolean): void {
    this.#worked = true;
    this.history.start(cached);
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

/** The name of a vertex in the active graph: its digest, unless something below it (or it) ignores the cache. */
export function activeKey(vertex: Vertex, inputs: readonly EdgeState[]): string {
  const plain = inputs.every((input) => input.vertex.key === input.vertex.vertex.digest);
  if (plain && !vertex.ignoreCache) return vertex.digest;
  const inputKeys = inputs.map((input) => input.vertex.key).join(',');
  return digestOf(`${vertex.digest}${vertex.ignoreCache ? '-ignorecache' : ''}(${inputKeys})`);
}
