import { cancelledError, isCancelled, type Logger } from '../../base/index.ts';
import type { Refs } from '../refs/index.ts';
import { type GcRule, RECORDS_RULE } from './policy.ts';
import { type PruneOptions, prune } from './prune.ts';

interface GarbageCollectorOptions {
  readonly refs: Refs;
  readonly policy: readonly GcRule[];
  readonly busySince?: PruneOptions['busySince'];
  readonly log: Logger;
  /** Wait from a trigger to the run, 1 s by default; and from one run to the next, 60 s by default. */
  readonly delayMs?: number;
  readonly intervalMs?: number;
}

/** Applies a policy, rule by rule, some time after builds end; never twice at once. */
export class GarbageCollector implements AsyncDisposable {
  readonly #options: GarbageCollectorOptions;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #lastRun = Number.NEGATIVE_INFINITY;

  constructor(options: GarbageCollectorOptions) {
    this.#options = options;
  }

  /** At start and at the end of each solve. */
  trigger(): void {
    if (this.#timer !== undefined || this.#stop.signal.aborted) return;
    const { delayMs = 1_000, intervalMs = 60_000 } = this.#options;
    const wait = Math.max(delayMs, this.#lastRun + intervalMs - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.run();
    }, wait);
    this.#timer.unref();
  }

  /** Collects now; failures are logged, since nobody waits for them. */
  async run(): Promise<void> {
    this.#running ??= this.#collect().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #collect(): Promise<void> {
    const { refs, policy, log, busySince } = this.#options;
    this.#lastRun = performance.now();
    const { signal } = this.#stop;
    try {
      const rules = refs.records.count() > RECORDS_RULE.maxRecords ? [...policy, RECORDS_RULE] : policy;
      for (const rule of rules) {
        const removed = await prune(refs, { ...rule, ...(busySince === undefined ? {} : { busySince }), signal });
        const bytes = removed.reduce((sum, { size }) => sum + size, 0);
        if (removed.length > 0) log.info('garbage collected', { records: removed.length, bytes });
      }
    } catch (error) {
      if (!isCancelled(error)) log.warn('garbage collection failed', { err: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#stop.abort(cancelledError());
    await this.#running;
  }
}
