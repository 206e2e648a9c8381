import { join } from 'node:path';
import { type AbortOptions, neverAborted, newId } from '../../base/index.ts';
import { type Pools, siblingModule } from '../../sys/index.ts';
import type { Mount, Mounted } from '../ports.ts';

const TASKS = siblingModule(import.meta.url, './mount-tasks');

/** Mounts at a private place below `directory`; disposing unmounts and removes it. */
export async function mountPrivately(
  pools: Pools,
  directory: string,
  mounts: readonly Mount[],
  { signal }: AbortOptions,
): Promise<Mounted> {
  const target = join(directory, newId());
  await pools.short.run({ module: TASKS, fn: 'mountView' }, { mounts, target }, { signal });
  let done: Promise<void> | undefined;
  return {
    root: target,
    mounts,
    [Symbol.asyncDispose]: () => {
      const args = { target, count: mounts.length };
      done ??= pools.short.run<void>({ module: TASKS, fn: 'unmountView' }, args, { signal: neverAborted });
      return done;
    },
  };
}
