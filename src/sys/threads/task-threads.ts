import type { ResourceLimits, Transferable } from 'node:worker_threads';
import { type AbortOptions, CodedError, type Computation } from '../../base/index.ts';
import { tellStart } from '../starts.ts';
import type { BestEffort } from './best-effort.ts';
import { fromPlainError } from './error-transfer.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { OwnThread } from './own-thread.ts';
import { siblingModule } from './sibling-module.ts';

interface TaskThreadsOptions {
  /** For thread names and errors. */
  readonly name: string;
  readonly threads: number;
  readonly resourceLimits?: ResourceLimits;
  /** How long an aborted task may go on before its thread is ended; undefined where others share the thread. */
  readonly abortGraceMs: number | undefined;
}

interface TaskCall extends AbortOptions {
  readonly transfer?: readonly Transferable[] | undefined;
  readonly onMessage?: ((message: unknown) => void) | undefined;
  readonly bestEffort?: BestEffort | undefined;
}

/** A task under way. */
interface RunningTask<T> extends Computation {
  /** Settles only once it truly ended; with the signal's reason where that has fired. */
  readonly ended: Promise<T>;
}

interface Running {
  readonly onMessage: ((message: unknown) => void) | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Slot {
  readonly thread: OwnThread;
  readonly running: Map<number, Running>;
}

/** Threads that call functions of modules, started when first needed. One that dies takes only its own tasks with it. */
export class TaskThreads implements AsyncDisposable {
  readonly #options: TaskThreadsOptions;
  readonly #slots = new Set<Slot>();
  /** Those that are being ended: nothing more is given to them, though their task may be over before they are. */
  readonly #ending = new Set<Slot>();
  #nextId = 1;
  #closed = false;

  constructor(options: TaskThreadsOptions) {
    this.#options = options;
  }

  /** Has the thread that has least to do call it. @throws CodedError cancelled once closed */
  begin<T>(
    { module, fn }: { readonly module: URL; readonly fn: string },
    args: unknown,
    { signal, transfer, onMessage, bestEffort }: TaskCall,
  ): RunningTask<T> {
    if (this.#closed) throw this.#closedError();
    const slot = this.#slotForOne();
    tellStart('task', fn);
    const id = this.#nextId++;
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    let grace: NodeJS.Timeout | undefined;
    const onAbort = () => {
      Atomics.store(flag, 0, 1);
      bestEffort?.hurry();
      this.#send(slot, { kind: 'abort', id });
      const { abortGraceMs } = this.#options;
      if (abortGraceMs !== undefined) grace = setTimeout(() => this.#end(slot), abortGraceMs);
    };
    const shared = { abortFlag: flag.buffer, bestEffort: bestEffort?.flag };
    this.#send(slot, { kind: 'run', id, module: module.href, fn, args, ...shared }, transfer);
    slot.running.set(id, { onMessage, resolve, reject });
    slot.thread.worker.ref();
    signal.addEventListener('abort', onAbort, { once: true });
    const ended = promise
      .catch((error: unknown) => {
        throw signal.aborted ? signal.reason : error;
      })
      .finally(() => {
        clearTimeout(grace);
        signal.removeEventListener('abort', onAbort);
        slot.running.delete(id);
        if (slot.running.size === 0) slot.thread.worker.unref();
      });
    return { computes: true, ended: ended as Promise<T> };
  }

  /** Ends all threads; their tasks reject as cancelled. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#slots, ...this.#ending].map((slot) => slot.thread.end()));
  }

  #send(slot: Slot, message: ToWorker, transfer: readonly Transferable[] = []): void {
    slot.thread.worker.postMessage(message, [...transfer]);
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

  #end(slot: Slot): void {
    this.#slots.delete(slot);
    this.#ending.add(slot);
    void slot.thread.end();
  }

  #start(): Slot {
    const { name, resourceLimits } = this.#options;
    const thread = new OwnThread({ module: siblingModule(import.meta.url, './pool-worker'), name, resourceLimits });
    const { worker } = thread;
    const slot: Slot = { thread, running: new Map() };
    this.#slots.add(slot);
    let failure: Error | undefined;
    worker.on('message', (message: FromWorker) => {
      const running = slot.running.get(message.id);
      if (running === undefined) return;
      if (message.kind === 'post') running.onMessage?.(message.message);
      else if (message.kind === 'result') running.resolve(message.value);
      // What is cut off by the end of its thread fails in words of its own.
      else running.reject(this.#closed ? this.#closedError() : fromPlainError(message.error));
    });
    worker.on('error', (error: unknown) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    worker.on('exit', (code) => {
      this.#slots.delete(slot);
      this.#ending.delete(slot);
      const error = this.#closed ? this.#closedError() : crashError(name, code, failure);
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
