import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import { ErofsIndex, TAR_START, writeAll } from '../../oci/layers/index.ts';
import {
  getXattr,
  hasErrno,
  lchown,
  lstat,
  mount,
  syncFileSystem,
  type TaskContext,
  unmountOrDetach,
} from '../../sys/index.ts';

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

/** Worker task: the file system of an image, on a directory of ours. False, and the image is removed, where the kernel refuses. */
export function mountImage({ image, target }: { readonly image: string; readonly target: string }): boolean {
  try {
    mount({ type: 'erofs', source: image, options: ['ro'] }, target);
    return true;
  } catch {
    rmSync(image);
    return false;
  }
}

const TRIAL = Buffer.from('content');
/** A file capability (cap_net_raw+ep), which a kernel may be built without. */
const TRIAL_XATTRS = new Map([
  ['security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex')],
  ['trusted.trial', Buffer.from('kept')],
]);

/** Worker task: whether this machine mounts an image from a file, and shows all that it says. `directory` is made and removed. */
export function imagesWork({ directory }: { readonly directory: string }): boolean {
  const [image, target] = [join(directory, 'image'), join(directory, 'fs')];
  mkdirSync(target, { recursive: true });
  try {
    const fd = openSync(image, 'wx', 0o600);
    try {
      const index = new ErofsIndex(() => 512, lstat(directory));
      const entry = {
        type: 'file',
        name: 'f',
        mode: 0o4750,
        uid: 70_000,
        gid: 2,
        mtime: 1_500_000_000_123_456_789n,
      } as const;
      index.entry({ ...entry, size: TRIAL.length, xattrs: TRIAL_XATTRS });
      writeAll(fd, TRIAL, TAR_START + 512);
      index.finish(fd, 1024);
    } finally {
      closeSync(fd);
    }
    if (!mountImage({ image, target })) return false;
    const file = join(target, 'f');
    const { mode, uid, mtimeNs } = lstat(file);
    const isRight = (mode & 0o7777) === 0o4750 && uid === 70_000 && mtimeNs === 1_500_000_000_123_456_789n;
    const hasXattrs = [...TRIAL_XATTRS].every(([name, value]) => getXattr(file, name)?.equals(value) === true);
    return isRight && hasXattrs && readFileSync(file).equals(TRIAL);
  } finally {
    unmountOrDetach(target);
    rmSync(directory, { recursive: true });
  }
}

/** Worker task: blocks and inodes of trees, hard links once, and of images. Something may be writing there: what vanishes meanwhile does not count. */
export function usage(
  { directories, images }: { readonly directories: readonly string[]; readonly images: readonly string[] },
  context: TaskContext,
): { bytes: number; inodes: number } {
  const linked = new Set<number>();
  let bytes = 0;
  let inodes = 0;
  for (const image of images) {
    bytes += (lstatIfAny(Buffer.from(image))?.blocks ?? 0) * 512;
    inodes++;
  }
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
