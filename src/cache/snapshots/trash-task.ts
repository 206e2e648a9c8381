import { constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { newId } from '../../base/index.ts';
import { Dir, hasErrno, syncFileSystem, type TaskContext, unmountOrDetach } from '../../sys/index.ts';

/** Directory levels held open at once. */
const MAX_DEPTH = 200;

/** Worker task: removes what is in `directory` now, and some trees that lie elsewhere on its file system. */
export function emptyTrash(
  {
    directory,
    trees,
    mounts,
  }: { readonly directory: string; readonly trees: readonly string[]; readonly mounts: readonly string[] },
  context: TaskContext,
): void {
  for (const mounted of mounts) unmountOrDetach(mounted);
  using top = new Dir(openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY));
  const moved: string[] = [];
  const remover: Remover = { top, moved, context };
  // Before the sync: what comes later is not on disk yet as what it is.
  const found = top.readdir();
  syncFileSystem(directory);
  // What cannot be removed keeps nothing else from it.
  const failures: unknown[] = [];
  const remove = (parent: Dir, name: string) => {
    try {
      removeEntry(parent, name, 0, remover);
    } catch (error) {
      context.throwIfAborted();
      failures.push(error);
    }
  };
  for (const path of trees) {
    using parent = new Dir(openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY));
    remove(parent, basename(path));
  }
  for (let names = found; names.length > 0; names = moved.splice(0)) for (const name of names) remove(top, name);
  if (failures.length > 0) throw failures[0];
}

interface Remover {
  readonly top: Dir;
  /** Levels beyond the limit, moved up to the top. */
  readonly moved: string[];
  readonly context: TaskContext;
}

function removeEntry(parent: Dir, name: string, depth: number, remover: Remover): void {
  remover.context.throwIfAborted();
  try {
    parent.unlink(name);
    return;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    if (!hasErrno(error, 'EISDIR', 'EPERM')) throw error;
  }
  if (depth >= MAX_DEPTH) {
    const up = newId();
    parent.rename(name, remover.top, up);
    remover.moved.push(up);
    return;
  }
  {
    using below = parent.openDir(name);
    for (const entry of below.readdir()) removeEntry(below, entry, depth + 1, remover);
  }
  parent.rmdir(name);
}
