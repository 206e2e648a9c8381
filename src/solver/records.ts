import { type Clock, inSlices } from '../base/index.ts';
import type { EdgeState, Origin, VertexBuild } from './active.ts';
import { adopt } from './adoption.ts';
import type { Caches, Import, OwnCache } from './caches.ts';
import type { Observers } from './observer.ts';
import { findLostResult, type LossKind, type OpContext, type Result } from './ports.ts';

/** A record that stands for an edge's result. */
export interface Found {
  /** The key that has it, in the graph that it was found in. */
  readonly key: string;
  readonly record: string;
  readonly createdAt: number;
  /** The cache that it was found in, and its place among the vertex's; none for the own. */
  readonly imported: { readonly cache: Import; readonly place: number } | undefined;
}

interface Loaded {
  readonly result: Result;
  /** In the own store, as `key` is. */
  readonly record: string;
  readonly key: string;
  readonly origin: Origin | undefined;
}

/** Finds records by the keys of an edge, and has their results: in the own cache or, entered there on the way, from an imported one. */
export class Records {
  readonly #own: OwnCache;
  readonly #observers: Observers;
  readonly #clock: Clock;

  constructor(own: OwnCache, observers: Observers, clock: Clock) {
    this.#own = own;
    this.#observers = observers;
    this.#clock = clock;
  }

  /** The newest record of the first cache that has one. */
  find(edge: EdgeState): Found | undefined {
    const { lookup, vertex } = edge;
    return this.#findOwn(edge) ?? findImported(edge, vertex.caches, lookup.searches.length);
  }

  #findOwn(edge: EdgeState): Found | undefined {
    const { keys, results } = this.#own;
    while (true) {
      let best: Found | undefined;
      for (const key of edge.lookup.own.candidates) {
        for (const { resultId: record, createdAt } of keys.results(key, edge.vertex.scope.read)) {
          if (!edge.usable({ cache: '', record }) || (best !== undefined && best.createdAt >= createdAt)) continue;
          best = { key, record, createdAt, imported: undefined };
        }
      }
      if (best === undefined || results.exists(best.record)) return best;
      keys.dropResult(best.record);
    }
  }

  /** Its result; undefined when it cannot be had, and is then passed over from now on. */
  async load(
    edge: EdgeState,
    { key, record, createdAt, imported }: Found,
    context: OpContext,
    builds: () => ReadonlySet<VertexBuild>,
  ): Promise<Loaded | undefined> {
    const origin: Origin = { cache: imported?.cache.id ?? '', record };
    const pass = (kind: LossKind) => {
      if (kind === 'gone' && imported === undefined) this.#own.keys.dropResult(record);
      else edge.refuse(origin, builds(), kind);
    };
    let result: Result | undefined;
    try {
      result = await (imported?.cache ?? this.#own.results).load(record, context);
      if (result === undefined) pass('gone');
      else if (imported === undefined) return { result, record, key, origin: undefined };
      else return { result, ...(await this.#enter(edge, key, result, createdAt, imported, context)), origin };
    } catch (error) {
      await result?.release().catch(() => {});
      if (context.signal.aborted) throw error;
      pass(findLostResult(error)?.kind ?? 'unavailable');
      this.#observers.failed({ cache: origin.cache, error });
    }
    return undefined;
  }

  /** From now on it is the own cache's. */
  async #enter(
    edge: EdgeState,
    id: string,
    result: Result,
    createdAt: number,
    { cache, place }: NonNullable<Found['imported']>,
    context: OpContext,
  ): Promise<{ readonly record: string; readonly key: string }> {
    const key = edge.inputs.length === 0 ? id : cache.ownName(id);
    const record = await this.#own.results.save(result);
    this.#own.keys.addResult(key, record, Math.min(createdAt, this.#clock.now()), edge.vertex.scope.write);
    await inSlices(adopt(edge, id, place), context);
    return { record, key };
  }

  /** Whether nothing has become of it since it was loaded. */
  stands(edge: EdgeState, { record, key, origin }: Loaded): boolean {
    if (!edge.usable({ cache: '', record }) || (origin !== undefined && !edge.usable(origin))) return false;
    return this.#own.keys.results(key, edge.vertex.scope.read).some(({ resultId }) => resultId === record);
  }
}

function findImported(edge: EdgeState, { imports }: Caches, searches: number): Found | undefined {
  for (let place = 1; place < searches; place++) {
    const best = edge.lookup.reading(place, () => newestIn(edge, imports[place - 1]!, place));
    if (best !== undefined) return best;
  }
  return undefined;
}

function newestIn(edge: EdgeState, cache: Import, place: number): Found | undefined {
  const { candidates } = edge.lookup.searches[place]!;
  if (cache.isAway) {
    if (candidates.length > 0) edge.lookup.passedOver(cache.id);
    return undefined;
  }
  let best: Found | undefined;
  for (const key of candidates) {
    for (const { resultId: record, createdAt } of cache.keys.results(key, edge.vertex.scope.read)) {
      if (best !== undefined && best.createdAt >= createdAt) continue;
      if (!edge.usable({ cache: cache.id, record }) || !cache.exists(record)) continue;
      best = { key, record, createdAt, imported: { cache, place } };
    }
  }
  return best;
}
