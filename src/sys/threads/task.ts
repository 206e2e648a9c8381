import type { Transferable } from 'node:worker_threads';

/**
 * What a task of a {@link WorkerPool} gets as its second argument. It holds a place for computing, and has no signal: what waits takes one, so nothing that waits can be called from it, and it gets
 * no ports to wait at.
 */
export interface TaskContext {
  /** For loops: true at once, without the event loop. */
  aborted(): boolean;
  /** Work of best effort also gives way here. */
  throwIfAborted(): void;
  /** Whether it is to keep to the one thread that it has. */
  isAlone(): boolean;
  /** To the caller's `onMessage`, in order and before the result. */
  post(message: unknown, transfer?: readonly Transferable[]): void;
  /** Values to move, not copy, with the result. */
  transfer(...values: readonly Transferable[]): void;
}

/** What a task of a {@link StreamPool} gets, which holds no place and may wait. */
export interface StreamContext extends TaskContext {
  /** Fires when the task gives way to its event loop. */
  readonly signal: AbortSignal;
}

/** A function of a module, called in a worker thread. Made by {@link tasksOf}. */
export interface Task<A = unknown, R = unknown, C = TaskContext> {
  readonly module: URL;
  readonly fn: string;
  /** Of types only: what it takes and gives. */
  readonly types: ((args: A, context: C) => R) | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever a task takes, its caller gives.
type TaskFunction<C> = (args: any, context: C) => unknown;

/** The functions of a module that make do with such a context. */
type TaskNames<M, C> = { [K in keyof M]: M[K] extends TaskFunction<C> ? K : never }[keyof M] & string;

type TaskOf<F, C> = F extends (args: infer A, ...rest: never[]) => infer R ? Task<A, Awaited<R>, C> : never;

/** The tasks of a module, by the names of its functions: `tasksOf<typeof import('./tasks.ts')>(siblingModule(import.meta.url, './tasks'))`. */
export function tasksOf<M>(module: URL): <K extends TaskNames<M, TaskContext>>(fn: K) => TaskOf<M[K], TaskContext> {
  return (fn) => ({ module, fn, types: undefined }) as never;
}

/** Those of a module for {@link StreamPool}s. */
export function streamTasksOf<M>(
  module: URL,
): <K extends TaskNames<M, StreamContext>>(fn: K) => TaskOf<M[K], StreamContext> {
  return (fn) => ({ module, fn, types: undefined }) as never;
}
