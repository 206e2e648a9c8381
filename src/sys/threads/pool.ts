import { type ResourceLimits, type Transferable, Worker } from 'node:worker_threads';
import { type AbortOptions, CodedError } from '../../base/index.ts';
import { fromPlainError } from './error-transfer.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { THREAD_NODE_OPTIONS } from './node-options.ts';
import { siblingModule } from './sibling-module.ts';
import { Turns } from './turns.ts';

/** An exported function of a module; the module URL comes from {@link siblingModule}. */
export interface Task {
  readonly module: URL;
  readonly fn: string;
}

/** What a task function gets as its second argument: `export function f(args, context) {…}`, synchronous or not. */
export interface TaskContext {
  /** For waits inside the task. Fires only when the task gives way to its event loop. */
  readonly signal: AbortSignal;
  /** For synchronous loops: true at once, without the event loop. */
  aborted(): boolean;
  throwIfAborted(): void;
  /** To the caller's `onMessage`, in order and before the result. */
  post(message: unknown, transfer?: readonly Transferable[]): void;
  /** Values to move, not copy, with the result. */
  transfer(...values: readonly Transferable[]): void;
}

export interface QueueOptions extends AbortOptions {
  /** Queues take turns, within one the oldest task comes first. It is named by who waits for the work: the session of a build. */
  readonly queue?: string | undefined;
}

export interface TaskOptions extends QueueOptions {
  readonly transfer?: readonly Transferable[];
  readonly onMessage?: (message: unknown) => void;
}

export interface PoolOptions {
  /** For thread names and errors. */
  readonly name: string;
  readonly threads: number;
  /** Tasks that one thread works on at once, 1 by default. More is for tasks that mostly wait, and give way while they do. */
  readonly tasksPerThread?: number;
  readonly resourceLimits?: ResourceLimits;
  /** How long an aborted task may go on before its thread is ended; 5,000 ms by default. A thread that others share is never ended for one. */
  readonly abortGraceMs?: number;
}

interface Running {
  readonly onMessage: ((message: unknown) => void) | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Slot {
  readonly worker: Worker;
  readonly running: Map<number, Running>;
}

/**
 * A bounded set of threads, started when first needed, a task (or {@link PoolOptions.tasksPerThread}) each at a time; further calls wait for a place, and
 * {@link QueueOptions.queue} says in what order. A thread that dies takes only its own tasks with it.
 */
export class WorkerPool implements AsyncDisposable {
  readonly #options: PoolOptions;
  readonly #places: Turns;
  readonly #tasksPerThread: number;
  readonly #slots = new Set<Slot>();
  #nextId = 1;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#tasksPerThread = options.tasksPerThread ?? 1;
    this.#places = new Turns(options.threads * this.#tasksPerThread);
  }

  get threads(): number {
    return this.#options.threads;
  }

  /** Tasks that wait for a thread. */
  get waiting(): number {
    return this.#places.waiting;
  }

  /** Runs the task; settles only once it truly ended. An abort rejects with the signal's reason. */
  async run<T>(task: Task, args: unknown, options: TaskOptions): Promise<T> {
    const { signal } = options;
    using _place = await this.#places.acquire(options.queue, { signal });
    if (this.#closed) throw this.#closedError();
    // Nobody would hear of it any more.
    signal.throwIfAborted();
    const slot = this.#slotForOne();
    const id = this.#nextId++;
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    slot.running.set(id, { onMessage: options.onMessage, resolve, reject });
    slot.worker.ref();
    let grace: NodeJS.Timeout | undefined;
    const onAbort = () => {
      Atomics.store(flag, 0, 1);
      this.#send(slot, { kind: 'abort', id });
      if (this.#tasksPerThread > 1) return;
      grace = setTimeout(() => void slot.worker.terminate(), this.#options.abortGraceMs ?? 5000);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const message = { kind: 'run', id, module: task.module.href, fn: task.fn, args, abortFlag: flag.buffer } as const;
      this.#send(slot, message, options.transfer);
      return (await promise) as T;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw error;
    } finally {
      clearTimeout(grace);
      signal.removeEventListener('abort', onAbort);
      slot.running.delete(id);
      if (slot.running.size === 0) slot.worker.unref();
    }
  }

  /** Ends all threads; their tasks reject as cancelled. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#slots].map((slot) => slot.worker.terminate()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #send(slot: Slot, message: ToWorker, transfer: readonly Transferable[] = []): void {
    slot.worker.postMessage(message, [...transfer]);
  }

  #closedError(): CodedError {
    return CodedError.of('SYS_POOL_CLOSED', `worker pool ${this.#options.name} is closed`);
  }

  /** The thread that has least to do, a new one before any works on a second task. */
  #slotForOne(): Slot {
    let best: Slot | undefined;
    for (const slot of this.#slots) if (best === undefined || slot.running.size < best.running.size) best = slot;
    if (best !== undefined && (best.running.size === 0 || this.#slots.size >= this.#options.threads)) return best;
    return this.#start();
  }

  #start(): Slot {
    const worker = new Worker(siblingModule(import.meta.url, './pool-worker'), {
      name: this.#options.name,
      execArgv: [...THREAD_NODE_OPTIONS],
      // Descriptors from openat and friends are closed through node:fs, which would take each for a mistake.
      trackUnmanagedFds: false,
      ...(this.#options.resourceLimits === undefined ? {} : { resourceLimits: this.#options.resourceLimits }),
    });
    const slot: Slot = { worker, running: new Map() };
    this.#slots.add(slot);
    let failure: Error | undefined;
    worker.on('message', (message: FromWorker) => {
      const running = slot.running.get(message.id);
      if (running === undefined) return;
      if (message.kind === 'post') running.onMessage?.(message.message);
      else if (message.kind === 'result') running.resolve(message.value);
      else running.reject(fromPlainError(message.error));
    });
    worker.on('error', (error: unknown) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    worker.on('exit', (code) => {
      this.#slots.delete(slot);
      const error = this.#closed ? this.#closedError() : crashError(this.#options.name, code, failure);
      for (const { reject } of slot.running.values()) reject(error);
    });
    return slot;
  }
}

/** The error of a thread that ended under its work. */
export function crashError(name: string, code: number, cause: Error | undefined): CodedError {
  const outOfMemory = (cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
  const why = outOfMemory ? 'ran out of its memory limit' : (cause?.message ?? `exit code ${code}`);
  return CodedError.of(outOfMemory ? 'SYS_THREAD_MEMORY' : 'SYS_THREAD_ENDED', `worker thread ${name} ended: ${why}`, {
    cause,
  });
}

/**
 * The pools of a process: `short` for work of milliseconds, `bulk` for packing, hashing and walking, so that neither waits for the other's kind; `streams` for work at
 * the pace of somebody outside (a download, a client that reads), any number at once: whoever is slow keeps nobody waiting.
 */
export interface Pools extends AsyncDisposable {
  readonly short: WorkerPool;
  readonly bulk: WorkerPool;
  readonly streams: WorkerPool;
}

/** Made once by whoever composes the process (a `main.ts` or a test), and passed on. */
export function createPools(threads: { readonly short: number; readonly bulk: number }): Pools {
  const short = new WorkerPool({ name: 'short', threads: threads.short });
  const bulk = new WorkerPool({ name: 'bulk', threads: threads.bulk });
  const streams = new WorkerPool({ name: 'streams', threads: 1, tasksPerThread: Infinity });
  return {
    short,
    bulk,
    streams,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([short.close(), bulk.close(), streams.close()]);
    },
  };
}
