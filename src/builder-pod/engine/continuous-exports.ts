import { type AbortOptions, cancelledError, type Logger, onAbort, Semaphore, sleep } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import type { VertexOp } from '../../llb/index.ts';
import type { SolverObserver } from '../../solver/index.ts';
import type { ExportContext } from '../exporters/index.ts';
import type { ContinuousCache, UpdateContext } from './cache-exports.ts';
import { SILENT } from './silent.ts';
import type { SpareThreads } from './spare-threads.ts';

/** The first results of a build are written so soon, if the interval allows. */
const FIRST_MS = 1000;
/** The longer a build takes, the longer the time between updates: by this part of it, and no longer than that. */
const PART_OF_BUILD = 1 / 20;
const MOST_BETWEEN_MS = 5 * 60_000;
/** What a build waits for an update that is under way when it comes to write its cache itself. */
const HURRY_MS = 10_000;
/** Of an update that its build waits for. */
const AWAITED = AbortSignal.abort();
/** What a build that has failed waits for what it had finished to be written. */
const LEAVE_MS = 30_000;

interface GrowingBuild extends AbortOptions {
  readonly job: string;
  /** Each with who is told of what it moves. */
  readonly caches: ReadonlyMap<ContinuousCache, ExportContext['moved']>;
  /** Whose records may be told of. */
  readonly scopes: readonly string[];
  readonly context: Omit<ExportContext, 'signal' | 'progress'> & Pick<UpdateContext, 'imageHosts'>;
}

/** The caches of one build while it goes on. Disposing ends what is under way. */
export interface Growing extends AsyncDisposable {
  /** Outputs are exported: nothing goes ahead of them any more. */
  giveWay(): void;
  /** No further update is begun, and the one under way is given a moment. */
  stop(): Promise<void>;
  /** Whether there is something for {@link leave} to write into this one. */
  hasMore(cache: ContinuousCache): boolean;
  /** The build has failed: writes what is not yet written, in bounded time. */
  leave(cache: ContinuousCache, context: Pick<ExportContext, 'progress'>): Promise<void>;
  /** Why the last updates of a cache could not be written, if they could not. */
  problem(cache: ContinuousCache): unknown;
}

/** Caches that are written while their builds go on: an update for all that was finished meanwhile, one at a time. What goes wrong costs nothing but the update. */
export class ContinuousExports {
  readonly observer: SolverObserver<VertexOp, ImmutableRef>;
  readonly #builds = new Map<string, GrowingCache[]>();
  readonly #spare: SpareThreads;
  readonly #log: Logger;

  constructor({ spare, log }: { readonly spare: SpareThreads; readonly log: Logger }) {
    this.#spare = spare;
    this.#log = log;
    this.observer = {
      resulted: ({ vertex, jobs, keys }) => {
        // A source was not made, and some are for a frontend's eyes alone: it counts with what is made of it.
        if (vertex.op.op.body.kind === 'source') return;
        for (const job of jobs) for (const cache of this.#builds.get(job) ?? []) cache.add(keys);
      },
    };
  }

  begin(build: GrowingBuild): Growing {
    const shared = { spare: this.#spare, uploads: new Semaphore(1) };
    const caches = new Map(
      [...build.caches.keys()].map((cache) => [cache, new GrowingCache(cache, build, shared, this.#log)]),
    );
    if (caches.size > 0) this.#builds.set(build.job, [...caches.values()]);
    const end = async () => {
      this.#builds.delete(build.job);
      await Promise.all([...caches.values()].map((cache) => cache.end()));
    };
    return {
      giveWay: () => {
        for (const cache of caches.values()) cache.giveWay();
      },
      stop: async () => {
        this.#builds.delete(build.job);
        await Promise.all([...caches.values()].map((cache) => cache.stop()));
      },
      hasMore: (cache) => caches.get(cache)?.hasMore === true,
      leave: async (cache, context) => await caches.get(cache)?.leave(context),
      problem: (cache) => caches.get(cache)?.problem,
      [Symbol.asyncDispose]: end,
    };
  }
}

type SharedByCaches = { readonly spare: SpareThreads } & Pick<UpdateContext, 'uploads'>;

class GrowingCache {
  readonly #cache: ContinuousCache;
  readonly #build: GrowingBuild;
  readonly #shared: SharedByCaches;
  readonly #log: Logger;
  readonly #roots = new Set<string>();
  readonly #began = performance.now();
  /** How many of them are written. */
  #written = 0;
  readonly #over = new AbortController();
  readonly #hurry = new AbortController();
  #running: Promise<void> | undefined;
  /** Why the last ones failed, and how many in a row. */
  problem: unknown;
  #failures = 0;

  constructor(cache: ContinuousCache, build: GrowingBuild, shared: SharedByCaches, log: Logger) {
    this.#cache = cache;
    this.#build = build;
    this.#shared = shared;
    this.#log = log;
  }

  get hasMore(): boolean {
    return this.#roots.size > this.#written;
  }

  add(keys: readonly string[]): void {
    for (const key of keys) this.#roots.add(key);
    if (this.hasMore && !this.#hurry.signal.aborted) this.#running ??= this.#run();
  }

  giveWay(): void {
    if (this.#cache.isTakenOver === true) this.#hurry.abort(cancelledError('the build exports what it has made'));
  }

  async stop(): Promise<void> {
    this.giveWay();
    if (this.#cache.isTakenOver === true) return;
    this.#hurry.abort(cancelledError('the build writes its cache'));
    const patience = new AbortController();
    const waited = sleep(HURRY_MS, { signal: patience.signal }).catch(() => {});
    await Promise.race([this.#running, waited]).finally(() => patience.abort());
    await this.end();
  }

  async end(): Promise<void> {
    this.#hurry.abort();
    this.#over.abort(cancelledError('the build is over'));
    await this.#running;
    await this.#cache.settled?.();
  }

  async leave({ progress }: Pick<ExportContext, 'progress'>): Promise<void> {
    const late = AbortSignal.timeout(LEAVE_MS);
    const signal = AbortSignal.any([this.#build.signal, late]);
    using aborted = onAbort(signal);
    // Whatever it is that does not end is not waited for.
    await Promise.race([this.#update({ progress, signal, hurry: AWAITED }), aborted.promise]);
  }

  async #run(): Promise<void> {
    const { intervalMs } = this.#cache;
    const signal = AbortSignal.any([this.#build.signal, this.#over.signal]);
    const pause = { signal: AbortSignal.any([signal, this.#hurry.signal]) };
    let wait = Math.min(FIRST_MS, intervalMs);
    while (!pause.signal.aborted) {
      try {
        await sleep(wait, pause);
        if (this.hasMore) await this.#update({ signal, spare: this.#shared.spare, hurry: this.#hurry.signal });
        else if (this.#failures === 0) {
          // Begins anew with the next result.
          this.#running = undefined;
          return;
        }
        this.#failures = 0;
        this.problem = undefined;
      } catch (error) {
        if (pause.signal.aborted) return;
        this.problem = error;
        this.#failures++;
        this.#log.info('a cache could not be written while its build goes on', { err: error });
      }
      const least = intervalMs * 2 ** Math.min(this.#failures, 20);
      wait = Math.min(
        Math.max(least, (performance.now() - this.#began) * PART_OF_BUILD),
        Math.max(MOST_BETWEEN_MS, intervalMs),
      );
    }
  }

  async #update(
    context: Pick<UpdateContext, 'signal' | 'spare' | 'hurry'> & Partial<Pick<ExportContext, 'progress'>>,
  ): Promise<void> {
    const roots = [...this.#roots];
    const whole = await this.#cache.update(
      { roots, scopes: this.#build.scopes },
      {
        ...{ progress: SILENT, moved: this.#build.caches.get(this.#cache), uploads: this.#shared.uploads },
        ...this.#build.context,
        ...context,
      },
    );
    if (whole) this.#written = roots.length;
  }
}
