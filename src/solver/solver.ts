import { type Clock, systemClock } from '../base/index.ts';
import { progressMemory } from './event-buffer.ts';
import { ActiveGraph } from './graph.ts';
import { Job, type JobOptions } from './job.ts';
import type { KeyStore, OpResolver, ResultStore } from './ports.ts';
import { Scheduler } from './scheduler.ts';

export interface SolverOptions<O, T> {
  readonly resolver: OpResolver<O, T>;
  readonly keys: KeyStore;
  readonly results: ResultStore<T>;
  readonly clock?: Clock;
}

/** Solves graphs for many builds at once; see {@link Scheduler} for how. */
export class Solver<O = unknown, T = unknown> {
  readonly #graph: ActiveGraph;
  readonly #scheduler: Scheduler;
  readonly #clock: Clock;
  readonly #memory = progressMemory();

  constructor({ resolver, keys, results, clock = systemClock }: SolverOptions<O, T>) {
    this.#clock = clock;
    this.#scheduler = new Scheduler(keys, results as ResultStore, clock);
    this.#graph = new ActiveGraph(resolver as OpResolver, this.#scheduler, clock, this.#memory);
  }

  /** How many vertices are active. */
  get activeVertices(): number {
    return this.#graph.size;
  }

  /** A new build. Close it on every path. */
  job(options: JobOptions): Job<O, T> {
    return new Job<O, T>(options, this.#graph, this.#scheduler, this.#clock, this.#memory);
  }
}
