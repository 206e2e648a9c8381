import { join } from 'node:path';
import { neverAborted, newId, type WorkOptions } from '../../base/index.ts';
import { type Pools, siblingModule, tasksOf } from '../../sys/index.ts';
import type { Mount, Mounted } from '../ports.ts';

const task = tasksOf<typeof import('./mount-tasks.ts')>(siblingModule(import.meta.url, './mount-tasks'));

/** The same to be read: what was to be written to is the topmost layer, so the kernel takes it for nobody's to write and minds no other mount of it. */
export function readOnly(mounts: readonly Mount[]): readonly Mount[] {
  return mounts.map((mount) => {
    if (mount.type !== 'overlay')
      return { ...mount, options: [...mount.options.filter((option) => option !== 'rw'), 'ro'] };
    const value = (name: string) =>
      mount.options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
    const layers = [value('upperdir'), value('lowerdir')].filter((directory) => directory !== undefined);
    const others = mount.options.filter((option) => !/^(volatile|ro|(upper|lower|work)dir=.*)$/s.test(option));
    return { ...mount, options: [...others, `lowerdir=${layers.join(':')}`, 'ro'] };
  });
}

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
    await pools.short.run(task('assertThere'), { path: first.source }, { signal, owner });
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
