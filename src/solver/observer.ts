import type { CacheMap, Result, Vertex } from './ports.ts';

/** Output `output` of an active vertex, for the builds that want it now. */
export interface VertexOutput<O = unknown> {
  readonly vertex: Vertex<O>;
  readonly output: number;
  readonly scope: string;
  /** Ids of the jobs. */
  readonly jobs: readonly string[];
}

/** An input from none of whose keys the caches lead to the op. */
export interface MissedInput {
  readonly input: number;
  /** Whether its content was asked for too. */
  readonly content: boolean;
}

/**
 * Why an op is run. `ignored`: the cache was not to be used. `unkeyed`: its key means nothing to another build. `unknown`: a source that no cache knows.
 * `inputs`: the caches lead nowhere from these, so these or the op are new. `together`: from each input they lead somewhere, but not to the same. `result`:
 * the key is known, but none of its results can be used.
 */
export type Miss =
  | { readonly kind: 'ignored' | 'unkeyed' | 'unknown' | 'together' | 'result' }
  | { readonly kind: 'inputs'; readonly inputs: readonly MissedInput[] };

/**
 * Is told what the solver comes to know, as it does: exports while a build runs, records and explanations are observers. Calls are synchronous and short;
 * one that throws harms nothing but itself.
 */
export interface SolverObserver<O = unknown, T = unknown> {
  /** A cache map of a vertex is known: what goes into its keys. */
  keyed?(event: { readonly vertex: Vertex<O>; readonly scope: string; readonly map: CacheMap }): void;
  /** The caches have nothing for an output: its op begins. */
  missed?(event: VertexOutput<O> & { readonly miss: Miss }): void;
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

/** All observers as one that never throws. */
export class Observers implements Required<SolverObserver> {
  readonly #all: readonly SolverObserver[];

  constructor(all: readonly SolverObserver[]) {
    this.#all = all;
  }

  /** Whether it is worth finding out what {@link missed} tells. */
  get explains(): boolean {
    return this.#all.some((observer) => observer.missed !== undefined);
  }

  keyed(event: Parameters<Required<SolverObserver>['keyed']>[0]): void {
    this.#tell((observer) => observer.keyed?.(event));
  }

  missed(event: Parameters<Required<SolverObserver>['missed']>[0]): void {
    this.#tell((observer) => observer.missed?.(event));
  }

  resulted(event: Parameters<Required<SolverObserver>['resulted']>[0]): void {
    this.#tell((observer) => observer.resulted?.(event));
  }

  failed(event: Parameters<Required<SolverObserver>['failed']>[0]): void {
    this.#tell((observer) => observer.failed?.(event));
  }

  #tell(call: (observer: SolverObserver) => void): void {
    for (const observer of this.#all) {
      try {
        call(observer);
      } catch {
        // Whoever watches must not change what happens.
      }
    }
  }
}
