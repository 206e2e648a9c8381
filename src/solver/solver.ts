import { type Clock, systemClock } from '../base/index.ts';
import { Import, type OwnCache } from './caches.ts';
import { progressMemory } from './event-buffer.ts';
import { ActiveGraph } from './graph.ts';
import { Job, type JobOptions } from './job.ts';
import { Observers } from './observer.ts';
import type { ImportedCache, KeyStore, OpResolver, ResultStore, SolverObserver } from './ports.ts';
import { Scheduler } from './scheduler.ts';

interface SolverOptions<O, T> {
  readonly resolver: OpResolver<O, T>;
  readonly keys: KeyStore;
  readonly results: ResultStore<T>;
  readonly clock?: Clock;
  /** Are told what the solver comes to know. */
  readonly observers?: readonly SolverObserver<O, T>[];
}

/** Solves graphs for many builds at once; see {@link Scheduler} for how. */
export class Solver<O = unknown, T = unknown> {
  readonly #graph: ActiveGraph;
  readonly #scheduler: Scheduler;
  readonly #clock: Clock;
  readonly #memory = progressMemory();
  readonly #own: OwnCache;
  readonly #observers: Observers;

  constructor({ resolver, keys, results, clock = systemClock, observers = [] }: SolverOptions<O, T>) {
    this.#clock = clock;
    this.#own = { keys, results: results as ResultStore };
    this.#observers = new Observers(observers as readonly SolverObserver[]);
    this.#scheduler = new Scheduler(this.#own, clock, this.#observers);
    this.#graph = new ActiveGraph(resolver as OpResolver, this.#scheduler, clock, this.#memory);
  }

  /** How many vertices are active. */
  get activeVertices(): number {
    return this.#graph.size;
  }

  /** A new build. Close it on every path. */
  job(options: JobOptions<O, T>): Job<O, T> {
    const open = (cache: ImportedCache<T>) => new Import(cache as ImportedCache, this.#observers);
    const caches = { own: this.#own, open };
    return new Job<O, T>(options, caches, this.#graph, this.#scheduler, this.#clock, this.#memory);
  }
}
