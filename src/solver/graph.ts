import { type Clock, cancelledError, invalidArgument } from '../base/index.ts';
import { ActiveVertex, activeKey, type EdgeState, type Run, type VertexBuild, type VertexPlace } from './active.ts';
import type { Caches } from './caches.ts';
import type { ProgressMemory } from './event-buffer.ts';
import type { CacheScope, Edge, OpResolver, Vertex } from './ports.ts';
import type { BuildProgress } from './progress.ts';
import type { Scheduler } from './scheduler.ts';

/** Inputs of one vertex that are looked up in one step. */
const MOST_INPUTS = 250;

/** A build that loads vertices. */
interface GraphBuild extends VertexBuild {
  readonly scope: CacheScope;
  readonly caches: Caches;
  readonly progress: BuildProgress;
  readonly vertices: Set<ActiveVertex>;
  readonly closed: boolean;
}

/** The one graph of all vertices that any build has loaded; equal vertices of one scope are one. */
export class ActiveGraph {
  readonly #resolver: OpResolver;
  readonly #scheduler: Scheduler;
  readonly #clock: Clock;
  readonly #memory: ProgressMemory;
  readonly #vertices = new Map<string, ActiveVertex>();

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
    const loaded = new Map<Vertex, ActiveVertex>();
    const entered = new Set<Vertex>();
    const open: Vertex[] = [edge.vertex];
    while (open.length > 0) {
      yield;
      if (build.closed) throw cancelledError();
      const vertex = open.at(-1)!;
      if (loaded.has(vertex)) {
        open.pop();
        continue;
      }
      if (!entered.has(vertex)) {
        entered.add(vertex);
        for (const input of vertex.inputs) {
          if (loaded.has(input.vertex)) continue;
          if (entered.has(input.vertex))
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
      loaded.set(vertex, this.#enter(vertex, inputs.slice(), build, { scope, scopeKey, caches, readers }));
    }
    return loaded.get(edge.vertex)!.edge(edge.index);
  }

  #enter(
    vertex: Vertex,
    inputs: readonly EdgeState[],
    build: GraphBuild,
    { readers, ...place }: Omit<VertexPlace, 'slot'> & { readonly readers: string },
  ): ActiveVertex {
    const key = activeKey(vertex, inputs);
    const slot = `${key} ${readers}`;
    let active = this.#vertices.get(slot);
    if (active === undefined) {
      active = new ActiveVertex(key, vertex, inputs, { ...place, slot }, this.#resolver, this.#clock, this.#memory);
      this.#vertices.set(slot, active);
    }
    if (!active.builds.has(build)) {
      active.joined(build);
      build.vertices.add(active);
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
