import type { ResourceLimits, Transferable } from 'node:worker_threads';
import { fromPlainError, type PlainError } from './error-transfer.ts';
import { OwnThread } from './own-thread.ts';
import { siblingModule } from './sibling-module.ts';
import { crashError } from './task-threads.ts';

export interface ThreadToWorker {
  readonly message: unknown;
}

export type ThreadFromWorker =
  | { readonly kind: 'message'; readonly message: unknown }
  | { readonly kind: 'error'; readonly error: PlainError };

/** What a dedicated thread is started with. */
export interface DedicatedThreadData {
  readonly module: string;
  readonly data: unknown;
}

/** The inner end of a dedicated thread. Its module exports `start(port: ThreadPort<In, Out>, data): void | Promise<void>`. */
export interface ThreadPort<In = unknown, Out = unknown> {
  post(message: Out, transfer?: readonly Transferable[]): void;
  /** One handler; messages that came earlier are delivered to it first. */
  onMessage(handler: (message: In) => void): void;
  /** Lets the thread end once nothing else keeps it. */
  close(): void;
}

/** A dedicated thread, seen from the thread that started it. `In` goes into it, `Out` comes out. */
export interface Thread<In = unknown, Out = unknown> extends AsyncDisposable {
  post(message: In, transfer?: readonly Transferable[]): void;
  onMessage(handler: (message: Out) => void): void;
  /** Resolves when it ended by itself or was terminated, rejects when it failed: with what it threw, or a CodedError. */
  readonly ended: Promise<void>;
  terminate(): Promise<void>;
  ref(): void;
  unref(): void;
}

interface ThreadOptions {
  readonly module: URL;
  readonly name: string;
  readonly data?: unknown;
  readonly transfer?: readonly Transferable[];
  readonly resourceLimits?: ResourceLimits;
}

/** Starts a dedicated thread (the registry, the writer of blobs). */
export function startThread<In = unknown, Out = unknown>(options: ThreadOptions): Thread<In, Out> {
  const thread = new OwnThread({
    ...{ module: siblingModule(import.meta.url, './thread-worker'), name: options.name },
    data: { module: options.module.href, data: options.data } satisfies DedicatedThreadData,
    ...{ transfer: options.transfer, resourceLimits: options.resourceLimits },
  });
  const { worker } = thread;
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  // Whoever does not await `ended` learns of the failure by silence, not by a crash of the process.
  ended.catch(() => {});
  const early: Out[] = [];
  let handler: ((message: Out) => void) | undefined;
  let failure: Error | undefined;
  let terminated = false;
  worker.on('message', (message: ThreadFromWorker) => {
    if (message.kind === 'error') failure ??= fromPlainError(message.error);
    else if (handler === undefined) early.push(message.message as Out);
    else handler(message.message as Out);
  });
  worker.on('error', (error: unknown) => {
    failure ??= crashError(options.name, 1, error instanceof Error ? error : new Error(String(error)));
  });
  worker.on('exit', (code) => {
    if (terminated || (failure === undefined && code === 0)) resolve();
    else reject(failure ?? crashError(options.name, code, undefined));
  });
  const terminate = async () => {
    terminated = true;
    await thread.end();
  };
  return {
    post: (message, transfer = []) => worker.postMessage({ message } satisfies ThreadToWorker, [...transfer]),
    onMessage: (next) => {
      handler = next;
      for (const message of early.splice(0)) next(message);
    },
    ended,
    terminate,
    ref: () => worker.ref(),
    unref: () => worker.unref(),
    [Symbol.asyncDispose]: terminate,
  };
}
