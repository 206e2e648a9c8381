import { type AbortOptions, HOUSE } from '../../base/index.ts';
import { siblingModule, tasksOf } from '../../sys/index.ts';
import type { Refs } from '../refs/index.ts';

const task = tasksOf<typeof import('./kept-bytes-task.ts')>(siblingModule(import.meta.url, './kept-bytes-task'));

/** Bytes of all that is kept, as last measured: cheap beside {@link diskUsage}, which measures. */
export async function keptBytes(refs: Refs, { signal }: AbortOptions): Promise<number> {
  const { db, pools } = refs.records.options;
  return await pools.short.run(task('sumSizes'), db.path, { signal, owner: HOUSE });
}
