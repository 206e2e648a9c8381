import { inSlices, type Logger, neverAborted } from '../../base/index.ts';
import type { BuildEnd, BuildObserver, BuildWatch, ObservedBuild } from './solve.ts';

/** Tells all watches of one solve. What one of them throws is its own fault: no build fails of being observed. */
export class BuildWatches {
  readonly #watches: readonly BuildWatch[];
  readonly #log: Logger;

  constructor(observers: readonly BuildObserver[], solve: ObservedBuild, log: Logger) {
    this.#log = log;
    this.#watches = observers.flatMap((observe) => this.#guard(() => observe(solve)) ?? []);
  }

  async ending(): Promise<void> {
    for (const watch of this.#watches) {
      try {
        const steps = watch.ending?.();
        if (steps !== undefined) await inSlices(steps, { signal: neverAborted });
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  ended(end: BuildEnd): void {
    for (const watch of this.#watches) this.#guard(() => watch.ended?.(end));
  }

  #guard<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #failed(error: unknown): void {
    this.#log.error('an observer of builds failed', { err: error });
  }
}
