import { type AbortOptions, CodedError, cancelledError, type Logger, onAbort, sleep } from '../../base/index.ts';
import type { Engine } from '../engine/index.ts';
import { type Draining, drainingError, type Runs } from '../runs/index.ts';

/** At most this, and half of the time that there is, is for writing what builds had finished to their caches. */
const MOST_LEAVE_MS = 35_000;
/** How long results wait for an operator to take them, and to have their tags written. */
const RESULTS_MS = 15_000;

/** A builder that takes no new builds any more, until it ends. */
export class Drain {
  readonly #engine: Engine;
  readonly #runs: Runs;
  readonly #log: Logger;

  constructor(parts: { readonly engine: Engine; readonly runs: Runs; readonly log: Logger }) {
    this.#engine = parts.engine;
    this.#runs = parts.runs;
    this.#log = parts.log;
  }

  get isOn(): boolean {
    return this.#runs.draining !== undefined;
  }

  /** Takes no new builds; how many are under way. */
  begin(why: Draining): number {
    if (!this.isOn) this.#log.info('draining: no new builds are taken', { why: why.reason });
    this.#runs.drain(why);
    this.#engine.drain(drainingError(why));
    return this.#engine.activeBuilds;
  }

  /**
   * Takes no new builds, and settles when those under way are over and their results taken. Towards the end of `timeoutMs` the ones that are left fail as BUILDER_ENDING, which an operator takes
   * for a reason to go on elsewhere, with what they had finished written to their caches.
   */
  async end(reason: string, { timeoutMs, signal }: AbortOptions & { readonly timeoutMs: number }): Promise<void> {
    const leaveMs = Math.min(MOST_LEAVE_MS, timeoutMs / 2);
    const running = this.begin({ reason, untilMs: Date.now() + timeoutMs - leaveMs });
    const began = performance.now();
    const left = () => Math.max(0, timeoutMs - (performance.now() - began));
    if (!(await this.#idleWithin(left() - leaveMs, { signal }))) {
      this.#log.warn('builds are ended: the time to drain is over', { running: this.#engine.activeBuilds });
      this.#engine.interrupt(CodedError.of('BUILDER_ENDING', `the builder ends before the build: ${reason}`));
      await this.#idleWithin(left(), { signal });
    }
    await this.#runs.settled(Math.min(RESULTS_MS, left()), { signal });
    this.#log.info('drained', { running, left: this.#engine.activeBuilds });
  }

  async #idleWithin(ms: number, { signal }: AbortOptions): Promise<boolean> {
    const over = new AbortController();
    using aborted = onAbort(signal);
    const late = sleep(Math.max(0, ms), { signal: over.signal }).then(
      () => false,
      () => false,
    );
    const idle = this.#engine.idle().then(() => true);
    return await Promise.race([idle, late, aborted.promise]).finally(() => over.abort(cancelledError()));
  }
}
