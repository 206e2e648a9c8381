import { HOUSE, type Logger, sleep } from '../../base/index.ts';
import type { wire } from '../../builder-api/index.ts';
import { keptBytes } from '../../cache/gc/index.ts';
import { siblingModule, tasksOf } from '../../sys/index.ts';
import type { State } from '../state/index.ts';

type Usage = wire.slipway.builder.v1.Usage.$Properties;

const task = tasksOf<typeof import('./usage-task.ts')>(siblingModule(import.meta.url, './usage-task'));
/** A reading is told for so long before there is another. */
const FRESH_MS = 1000;
/** All sizes together are read so often. */
const CACHE_FRESH_MS = 60_000;
/** How long a disk that does not answer keeps those who ask. */
const PATIENCE_MS = 500;

/** What a builder has to build with, read when it is asked for: one reading at a time, however many ask. */
export class UsageReader {
  readonly #state: State;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  #last: Usage | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #cacheReadAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  /** Reads until the signal. */
  constructor(state: State, log: Logger, signal: AbortSignal) {
    this.#state = state;
    this.#log = log;
    this.#signal = signal;
  }

  /** As it is now, or as it was last read where that takes long; undefined before the first reading. */
  async read(): Promise<Usage | undefined> {
    if (this.#signal.aborted || performance.now() - this.#readAt < FRESH_MS) return this.#last;
    this.#reading ??= this.#look().finally(() => {
      this.#reading = undefined;
    });
    const over = new AbortController();
    const patience = sleep(PATIENCE_MS, { signal: over.signal }).catch(() => {});
    await Promise.race([this.#reading, patience]).finally(() => over.abort());
    return this.#last;
  }

  async #look(): Promise<void> {
    const { pools, layout, refs } = this.#state;
    const options = { signal: this.#signal };
    try {
      const read = await pools.short.run(task('readUsage'), layout.root, { ...options, owner: HOUSE });
      this.#readAt = performance.now();
      let cacheBytes = this.#last?.cacheBytes ?? 0;
      if (this.#readAt - this.#cacheReadAt > CACHE_FRESH_MS) {
        cacheBytes = await keptBytes(refs, options);
        this.#cacheReadAt = this.#readAt;
      }
      this.#last = { ...read, cacheBytes };
    } catch (error) {
      if (!this.#signal.aborted) this.#log.warn('what the builder has to build with cannot be read', { err: error });
    }
  }
}
