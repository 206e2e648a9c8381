import { type Clock, cancelledError, type Digest, digester, invalidArgument, LargeMap } from '../base/index.ts';
import { ActiveVertex, type EdgeState, type Run, type VertexBuild, type VertexPlace } from './active.ts';
import type { Caches } from './caches.ts';
import type { ProgressMemory } from './event-buffer.ts';
import type { CacheScope, Edge, OpResolver, Vertex } from './ports.ts';
import type { BuildProgress } from './progress.ts';
import type { Scheduler } from './scheduler.ts';

/** Inputs of one vertex that are looked up in one step. */
const MOST_INPUTS = 250;
/** Inputs of which a list is as quick as a map. */
const FEW_INPUTS = 8;

/** A build that loads vertices. */
interface GraphBuild extends VertexBuild {
  readonly scope: CacheScope;
  readonly caches: Caches;
  readonly progress: BuildProgress;
  /** In the order in which it loaded them. */
  readonly vertices: ActiveVertex[];
  readonly closed: boolean;
}

/** The one graph of all vertices that any build has loaded; equal vertices of one scope are one. */
export class ActiveGraph {
  readonly #resolver: OpResolver;
  readonly #scheduler: Scheduler;
  readonly #clock: Clock;
  readonly #memory: ProgressMemory;
  readonly #vertices = LargeMap.byText<string, ActiveVertex>();

  constructor(resolver: OpResolver, scheduler: Scheduler, clock: Clock, memory: ProgressMemory) {
    this.#memory = memory;
    this.#resolver = resolver;
    this.#scheduler = scheduler;
    this.#clock = clock;
  }

  get size(): number {
    return this.#vertices.size;
  }

  /** Enters an edge and all below it for a build, inputs first. Yields after each vertex; a build that is closed meanwhile enters no more. */
  *load(edge: Edge, build: GraphBuild): Generator<void, EdgeState, void> {
    const scopeKey = JSON.stringify([build.scope.write, ...build.scope.read]);
    // Of all that is loaded now, whatever the build reads later.
    const { scope, caches } = build;
    const ids = caches.imports.map(({ id }) => id);
    const readers = ids.length === 0 ? scopeKey : `${scopeKey} ${JSON.stringify(ids)}`;
    /** Those that have been come to, and what is made of them. */
    const loaded = LargeMap.by<Vertex, ActiveVertex | undefined>(({ digest }) => digest);
    const open: Vertex[] = [edge.vertex];
    while (open.length > 0) {
      yield;
      if (build.closed) throw cancelledError();
      const vertex = open.at(-1)!;
      if (loaded.get(vertex) !== undefined) {
        open.pop();
        continue;
      }
      if (!loaded.has(vertex)) {
        loaded.set(vertex, undefined);
        for (const [at, input] of vertex.inputs.entries()) {
          if ((at + 1) % MOST_INPUTS === 0) yield;
          if (loaded.get(input.vertex) !== undefined) continue;
          if (loaded.has(input.vertex))
            throw invalidArgument(`the graph has a cycle through ${JSON.stringify(vertex.name)}`);
          open.push(input.vertex);
        }
        continue;
      }
      open.pop();
      const inputs: EdgeState[] = [];
      for (const input of vertex.inputs) {
        inputs.push(loaded.get(input.vertex)!.edge(input.index));
        if (inputs.length % MOST_INPUTS > 0) continue;
        yield;
        if (build.closed) throw cancelledError();
      }
      const below = yield* digestsBelow(vertex);
      const key = yield* activeKey(vertex, inputs);
      if (build.closed) throw cancelledError();
      const place = { key, below, scope, scopeKey, caches, readers };
      loaded.set(vertex, this.#enter(vertex, inputs.slice(), build, place));
    }
    return loaded.get(edge.vertex)!.edge(edge.index);
  }

  #enter(
    vertex: Vertex,
    inputs: readonly EdgeState[],
    build: GraphBuild,
    {
      key,
      below,
      readers,
      ...place
    }: Omit<VertexPlace, 'slot'> & {
      readonly key: string;
      readonly below: readonly Digest[];
      readonly readers: string;
    },
  ): ActiveVertex {
    // What tells vertices apart comes last: there the names of a large map differ.
    const slot = `${readers} ${key}`;
    let active = this.#vertices.get(slot);
    if (active === undefined) {
      const whole = { ...place, slot };
      active = new ActiveVertex(key, vertex, inputs, below, whole, this.#resolver, this.#clock, this.#memory);
      this.#vertices.set(slot, active);
    }
    if (!active.builds.has(build)) {
      active.joined(build);
      build.vertices.push(active);
      build.progress.add(active.history);
    }
    return active;
  }

  /** Takes a build off a vertex; the last one to leave ends it. Returns the work that has yet to end. Yields where a vertex has many inputs. */
  *leave(vertex: ActiveVertex, build: GraphBuild): Generator<void, readonly Run[], void> {
    vertex.left(build);
    if (vertex.builds.size > 0 || vertex.retired) return [];
    vertex.retired = true;
    this.#vertices.delete(vertex.slot);
    for (const edge of vertex.edges) yield* this.#scheduler.retire(edge);
    for (const run of vertex.work) run.abortIfIdle();
    return [...vertex.work].filter((run) => run.aborted);
  }
}

/** The name of a vertex in the active graph: its digest, unless something below it (or it) ignores the cache. Yields after each portion of inputs. */
function* activeKey(vertex: Vertex, inputs: readonly EdgeState[]): Generator<void, string, void> {
  let isPlain = !vertex.ignoreCache;
  for (let at = 0; isPlain && at < inputs.length; at += MOST_INPUTS) {
    if (at > 0) yield;
    isPlain = inputs.slice(at, at + MOST_INPUTS).every((input) => input.vertex.key === input.vertex.vertex.digest);
  }
  if (isPlain) return vertex.digest;
  const hash = digester();
  hash.update(`${vertex.digest}${vertex.ignoreCache ? '-ignorecache' : ''}(`);
  for (let at = 0; at < inputs.length; at += MOST_INPUTS) {
    if (at > 0) yield;
    const keys = inputs.slice(at, at + MOST_INPUTS).map((input) => input.vertex.key);
    hash.update(`${at > 0 ? ',' : ''}${keys.join(',')}`);
  }
  hash.update(')');
  return hash.digest();
}

/** The digests of the vertices that its inputs are of, each once. Yields after each portion. */
function* digestsBelow({ inputs }: Vertex): Generator<void, readonly Digest[], void> {
  const digests: Digest[] = [];
  if (inputs.length <= FEW_INPUTS) {
    for (const { vertex } of inputs) if (!digests.includes(vertex.digest)) digests.push(vertex.digest);
    return digests.slice();
  }
  const met = LargeMap.byText<Digest, true>();
  for (const [at, { vertex }] of inputs.entries()) {
    if (!met.has(vertex.digest)) digests.push(vertex.digest);
    met.set(vertex.digest, true);
    if ((at + 1) % MOST_INPUTS === 0) yield;
  }
  return digests.slice(); // without room to grow
}
