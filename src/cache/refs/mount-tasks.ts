import { mkdirSync, rmdirSync, statSync } from 'node:fs';
import { type MountSpec, mount, unmountOrDetach } from '../../sys/index.ts';

/** Worker task: mounts one above the other at a new directory; all or nothing. */
export function mountView({
  mounts,
  target,
}: {
  readonly mounts: readonly MountSpec[];
  readonly target: string;
}): void {
  mkdirSync(target, { mode: 0o700 });
  let count = 0;
  try {
    for (const spec of mounts) {
      mount(spec, target);
      count++;
    }
  } catch (error) {
    unmountView({ target, count });
    throw error;
  }
}

/** Worker task: fails as a mount of it would where it is missing. */
export function assertThere({ path }: { readonly path: string }): void {
  statSync(path);
}

/** Worker task: the positions of those paths that are no directories. */
export function missingDirectories({ paths }: { readonly paths: readonly string[] }): number[] {
  const isThere = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return paths.flatMap((path, n) => (isThere(path) ? [] : [n]));
}

/** Worker task: takes them down and removes the directory. */
export function unmountView({ target, count }: { readonly target: string; readonly count: number }): void {
  for (let n = 0; n < count; n++) unmountOrDetach(target);
  rmdirSync(target);
}
