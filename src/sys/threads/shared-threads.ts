import { type ResourceLimits, type Transferable, Worker } from 'node:worker_threads';
import { CodedError, cancelledError } from '../../base/index.ts';
import { fromPlainError, type PlainError } from './error-transfer.ts';
import { THREAD_NODE_OPTIONS } from './node-options.ts';
import { siblingModule } from './sibling-module.ts';
import { crashError } from './task-threads.ts';

export type ToSharedThread =
  | { readonly t: 'open' | 'close'; readonly lane: number }
  | { readonly t: 'message'; readonly lane: number; readonly message: unknown }
  | { readonly t: 'ping' };

export type FromSharedThread =
  /** Its module is there. */
  | { readonly t: 'ready' }
  | { readonly t: 'message'; readonly lane: number; readonly message: unknown }
  | { readonly t: 'ended'; readonly lane: number; readonly error: PlainError | undefined }
  /** The thread's last words. */
  | { readonly t: 'crash'; readonly error: PlainError }
  | { readonly t: 'pong' };

export interface SharedThreadData {
  readonly module: string;
  readonly preload: readonly string[];
  readonly warm: boolean;
  /** An Int32Array of one: the lane that the thread worked for last. */
  readonly atWork: SharedArrayBuffer;
}

/**
 * The inner end of a lane. The thread's module exports `serve(port: LanePort<In, Out>): Promise<void>`, which settles when the lane's work has ended; it may export
 * `warm(): Promise<void>`, which a thread started ahead runs.
 */
export interface LanePort<In = unknown, Out = unknown> {
  post(message: Out, transfer?: readonly Transferable[]): void;
  /** One handler; messages that came earlier are delivered to it first. */
  onMessage(handler: (message: In) => void): void;
  /** Fires when the other end is closed: nothing is heard there any more. */
  readonly closed: AbortSignal;
}

/** How the work of a lane ended. */
export type LaneEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: Error }
  /** The thread is gone, or another lane holds it up. `suspect`: this lane was the last that it worked for. */
  | { readonly kind: 'lost'; readonly error: CodedError; readonly suspect: boolean };

/** Somebody's share of a thread. Disposing closes it: whatever it still has under way is told to stop, and is heard no more. */
export interface Lane<In = unknown, Out = unknown> extends Disposable {
  post(message: In, transfer?: readonly Transferable[]): void;
  onMessage(handler: (message: Out) => void): void;
  readonly ended: Promise<LaneEnd>;
}

export interface SharedThreadsOptions {
  readonly module: URL;
  readonly name: string;
  /** Threads at most, beside those that a lane has for itself. */
  readonly threads: number;
  readonly resourceLimits?: ResourceLimits;
  /** Modules that lanes import later: loaded as soon as a thread has started. */
  readonly preload?: readonly URL[];
  /** How long a thread may compute without a turn for others, in milliseconds; about, and not counted while the whole process stands still. */
  readonly heldMs: number;
  /** What becomes of a thread that is held up: it is left to the lane that holds it and the others lose it, or it is ended for all. */
  readonly whenHeld: 'leave' | 'end';
}

interface OpenLane {
  handler: ((message: unknown) => void) | undefined;
  readonly early: unknown[];
  readonly end: (end: LaneEnd) => void;
}

interface SharedThread {
  readonly worker: Worker;
  readonly lanes: Map<number, OpenLane>;
  readonly atWork: Int32Array;
  /** `alone`: one lane's from the start; `held`: left to those it has. Both end with their last lane. */
  role: 'shared' | 'alone' | 'held';
  ready: boolean;
  /** Ticks since it last answered. */
  silent: number;
  failure: Error | undefined;
}

/** An answer is waited for so many ticks. */
const TICKS = 4;
/** Threads that may be left to a lane each: with one more, the oldest is ended. */
const MAX_HELD = 4;

/**
 * A few long-lived threads that serve many lanes each, so that nobody starts a thread for one piece of work: one is started ahead, another where all that there are have
 * work. A lane that computes without end, takes all memory or brings the thread down is told from its neighbours, who are told that they lost the thread. Threads do not
 * keep the process alive unless they have lanes.
 */
export class SharedThreads<In = unknown, Out = unknown> implements AsyncDisposable {
  readonly #options: SharedThreadsOptions;
  /** In the order in which they were started. */
  readonly #threads = new Set<SharedThread>();
  #started = 0;
  #nextLane = 1;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SharedThreadsOptions) {
    this.#options = options;
  }

  /** How many were started so far. */
  get started(): number {
    return this.#started;
  }

  /** Starts the first thread, unless there is one: before it is needed. */
  startAhead(): void {
    if (!this.#closed && this.#shared().length === 0) this.#start({ ahead: true });
  }

  /** A share of the thread that has least to do; `alone`: a new thread, which ends with the lane. */
  open({ alone = false }: { readonly alone?: boolean } = {}): Lane<In, Out> {
    const thread = alone ? this.#start({ role: 'alone' }) : this.#pick();
    const id = this.#nextLane++;
    const { promise: ended, resolve } = Promise.withResolvers<LaneEnd>();
    const lane: OpenLane = {
      handler: undefined,
      early: [],
      end: (end) => {
        if (!thread.lanes.delete(id)) return;
        resolve(end);
        if (thread.lanes.size > 0) return;
        thread.worker.unref();
        if (thread.role !== 'shared') void thread.worker.terminate();
      },
    };
    thread.lanes.set(id, lane);
    thread.worker.ref();
    this.#watch();
    const send = (message: ToSharedThread, transfer: readonly Transferable[] = []) => {
      if (thread.lanes.get(id) === lane) thread.worker.postMessage(message, [...transfer]);
    };
    send({ t: 'open', lane: id });
    return {
      post: (message, transfer) => send({ t: 'message', lane: id, message }, transfer),
      onMessage: (handler) => {
        lane.handler = handler as (message: unknown) => void;
        for (const message of lane.early.splice(0)) lane.handler(message);
      },
      ended,
      [Symbol.dispose]: () => {
        send({ t: 'close', lane: id });
        lane.end({ kind: 'done' });
      },
    };
  }

  /** Ends all threads; lanes that are open lose theirs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()));
  }

  #shared(): SharedThread[] {
    return [...this.#threads].filter(({ role }) => role === 'shared');
  }

  #pick(): SharedThread {
    const shared = this.#shared();
    const ready = shared.filter(({ ready }) => ready);
    const [first, ...others] = ready.length > 0 ? ready : shared;
    if (first === undefined) return this.#start({});
    const best = others.reduce((least, one) => (one.lanes.size < least.lanes.size ? one : least), first);
    // The next one finds it ready: this one does not wait for it.
    if (best.lanes.size > 0 && shared.length < this.#options.threads) this.#start({ ahead: true });
    return best;
  }

  #start({
    role = 'shared',
    ahead = false,
  }: {
    readonly role?: SharedThread['role'];
    readonly ahead?: boolean;
  }): SharedThread {
    if (this.#closed) throw cancelledError(`the threads ${this.#options.name} are closed`);
    const { name, module, preload = [], resourceLimits } = this.#options;
    const atWork = new SharedArrayBuffer(4);
    const data: SharedThreadData = {
      module: module.href,
      preload: preload.map((url) => url.href),
      warm: ahead,
      atWork,
    };
    const worker = new Worker(siblingModule(import.meta.url, './shared-thread-worker'), {
      name,
      execArgv: [...THREAD_NODE_OPTIONS],
      trackUnmanagedFds: false,
      workerData: data,
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
    });
    worker.unref();
    this.#started++;
    const thread: SharedThread = {
      worker,
      lanes: new Map(),
      atWork: new Int32Array(atWork),
      role,
      ready: false,
      silent: 0,
      failure: undefined,
    };
    this.#threads.add(thread);
    worker.on('message', (message: FromSharedThread) => this.#receive(thread, message));
    worker.on('error', (error: unknown) => {
      thread.failure ??= error instanceof Error ? error : new Error(String(error));
    });
    worker.on('exit', (code) => {
      this.#threads.delete(thread);
      const error = this.#closed
        ? cancelledError(`the threads ${name} are closed`)
        : crashError(name, code, thread.failure);
      this.#lose(thread, error, [...thread.lanes.keys()]);
    });
    return thread;
  }

  #receive(thread: SharedThread, message: FromSharedThread): void {
    thread.silent = 0;
    switch (message.t) {
      case 'ready':
        thread.ready = true;
        return;
      case 'pong':
        return;
      case 'crash':
        thread.failure ??= fromPlainError(message.error);
        return;
      case 'message': {
        const lane = thread.lanes.get(message.lane);
        if (lane?.handler === undefined) lane?.early.push(message.message);
        else lane.handler(message.message);
        return;
      }
      case 'ended':
        thread.lanes
          .get(message.lane)
          ?.end(
            message.error === undefined ? { kind: 'done' } : { kind: 'failed', error: fromPlainError(message.error) },
          );
    }
  }

  #lose(thread: SharedThread, error: CodedError, lanes: readonly number[]): void {
    const last = Atomics.load(thread.atWork, 0);
    for (const id of lanes) thread.lanes.get(id)?.end({ kind: 'lost', error, suspect: id === last });
  }

  /** While there is work every thread is asked now and then whether it still has turns for others. */
  #watch(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => {
      const watched = this.#shared().filter(({ ready, lanes, silent }) => ready && (lanes.size > 0 || silent > 0));
      for (const thread of watched) {
        if (thread.silent >= TICKS) this.#held(thread);
        else {
          thread.silent++;
          thread.worker.postMessage({ t: 'ping' } satisfies ToSharedThread);
        }
      }
      if (watched.length > 0 || this.#shared().some(({ lanes }) => lanes.size > 0)) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    }, this.#options.heldMs / TICKS);
    this.#timer.unref();
  }

  #held(thread: SharedThread): void {
    const { name, heldMs, whenHeld } = this.#options;
    const error = CodedError.of('SYS_THREAD_HELD', `worker thread ${name} gave no answer for ${heldMs / 1000} s`);
    thread.role = 'held';
    const holder = Atomics.load(thread.atWork, 0);
    const leave = whenHeld === 'leave' && thread.lanes.has(holder);
    this.#lose(
      thread,
      error,
      [...thread.lanes.keys()].filter((id) => !leave || id !== holder),
    );
    if (thread.lanes.size === 0) void thread.worker.terminate();
    const held = [...this.#threads].filter(({ role, lanes }) => role === 'held' && lanes.size > 0);
    if (held.length > MAX_HELD) void held[0]?.worker.terminate();
  }
}
