import type { AbortOptions, WorkOwner } from '../../base/index.ts';
import type { WorkerPool } from './pool.ts';
import type { Task } from './task.ts';

/** Bytes of a document that is read where it is wanted: it takes a few milliseconds. */
const MAX_AT_ONCE = 32 << 10;

/** For whom long documents are read, and where. */
interface DocumentWorker {
  readonly pool: WorkerPool;
  readonly owner: WorkOwner;
}

export interface DocumentOptions extends AbortOptions {
  /** Reads long documents. Whoever has nobody to serve meanwhile does without. */
  readonly worker?: DocumentWorker | undefined;
}

/** Runs a function here where the document in its arguments is short, else as a task. */
export async function readDocument<A, R>(
  /** In bytes. */
  size: number,
  { task, here }: { readonly task: Task<A, R>; readonly here: (args: A) => R },
  args: NoInfer<A>,
  { signal, worker }: DocumentOptions,
): Promise<R> {
  if (worker === undefined || size <= MAX_AT_ONCE) return here(args);
  return await worker.pool.run(task, args, { signal, owner: worker.owner });
}
