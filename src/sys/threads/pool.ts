import type { ResourceLimits, Transferable } from 'node:worker_threads';
import { type AbortOptions, Places, type WorkOptions } from '../../base/index.ts';
import type { BestEffort } from './best-effort.ts';
import type { StreamContext, Task } from './task.ts';
import { TaskThreads } from './task-threads.ts';

export interface TaskOptions extends WorkOptions {
  readonly onMessage?: (message: unknown) => void;
  /** It gives way where others want the cores, as often as it looks whether it is aborted. */
  readonly bestEffort?: BestEffort | undefined;
}

interface PoolOptions {
  /** For thread names and errors. */
  readonly name: string;
  readonly threads: number;
  readonly resourceLimits?: ResourceLimits;
  /** How long an aborted task may go on before its thread is ended; 5,000 ms by default. */
  readonly abortGraceMs?: number;
}

/** A bounded set of threads for what computes, a task each at a time; further ones wait for a place, in fair turns. */
export class WorkerPool implements AsyncDisposable {
  readonly places: Places;
  readonly #threads: TaskThreads;

  constructor({ abortGraceMs = 5000, ...options }: PoolOptions) {
    this.places = new Places(options.threads);
    this.#threads = new TaskThreads({ ...options, abortGraceMs });
  }

  /** Runs the task; settles only once it truly ended. An abort rejects with the signal's reason. */
  async run<A, R>(task: Task<A, R>, args: NoInfer<A>, options: TaskOptions): Promise<R> {
    const running = await this.places.start(options, () => this.#threads.begin<R>(task, args, options));
    return await running.ended;
  }

  /** Ends all threads; their tasks reject as cancelled. */
  async close(): Promise<void> {
    await this.#threads[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface StreamTaskOptions extends AbortOptions {
  readonly transfer?: readonly Transferable[];
  readonly onMessage?: (message: unknown) => void;
}

/** One thread for what goes at the pace of somebody outside, any number at once: such tasks give way to each other, and whoever is slow keeps nobody waiting. */
export class StreamPool implements AsyncDisposable {
  readonly #threads: TaskThreads;

  constructor(options: Pick<PoolOptions, 'name' | 'resourceLimits'>) {
    this.#threads = new TaskThreads({ ...options, threads: 1, abortGraceMs: undefined });
  }

  /** Runs the task; settles only once it truly ended. An abort rejects with the signal's reason. */
  async run<A, R>(task: Task<A, R, StreamContext>, args: NoInfer<A>, options: StreamTaskOptions): Promise<R> {
    options.signal.throwIfAborted();
    return await this.#threads.begin<R>(task, args, options).ended;
  }

  /** Ends the thread; its tasks reject as cancelled. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#threads[Symbol.asyncDispose]();
  }
}

/** The pools of a process: `short` for work of milliseconds, `bulk` for packing, hashing and walking, so that neither waits for the other's kind; `streams` for what waits. */
export interface Pools extends AsyncDisposable {
  readonly short: WorkerPool;
  readonly bulk: WorkerPool;
  readonly streams: StreamPool;
}

/** Made once by whoever composes the process (a `main.ts` or a test), and passed on. */
export function createPools(threads: { readonly short: number; readonly bulk: number }): Pools {
  const short = new WorkerPool({ name: 'short', threads: threads.short });
  const bulk = new WorkerPool({ name: 'bulk', threads: threads.bulk });
  const streams = new StreamPool({ name: 'streams' });
  return {
    short,
    bulk,
    streams,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([short, bulk, streams].map((pool) => pool[Symbol.asyncDispose]()));
    },
  };
}
