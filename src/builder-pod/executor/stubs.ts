import { posix } from 'node:path';
import { hasErrno, type Root } from '../../sys/index.ts';

/** A file or directory that exists only to be mounted on. */
export interface Stub {
  readonly path: string;
  readonly isDirectory: boolean;
}

/**
 * Makes the mount points that are missing in the root, so that neither the runtime's making nor our removal shows in the layer: the times of the directory
 * around them stay as they are. Returns what {@link removeStubs} takes away again; directories made above a mount point are kept unless `recursive`,
 * as BuildKit keeps them.
 */
export function makeStubs(
  root: Root,
  targets: readonly { readonly destination: string; readonly isDirectory: boolean }[],
  recursive: boolean,
): Stub[] {
  const stubs: Stub[] = [];
  for (const { destination, isDirectory } of targets) {
    const path = root.resolveMissing(destination);
    if (path === '/' || root.lstatIfAny(path) !== undefined) continue;
    const kept = keepTimes(root, existingParent(root, path));
    try {
      const made = root.mkdirAll(posix.dirname(path));
      if (recursive) stubs.push(...made.map((directory) => ({ path: directory, isDirectory: true })));
      if (isDirectory) root.mkdir(path);
      else root.writeFile(path, '', 0o755);
      stubs.push({ path, isDirectory });
    } finally {
      kept();
    }
  }
  return stubs;
}

/** Removes stubs that are still empty, innermost first. */
export function removeStubs(root: Root, stubs: readonly Stub[]): void {
  for (const { path } of stubs.toReversed()) {
    const stat = root.lstatIfAny(path);
    if (stat === undefined || (stat.type === 'file' && stat.size !== 0)) continue;
    if (stat.type !== 'file' && stat.type !== 'dir') continue;
    const kept = keepTimes(root, posix.dirname(path));
    try {
      if (stat.type === 'dir') root.rmdir(path);
      else root.unlink(path);
    } catch (error) {
      // The step put something into it: then it is the step's.
      if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST', 'EBUSY')) throw error;
    } finally {
      kept();
    }
  }
}

function existingParent(root: Root, path: string): string {
  let parent = posix.dirname(path);
  while (parent !== '/' && root.lstatIfAny(parent) === undefined) parent = posix.dirname(parent);
  return parent;
}

function keepTimes(root: Root, directory: string): () => void {
  const before = root.lstatIfAny(directory);
  return () => {
    if (before !== undefined) root.utimens(directory, before.atimeNs, before.mtimeNs);
  };
}
