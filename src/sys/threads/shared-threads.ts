import type { ResourceLimits, Transferable } from 'node:worker_threads';
import { CodedError, cancelledError, HOUSE, type WorkOwner } from '../../base/index.ts';
import { fromPlainError } from './error-transfer.ts';
import { OwnThread } from './own-thread.ts';
import {
  type FromSharedThread,
  type SharedThreadData,
  spentError,
  ThreadState,
  type ToSharedThread,
} from './shared-thread-messages.ts';
import { siblingModule } from './sibling-module.ts';
import { crashError } from './task-threads.ts';
import { cpuMsOf, lowerPriority } from './thread-clock.ts';

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
  /** Whether its thread has been working for it since it was last asked. */
  readonly computes: boolean;
}

export interface LaneOptions {
  /** Whose it is: in a thread tenants take turns. */
  readonly owner?: WorkOwner | undefined;
  /** It gets a new thread, which ends with it. */
  readonly alone?: boolean;
  /** How often the same work has lost a thread. */
  readonly losses?: number;
}

export interface SharedThreadsOptions {
  readonly module: URL;
  readonly name: string;
  /** Threads at most, beside those that a lane has for itself. */
  readonly threads: number;
  readonly resourceLimits?: ResourceLimits;
  /** Modules that lanes import later: loaded as soon as a thread has started. */
  readonly preload?: readonly URL[];
  /** CPU time that a thread may take for one turn, in milliseconds; about. */
  readonly heldMs: number;
  /** CPU time that a lane may have in all, in milliseconds. */
  readonly cpuMs?: number;
  /** What becomes of a thread that is held up: it is left to the lane that holds it and the others lose it, or it is ended for all. */
  readonly whenHeld: 'leave' | 'end';
}

interface OpenLane {
  handler: ((message: unknown) => void) | undefined;
  readonly early: unknown[];
  readonly end: (end: LaneEnd) => void;
}

interface SharedThread {
  readonly own: OwnThread;
  readonly lanes: Map<number, OpenLane>;
  readonly state: ThreadState;
  /** `alone`: one lane's from the start; `held`: left to those it has. Both end with their last lane. `ending`: gets no lanes any more. */
  role: 'shared' | 'alone' | 'held' | 'ending';
  ready: boolean;
  /** Pings that it was sent. */
  asked: number;
  /** What it had computed when it was last found to have answered all, in milliseconds. */
  since: number;
  /** Ticks since then. */
  silent: number;
  /** It has computed for one turn for half of the time that holds others up: nobody is put there. */
  suspect: boolean;
  failure: Error | undefined;
}

/** Looks at a thread in the time that it may compute for one turn. */
const TICKS = 8;
/** Milliseconds after which a thread that gives no turn is held up though it computes nothing: it hangs in a call of the system. */
const HUNG_MS = 60_000;
/** Threads that may be left to a lane each: with one more, the oldest is ended. */
const MAX_HELD = 4;
/** Threads over which lanes are spread that have lost theirs more than once: one of them may be the next that holds its thread. */
const MAX_SPREAD = 4;

/**
 * A few long-lived threads that serve many lanes each, so that nobody starts a thread for one piece of work: one is started ahead, another where all that there are have
 * work. A lane that computes without end, takes all memory or brings the thread down is told from its neighbours, who are told that they lost the thread. What a lane may take is counted in the CPU time of its
 * thread, so that on a busy machine none pays for what others do. Threads do not keep the process alive unless they have lanes.
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

  /** A share of the thread that has least to do. */
  open({ owner = HOUSE, alone = false, losses = 0 }: LaneOptions = {}): Lane<In, Out> {
    const thread = alone ? this.#start({ role: 'alone' }) : this.#pick(losses);
    const id = this.#nextLane++;
    const { promise: ended, resolve } = Promise.withResolvers<LaneEnd>();
    const lane: OpenLane = {
      handler: undefined,
      early: [],
      end: (end) => {
        if (!thread.lanes.delete(id)) return;
        resolve(end);
        if (thread.lanes.size > 0) return;
        thread.own.worker.unref();
        if (thread.role !== 'shared' || this.#isTooMany(thread)) this.#end(thread);
      },
    };
    thread.lanes.set(id, lane);
    thread.own.worker.ref();
    this.#watch();
    const send = (message: ToSharedThread, transfer: readonly Transferable[] = []) => {
      if (thread.lanes.get(id) === lane) thread.own.worker.postMessage(message, [...transfer]);
    };
    send({ t: 'open', lane: id, owner });
    return {
      post: (message, transfer) => send({ t: 'message', lane: id, message }, transfer),
      onMessage: (handler) => {
        lane.handler = handler as (message: unknown) => void;
        for (const message of lane.early.splice(0)) lane.handler(message);
      },
      ended,
      get computes() {
        return thread.silent > 0 && thread.state.lane === id;
      },
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
    await Promise.all([...this.#threads].map(({ own }) => own.end()));
  }

  #shared(): SharedThread[] {
    return [...this.#threads].filter(({ role }) => role === 'shared');
  }

  #pick(losses: number): SharedThread {
    const shared = this.#shared();
    const free = shared.filter(({ suspect }) => !suspect);
    const most = Math.max(this.#options.threads, MAX_SPREAD);
    const spread = losses > 1;
    const ready = free.filter(({ ready }) => ready);
    const usable = ready.length > 0 && !spread ? ready : free;
    const [first, ...others] = usable.length > 0 || shared.length < most ? usable : shared;
    if (first === undefined) return this.#start({});
    const best = others.reduce((least, one) => (one.lanes.size < least.lanes.size ? one : least), first);
    if (best.lanes.size === 0) return best;
    if (spread && shared.length < most) return this.#start({});
    // The next one finds it ready: this one does not wait for it.
    if (free.length < this.#options.threads) this.#start({ ahead: true });
    return best;
  }

  /** Whether a thread without lanes is one of those that were started for more than there is otherwise. */
  #isTooMany({ suspect }: SharedThread): boolean {
    const free = this.#shared().filter(({ ready, suspect }) => ready && !suspect);
    return !suspect && free.length > this.#options.threads;
  }

  #end(thread: SharedThread): void {
    thread.role = 'ending';
    void thread.own.end();
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
    const state = new ThreadState();
    const data: SharedThreadData = {
      module: module.href,
      preload: preload.map((url) => url.href),
      warm: ahead,
      cpuMs: this.#options.cpuMs,
      state: state.memory,
    };
    const own = new OwnThread({
      module: siblingModule(import.meta.url, './shared-thread-worker'),
      ...{ name, data, resourceLimits },
    });
    const { worker } = own;
    worker.unref();
    this.#started++;
    const thread: SharedThread = {
      own,
      lanes: new Map(),
      state,
      role,
      ready: false,
      asked: 0,
      since: 0,
      silent: 0,
      suspect: false,
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
    switch (message.t) {
      case 'ready':
        thread.ready = true;
        if (thread.role !== 'shared') lowerPriority(thread.state.thread);
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

  #lose({ lanes, state }: SharedThread, error: CodedError, lost: readonly number[]): void {
    const last = state.lane;
    for (const id of lost) lanes.get(id)?.end({ kind: 'lost', error, suspect: id === last });
  }

  /** While there is work every thread is asked now and then whether it still has turns for others. */
  #watch(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => {
      const watched = [...this.#threads].filter(({ ready, lanes, silent }) => ready && (lanes.size > 0 || silent > 0));
      for (const thread of watched) this.#look(thread);
      if (watched.length > 0 || [...this.#threads].some(({ lanes }) => lanes.size > 0)) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    }, this.#options.heldMs / TICKS);
    this.#timer.unref();
  }

  #look(thread: SharedThread): void {
    const { heldMs, cpuMs = Number.POSITIVE_INFINITY } = this.#options;
    const { state, role } = thread;
    const computed = cpuMsOf(state.thread);
    if (state.answered === thread.asked) {
      thread.since = computed;
      thread.silent = 0;
      thread.suspect = false;
      thread.asked++;
      thread.own.worker.postMessage({ t: 'ping' } satisfies ToSharedThread);
      return;
    }
    thread.silent++;
    const turn = computed - thread.since;
    if (role !== 'shared') {
      if (state.before + turn > cpuMs)
        for (const lane of thread.lanes.values()) lane.end({ kind: 'failed', error: spentError(cpuMs) });
    } else if (turn >= heldMs || (thread.silent * heldMs) / TICKS >= HUNG_MS) this.#held(thread);
    else if (turn >= heldMs / 2) {
      thread.suspect = true;
      if (this.#shared().every(({ suspect }) => suspect) && this.#shared().length < MAX_SPREAD)
        this.#start({ ahead: true });
    }
  }

  #held(thread: SharedThread): void {
    const { name, heldMs, whenHeld } = this.#options;
    const error = CodedError.of(
      'SYS_THREAD_HELD',
      `worker thread ${name} computed for ${heldMs / 1000} s without a turn for others, or hangs`,
    );
    thread.role = 'held';
    lowerPriority(thread.state.thread);
    const holder = thread.state.lane;
    const leave = whenHeld === 'leave' && thread.lanes.has(holder);
    this.#lose(
      thread,
      error,
      [...thread.lanes.keys()].filter((id) => !leave || id !== holder),
    );
    if (thread.lanes.size === 0) this.#end(thread);
    const held = [...this.#threads].filter(({ role, lanes }) => role === 'held' && lanes.size > 0);
    if (held.length > MAX_HELD) void held[0]?.own.end();
  }
}
