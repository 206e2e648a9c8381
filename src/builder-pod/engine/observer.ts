import type { CodedError, Logger } from '../../base/index.ts';
import type { ExportResult } from '../exporters/index.ts';
import type { Build } from './build.ts';
import type { SolveOutcome, SolveRequest } from './engine.ts';

export interface ObservedBuild {
  readonly request: SolveRequest;
  readonly build: Build;
}

export type BuildEnd =
  | { readonly kind: 'done'; readonly outcome: SolveOutcome; readonly exports: readonly ExportResult[] }
  | { readonly kind: 'failed'; readonly error: CodedError };

/** What is told of one solve, each at most once. It is called on the way of the build and must not wait. */
export interface BuildWatch {
  /** All is done, and what the graph holds can still be read. */
  ending?(): void;
  /** Nothing more is told of its vertices. */
  ended?(end: BuildEnd): void;
}

/** Called for a solve before anything of it is solved. */
export type BuildObserver = (solve: ObservedBuild) => BuildWatch;

/** Tells all watches of one solve. What one of them throws is its own fault: no build fails of being observed. */
export class BuildWatches {
  readonly #watches: readonly BuildWatch[];
  readonly #log: Logger;

  constructor(observers: readonly BuildObserver[], solve: ObservedBuild, log: Logger) {
    this.#log = log;
    this.#watches = observers.flatMap((observe) => this.#guard(() => observe(solve)) ?? []);
  }

  ending(): void {
    for (const watch of this.#watches) this.#guard(() => watch.ending?.());
  }

  ended(end: BuildEnd): void {
    for (const watch of this.#watches) this.#guard(() => watch.ended?.(end));
  }

  #guard<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.#log.error('an observer of builds failed', { err: error });
      return undefined;
    }
  }
}
