import { type AbortOptions, type BuildLimits, cancelledError, type WorkOwner } from '../../base/index.ts';
import type { Compression, ImmutableRef } from '../../cache/ports.ts';
import type { VertexOp } from '../../llb/index.ts';
import type { Edge, Result, SolverObserver } from '../../solver/index.ts';
import { edgeName, exportedChain } from './exported-chain.ts';
import type { SpareThreads } from './spare-threads.ts';

/** How long nothing has come of a build before its layers are packed: steps that follow each other quickly have the machine to themselves. */
const QUIET_MS = 100;
/** How often the packing of one result is given up for others that want the threads. */
const MAX_TRIES = 3;

interface ExpectedExport extends AbortOptions {
  readonly job: string;
  /** What the images are of; nothing else of the build is packed, and handed on. */
  readonly edges: readonly Edge<VertexOp>[];
  /** As the exporters want layers; none when no image is made. */
  readonly compressions: readonly Compression[];
  /** Each takes what is packed. */
  readonly ahead: readonly ((ref: ImmutableRef, options: AbortOptions) => Promise<void>)[];
  readonly sessions: () => readonly string[];
  readonly owner: WorkOwner;
  readonly limits: () => BuildLimits;
}

/** What is packed for one build. Disposing ends it. */
interface PackingAhead extends AsyncDisposable {
  /** The export has begun: it packs what is left, and takes over what is being packed. */
  stop(): void;
}

interface Waiting {
  readonly result: Result<ImmutableRef>;
  tries: number;
}

/**
 * Packs layers of images while later steps of their builds run, for the export to find: one result at a time, on cores that nobody wants and in bulk threads that nobody wants, and given up
 * when somebody wants these. Nothing of it is needed: whatever goes wrong, the export meets it, too.
 */
export class EarlyPacking {
  readonly observer: SolverObserver<VertexOp, ImmutableRef>;
  readonly #spare: SpareThreads;
  readonly #quietMs: number;
  readonly #builds = new Map<string, BuildPacking>();

  constructor({ spare, quietMs = QUIET_MS }: { readonly spare: SpareThreads; readonly quietMs?: number }) {
    this.#spare = spare;
    this.#quietMs = quietMs;
    this.observer = {
      resulted: ({ vertex, output, jobs, result }) => {
        for (const job of jobs) this.#builds.get(job)?.resulted(edgeName(vertex, output), result);
      },
    };
  }

  /** From now on results of the build that are to be in its images are packed. */
  expect({ job, edges, compressions, ahead, signal, ...access }: ExpectedExport): PackingAhead {
    // To bring base images into another form they would have to be pulled: that is left to the export.
    const wanted = compressions.filter(({ force }) => force !== true);
    if (wanted.length === 0) return { stop: () => {}, [Symbol.asyncDispose]: async () => {} };
    const build = new BuildPacking(exportedChain(edges), this.#quietMs, {
      pack: (next, over) => this.#pack(next, wanted, { ...access, signal: AbortSignal.any([signal, over]) }),
      take: async (ref, over) => {
        const options = { signal: AbortSignal.any([signal, over]) };
        await Promise.allSettled(ahead.map((take) => take(ref, options)));
      },
    });
    this.#builds.set(job, build);
    return {
      stop: () => build.stop(),
      [Symbol.asyncDispose]: async () => {
        this.#builds.delete(job);
        await build.end();
      },
    };
  }

  /** Whether it is packed, or never will be. */
  async #pack(
    { result: { value: ref } }: Waiting,
    compressions: readonly Compression[],
    { signal, ...access }: AbortOptions & Pick<ExpectedExport, 'sessions' | 'owner' | 'limits'>,
  ): Promise<boolean> {
    const done = await this.#spare.run(
      async (until) => {
        const work = { ...access, signal: until, bestEffort: true };
        for (const compression of compressions) await ref.layers({ ...work, compression });
      },
      { signal },
    );
    return done !== undefined;
  }
}

interface PackingWork {
  /** Whether it is packed, or never will be. */
  readonly pack: (next: Waiting, over: AbortSignal) => Promise<boolean>;
  /** Hands on what is packed. Never rejects. */
  readonly take: (ref: ImmutableRef, over: AbortSignal) => Promise<void>;
}

/** The results of one build that wait to be packed, in the order in which they came. */
class BuildPacking {
  readonly #chain: ReadonlySet<string>;
  readonly #quietMs: number;
  readonly #work: PackingWork;
  readonly #waiting: Waiting[] = [];
  readonly #over = new AbortController();
  readonly #taken = new Set<string>();
  #taking = Promise.resolve();
  #stopped = false;
  #quiet = false;
  #timer: NodeJS.Timeout | undefined;
  #packing: Promise<void> | undefined;

  constructor(chain: ReadonlySet<string>, quietMs: number, work: PackingWork) {
    this.#chain = chain;
    this.#quietMs = quietMs;
    this.#work = work;
  }

  resulted(name: string, result: Result<ImmutableRef>): void {
    if (this.#stopped) return;
    if (this.#chain.has(name) && !this.#taken.has(result.id)) {
      this.#taken.add(result.id);
      this.#waiting.push({ result: result.clone(), tries: 0 });
    }
    if (this.#waiting.length > 0) this.#wait();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async end(): Promise<void> {
    this.stop();
    this.#over.abort(cancelledError('the build is over'));
    await this.#packing;
    await this.#taking;
    for (const { result } of this.#waiting.splice(0)) await letGo(result);
  }

  /** One after another, while others are packed. */
  #take(result: Result<ImmutableRef>): void {
    this.#taking = this.#taking
      .then(() => (this.#stopped ? undefined : this.#work.take(result.value, this.#over.signal)))
      .finally(() => letGo(result));
  }

  /** Starts over with every result. */
  #wait(): void {
    this.#quiet = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#quiet = true;
      this.#packing ??= this.#packAll().finally(() => {
        this.#packing = undefined;
      });
    }, this.#quietMs);
  }

  async #packAll(): Promise<void> {
    while (this.#quiet && !this.#stopped) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next.tries++;
      // What fails is met again by the export, which tells of it.
      const isDone = await this.#work.pack(next, this.#over.signal).catch(() => true);
      if (isDone) this.#take(next.result);
      else if (next.tries >= MAX_TRIES) await letGo(next.result);
      else this.#waiting.unshift(next);
    }
  }
}

/** One that cannot be let go of is no reason to keep the next, nor for its build to fail. */
async function letGo(result: Result<ImmutableRef>): Promise<void> {
  await result.release().catch(() => {});
}
