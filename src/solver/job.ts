import {
  type AbortOptions,
  type BuildLimits,
  type Clock,
  type CodedError,
  cancelledError,
  type Digest,
  digestOf,
  inSlices,
  NO_LIMITS,
  neverAborted,
  onAbort,
  type WorkOwner,
} from '../base/index.ts';
import type { ActiveVertex, Demand, EdgeState, Run, VertexBuild } from './active.ts';
import type { Caches, Import } from './caches.ts';
import type { ProgressMemory } from './event-buffer.ts';
import { mayLose } from './failure.ts';
import type { ActiveGraph } from './graph.ts';
import { keyedVertex } from './keyed.ts';
import { Level } from './level.ts';
import type {
  BuiltResult,
  CacheScope,
  Edge,
  ImportedCache,
  KeyedVertex,
  Op,
  Remains,
  Vertex,
  VertexEvent,
  VertexProgress,
  VertexState,
  VertexWarning,
} from './ports.ts';
import { findLostResult } from './ports.ts';
import { BuildProgress, VertexHistory } from './progress.ts';
import type { Recording } from './recording.ts';
import type { Scheduler } from './scheduler.ts';

export interface JobOptions<O = unknown, T = unknown> {
  readonly id: string;
  /** Session ids that serve the job's vertices, first come first; read at each use. */
  readonly sessions: () => readonly string[];
  /** Of what is done for it alone; none when absent. */
  readonly limits?: BuildLimits;
  readonly scope: CacheScope;
  /** Caches that it reads beside the builder's own, in that order. What is found in them the scope trusts from then on. */
  readonly caches?: readonly ImportedCache<T>[];
  /** Takes clones of what it wants of a failed op. Without it nothing is kept for this build. */
  readonly keepRemains?: ((vertex: Vertex<O>, remains: Remains<T>) => void) | undefined;
}

/** One build's hold on the active graph. Closing it lets go of all it wanted; what no other build wants then stops. */
export class Job<O = unknown, T = unknown> implements AsyncDisposable {
  readonly id: string;
  readonly scope: CacheScope;
  /** For whom it works. */
  readonly owner: WorkOwner;
  readonly progress: BuildProgress;
  readonly sessions: () => readonly string[];
  readonly limits: BuildLimits;
  readonly keepRemains: VertexBuild['keepRemains'];
  readonly vertices: ActiveVertex[] = [];
  readonly alone: ReadonlySet<VertexBuild> = new Set([this]);
  readonly #openCache: (cache: ImportedCache<T>) => Import;
  readonly #graph: ActiveGraph;
  readonly #scheduler: Scheduler;
  readonly #clock: Clock;
  readonly #memory: ProgressMemory;
  readonly #undecided: { readonly history: VertexHistory; readonly error: unknown }[] = [];
  readonly #demands = new Set<{ cancel(reason: unknown): void }>();
  #closing: Promise<void> | undefined;
  #caches: Caches;
  closed = false;

  constructor(
    options: JobOptions<O, T>,
    { own, open }: Pick<Caches, 'own'> & { readonly open: (cache: ImportedCache<T>) => Import },
    graph: ActiveGraph,
    scheduler: Scheduler,
    clock: Clock,
    memory: ProgressMemory,
  ) {
    this.#caches = { own, imports: [] };
    this.#openCache = open;
    this.read(options.caches ?? []);
    this.progress = new BuildProgress(memory);
    this.#memory = memory;
    this.id = options.id;
    this.sessions = options.sessions;
    this.limits = options.limits ?? NO_LIMITS;
    this.keepRemains = options.keepRemains as VertexBuild['keepRemains'];
    this.scope = { write: options.scope.write, read: [...new Set([options.scope.write, ...options.scope.read])] };
    this.owner = { tenant: this.scope.write, build: this.id };
    this.#graph = graph;
    this.#scheduler = scheduler;
    this.#clock = clock;
  }

  /** The caches that what it loads next is looked for in. */
  get caches(): Caches {
    return this.#caches;
  }

  /** From now on it reads these, too, after the others, as far as it does not read them already. */
  read(caches: readonly ImportedCache<T>[]): void {
    const { own, imports } = this.#caches;
    const known = new Map(imports.map((one) => [one.id, one]));
    for (const cache of caches) if (!known.has(cache.id)) known.set(cache.id, this.#openCache(cache));
    if (known.size > imports.length) this.#caches = { own, imports: [...known.values()] };
  }

  /** The result of an edge, from the cache or made. Release the handle. */
  async build(edge: Edge<O>, { signal }: AbortOptions): Promise<BuiltResult<T>> {
    signal.throwIfAborted();
    const state = await inSlices(this.#graph.load(edge as Edge, this), { signal });
    if (this.closed) throw cancelledError();
    const { promise, resolve, reject } = Promise.withResolvers<BuiltResult<T>>();
    const scheduler = this.#scheduler;
    const demand: Demand & { cancel(reason: unknown): void } = {
      wake: () => {
        if (state.level < Level.result) return;
        resolve(handOut<T>(state));
        end();
      },
      fail: (error: CodedError) => {
        reject(error);
        end();
      },
      cancel: (reason) => {
        reject(reason);
        end();
      },
    };
    const end = () => {
      scheduler.withdraw(state, demand);
      this.#demands.delete(demand);
    };
    using aborted = onAbort(signal);
    aborted.promise.catch((reason: unknown) => demand.cancel(reason));
    this.#demands.add(demand);
    scheduler.ask(state, demand, Level.result);
    demand.wake(); // it may be there already
    return await promise;
  }

  /**
   * Builds edges and hands their results to a consumer. A consumer that finds a result lost ({@link LostResultError}) is run again on
   * what is made in its place. The results are released when it ends.
   */
  async use<R>(
    edges: readonly Edge<O>[],
    consumer: (results: readonly BuiltResult<T>[]) => Promise<R>,
    { signal }: AbortOptions,
  ): Promise<R> {
    let losses = 0;
    while (true) {
      const built = await this.#buildAll(edges, signal);
      try {
        return await consumer(built);
      } catch (error) {
        const lost = findLostResult(error);
        if (lost !== undefined && !this.#scheduler.stepBack(lost, new Set([this]))) losses++;
        const again = lost !== undefined && mayLose(losses, edges.length);
        this.#decide(again);
        if (!again) throw error;
      } finally {
        for (const { result } of built) await result.release();
      }
    }
  }

  async #buildAll(edges: readonly Edge<O>[], signal: AbortSignal): Promise<readonly BuiltResult<T>[]> {
    const others = new AbortController();
    const all = AbortSignal.any([signal, others.signal]);
    const outcomes = await Promise.allSettled(
      edges.map((edge) =>
        this.build(edge, { signal: all }).catch((error: unknown) => {
          others.abort(error); // the first failure is the one that counts
          throw error;
        }),
      ),
    );
    if (outcomes.every((outcome) => outcome.status === 'fulfilled')) return outcomes.map((outcome) => outcome.value);
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') await outcome.value.result.release();
    signal.throwIfAborted();
    throw others.signal.reason;
  }

  /** Work of the build itself, shown as a vertex of its own: exports, image configs. `id` gives the vertex digest, else the name does. */
  async inVertex<R>(
    vertex: { readonly name: string; readonly id?: string; readonly progressGroup?: VertexState['progressGroup'] },
    work: (progress: VertexProgress) => Promise<R>,
  ): Promise<R> {
    const digest: Digest = digestOf(vertex.id ?? vertex.name);
    const group = vertex.progressGroup;
    const history = new VertexHistory(
      {
        digest,
        inputs: [],
        name: vertex.name,
        cached: false,
        ...(group === undefined ? {} : { progressGroup: group }),
      },
      this.#clock,
      this.#memory,
    );
    this.progress.add(history);
    history.start();
    try {
      const value = await work(history.progress);
      history.complete();
      return value;
    } catch (error) {
      if (findLostResult(error) === undefined) history.complete({ error });
      else this.#undecided.push({ history, error });
      throw error;
    }
  }

  /** Work that found a result lost has failed only if it is not done again. */
  #decide(again: boolean): void {
    for (const { history, error } of this.#undecided.splice(0)) history.complete(again ? {} : { error });
  }

  /** The vertices of the graphs that this build has loaded, in that order, with the ops of those that were asked anything. Empty once closed. */
  *loaded(): Generator<{ readonly state: VertexState; readonly op: Op<T> | undefined }> {
    for (const { history, opened } of this.vertices) yield { state: history.state, op: opened as Op<T> | undefined };
  }

  /** What it has found out about the keys of these vertices, inputs first; yields nothing for those whose key nobody asked for. Empty once closed. */
  *keyed(): Generator<KeyedVertex | undefined> {
    for (const vertex of this.vertices) yield keyedVertex(vertex);
  }

  warn(vertex: Digest, warning: VertexWarning): void {
    this.progress.warn(vertex, warning);
  }

  /** All that happened and happens in this build, in batches, until it is closed. */
  watch(options: AbortOptions): AsyncGenerator<readonly VertexEvent[], void> {
    return this.progress.watch(options);
  }

  /** The same for what writes all of it down, and is waited for. */
  record(): Recording {
    return this.progress.record();
  }

  /** Ends when all work that only this build wanted has ended. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.closed = true;
    for (const demand of [...this.#demands]) demand.cancel(cancelledError());
    const runs: Run[] = [];
    await inSlices(this.#leave(runs), { signal: neverAborted });
    await Promise.all(runs.map((run) => run.settled));
    this.#decide(false);
    await inSlices(this.progress.close(), { signal: neverAborted });
  }

  /** What stands on others is left first: no vertex that somebody may yet join has lost an input. */
  *#leave(runs: Run[]): Generator<void, void, void> {
    for (let vertex = this.vertices.at(-1); vertex !== undefined; vertex = this.vertices.at(-1)) {
      runs.push(...(yield* this.#graph.leave(vertex, this)));
      this.vertices.pop();
      yield;
    }
  }
}

function handOut<T>(state: EdgeState): BuiltResult<T> {
  const held = state.held!;
  return { result: held.result.clone() as BuiltResult<T>['result'], keys: held.keys };
}
