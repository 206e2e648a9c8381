import { neverAborted, type WorkOptions } from '../base/index.ts';
import type { ScratchOptions } from './scratch-tasks.ts';
import type { WorkerPool } from './threads/pool.ts';
import { siblingModule } from './threads/sibling-module.ts';
import { tasksOf } from './threads/task.ts';

const task = tasksOf<typeof import('./scratch-tasks.ts')>(siblingModule(import.meta.url, './scratch-tasks'));

/** A directory of one's own, which goes with all that is in it. */
export interface Scratch extends AsyncDisposable {
  readonly path: string;
}

/** Makes a directory, in a worker, since neither a new one nor the end of a large one is without waits for the disk. */
export async function makeScratch(
  pool: WorkerPool,
  options: ScratchOptions,
  { signal, owner }: WorkOptions,
): Promise<Scratch> {
  const path = await pool.run(task('makeScratchTask'), options, { signal, owner });
  return {
    path,
    [Symbol.asyncDispose]: () => pool.run(task('removeTreeTask'), path, { signal: neverAborted, owner }),
  };
}
