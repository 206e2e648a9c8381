import { type Logger, silentLogger } from './log.ts';

/** Clean-up whose end nobody waits for (an unmount), but that must be over before its owner ends: dispose waits for it. Failures are logged. */
export class Afterwork implements AsyncDisposable {
  readonly #running = new Set<Promise<void>>();
  readonly #log: Logger;

  constructor(log: Logger = silentLogger) {
    this.#log = log;
  }

  run(work: () => Promise<void>): void {
    const running = work()
      .catch((error: unknown) => this.#log.warn('clean-up failed', { err: error }))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Waits for clean-up that is quick as a rule; what takes longer than `ms` goes on by itself. */
  async runAtMost(ms: number, work: () => Promise<void>): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.run(() => work().finally(done.resolve));
    const timer = setTimeout(done.resolve, ms);
    await done.promise;
    clearTimeout(timer);
  }

  /** Resolves once all that is under way now is over. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
