import { constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { newId } from '../../base/index.ts';
import { Dir, hasErrno, syncFileSystem, type TaskContext } from '../../sys/index.ts';

/** Directory levels held open at once. */
const MAX_DEPTH = 200;

/** Worker task: removes everything in `directory`, and some trees that lie elsewhere on its file system. */
export function emptyTrash(
  { directory, trees }: { readonly directory: string; readonly trees: readonly string[] },
  context: TaskContext,
): void {
  syncFileSystem(directory);
  for (const path of trees) {
    using parent = new Dir(openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY));
    removeEntry(parent, basename(path), parent, 0, context);
  }
  using top = new Dir(openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY));
  // Levels beyond the limit are moved up to the top, so names are read again until none is left.
  for (let names = top.readdir(); names.length > 0; names = top.readdir()) {
    for (const name of names) removeEntry(top, name, top, 0, context);
  }
}

function removeEntry(parent: Dir, name: string, top: Dir, depth: number, context: TaskContext): void {
  context.throwIfAborted();
  try {
    parent.unlink(name);
    return;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    if (!hasErrno(error, 'EISDIR', 'EPERM')) throw error;
  }
  if (depth >= MAX_DEPTH) {
    parent.rename(name, top, newId());
    return;
  }
  {
    using below = parent.openDir(name);
    for (const entry of below.readdir()) removeEntry(below, entry, top, depth + 1, context);
  }
  parent.rmdir(name);
}
