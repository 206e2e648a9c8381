import { rmSync } from 'node:fs';
import { type MountSpec, mount, unmountOrDetach } from './mount.ts';
import type { Task } from './threads/pool.ts';
import { siblingModule } from './threads/sibling-module.ts';

/** Mount work as pool tasks: the serving thread must not wait while an overlay's end syncs a file system. */
export const mountTasks = {
  /** Args {@link MountTaskArgs}: mounts all in order. */
  mount: { module: siblingModule(import.meta.url, './mount-tasks'), fn: 'mountTask' },
  /** Args: targets, unmounted in order, each as often as it is named. */
  unmount: { module: siblingModule(import.meta.url, './mount-tasks'), fn: 'unmountTask' },
  /** Args: a path of ours, removed with all below it. */
  removeTree: { module: siblingModule(import.meta.url, './mount-tasks'), fn: 'removeTreeTask' },
} as const satisfies Record<string, Task>;

export type MountTaskArgs = readonly { readonly spec: MountSpec; readonly target: string }[];

export function mountTask(mounts: MountTaskArgs): void {
  let done = 0;
  try {
    for (; done < mounts.length; done++) {
      const { spec, target } = mounts[done] as MountTaskArgs[number];
      mount(spec, target);
    }
  } catch (error) {
    while (done-- > 0) unmountOrDetach((mounts[done] as MountTaskArgs[number]).target);
    throw error;
  }
}

export function unmountTask(targets: readonly string[]): void {
  for (const target of targets) unmountOrDetach(target);
}

export function removeTreeTask(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
