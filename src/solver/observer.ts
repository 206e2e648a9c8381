import type { SolverObserver } from './ports.ts';

/** All observers as one that never throws. */
export class Observers implements Required<SolverObserver> {
  readonly #all: readonly SolverObserver[];

  constructor(all: readonly SolverObserver[]) {
    this.#all = all;
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
