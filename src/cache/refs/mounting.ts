import { join } from 'node:path';
import { neverAborted, newId, type WorkOptions } from '../../base/index.ts';
import { type Pools, siblingModule, tasksOf } from '../../sys/index.ts';
import type { Mount, Mounted } from '../ports.ts';

const task = tasksOf<typeof import('./mount-tasks.ts')>(siblingModule(import.meta.url, './mount-tasks'));

/**
 * Mounts at a private place below `directory`; disposing unmounts and removes it. What is one directory needs no mount: it is the view itself, so whoever
 * has a view of what never changes must only read there.
 */
export async function mountPrivately(
  pools: Pools,
  directory: string,
  mounts: readonly Mount[],
  { signal, owner }: WorkOptions,
): Promise<Mounted> {
  const [first] = mounts;
  if (first?.type === 'bind' && mounts.length === 1) {
    await pools.short.run(task('assertDirectory'), { path: first.source }, { signal, owner });
    return { root: first.source, mounts, [Symbol.asyncDispose]: async () => {} };
  }
  const target = join(directory, newId());
  await pools.short.run(task('mountView'), { mounts, target }, { signal, owner });
  let done: Promise<void> | undefined;
  return {
    root: target,
    mounts,
    [Symbol.asyncDispose]: () => {
      const args = { target, count: mounts.length };
      done ??= pools.short.run(task('unmountView'), args, { signal: neverAborted, owner });
      return done;
    },
  };
}
