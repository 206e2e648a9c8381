import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, lchown, lstat, syncFileSystem, type TaskContext } from '../../sys/index.ts';

/**
 * Worker task: the directories of a new snapshot. The top directory of an overlay shows the upper one's attributes: the parent's owner goes on, mode and all
 * else do not, as with containerd's snapshotters, and as no layer can carry them.
 */
export function makeSnapshot({ directory, parent }: { readonly directory: string; readonly parent?: string }): void {
  mkdirSync(directory, { mode: 0o700 });
  mkdirSync(join(directory, 'work'), { mode: 0o700 });
  const fs = join(directory, 'fs');
  mkdirSync(fs);
  if (parent !== undefined) {
    const { uid, gid } = lstat(parent);
    lchown(fs, uid, gid);
  }
  chmodSync(fs, 0o755);
}

/** Worker task: blocks and inodes of trees, hard links once. Something may be writing there: what vanishes meanwhile does not count. */
export function usage(
  { directories }: { readonly directories: readonly string[] },
  context: TaskContext,
): { bytes: number; inodes: number } {
  const linked = new Set<number>();
  let bytes = 0;
  let inodes = 0;
  const queue: Buffer[] = directories.map((directory) => Buffer.from(directory));
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    context.throwIfAborted();
    for (const name of entriesOf(path)) {
      const entry = Buffer.concat([path, SLASH, name]);
      const stat = lstatIfAny(entry);
      if (stat === undefined) continue;
      if (stat.isDirectory()) queue.push(entry);
      else if (stat.nlink > 1) {
        if (linked.has(stat.ino)) continue;
        linked.add(stat.ino);
      }
      inodes++;
      bytes += stat.blocks * 512;
    }
  }
  return { bytes, inodes };
}

const SLASH = Buffer.from('/');
/** Gone, no directory any more, or deeper than a path can name. */
const UNCOUNTED = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'];

function entriesOf(path: Buffer): Buffer[] {
  try {
    return readdirSync(path, { encoding: 'buffer' });
  } catch (error) {
    if (hasErrno(error, ...UNCOUNTED)) return [];
    throw error;
  }
}

function lstatIfAny(path: Buffer): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (hasErrno(error, ...UNCOUNTED)) return undefined;
    throw error;
  }
}

interface SettleArgs {
  /** Of all snapshots. */
  readonly path: string;
  /** Of those that are written no more. */
  readonly directories: readonly string[];
}

/** Worker task: takes away what only a mount that writes needs, then waits until all of the file system is on disk. */
export function settleOnDisk({ path, directories }: SettleArgs): void {
  for (const directory of directories)
    try {
      rmSync(join(directory, 'work'), { recursive: true, force: true });
    } catch (error) {
      // It is just being removed as a whole.
      if (!hasErrno(error, 'ENOTEMPTY')) throw error;
    }
  syncFileSystem(path);
}
