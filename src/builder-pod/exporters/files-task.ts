import { posix } from 'node:path';
import { CodedError } from '../../base/index.ts';
import { openRoot, type Root, type TaskContext } from '../../sys/index.ts';

export interface TreeFiles {
  readonly id: string;
  readonly directory: string;
}

/** Worker task: the directory of a tree that `from` names, links resolved inside it. @throws CodedError when it is none */
export function findSource(args: { readonly directory: string; readonly from: string }): string {
  using root = openRoot(args.directory);
  const fail = (why: string) => CodedError.of('EXPORT_ATTRIBUTE', `src=${args.from}: ${why}`, { code: 'not_found' });
  const inside = root.resolveMissing(args.from);
  const stat = root.lstatIfAny(inside);
  if (stat === undefined) throw fail('no such file or directory');
  if (stat.type !== 'dir') throw fail('not a directory');
  return inside;
}

/** Worker task: no file of one platform has the path of another's; what goes beside a platform's own files takes their place. @throws CodedError invalid_argument naming the first that does */
export function checkOverlap(args: { readonly trees: readonly TreeFiles[] }, context: TaskContext): void {
  const owners = new Map<string, string>();
  for (const { id, directory } of args.trees) {
    using root = openRoot(directory);
    for (const path of filesOf(root, '/')) {
      context.throwIfAborted();
      const other = owners.get(path);
      if (other !== undefined && other !== id)
        throw CodedError.of(
          'EXPORT_PLATFORM',
          `cannot overwrite ${path.slice(1)} from ${other} with ${id} when split option is disabled`,
          { hint: 'leave platform-split=false out' },
        );
      owners.set(path, id);
    }
  }
}

/** Paths of all that is no directory, sorted within each. */
function* filesOf(root: Root, start: string): Generator<string> {
  const open = [start];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const below: string[] = [];
    for (const name of root.readdir(at).sort()) {
      const path = posix.join(at, name);
      if (root.lstatIfAny(path)?.type === 'dir') below.push(path);
      else yield path;
    }
    open.push(...below.reverse());
  }
}
