import { closeSync, constants as fs, readSync } from 'node:fs';
import { posix } from 'node:path';
import type { Digest } from '../../base/index.ts';
import type { Dir, Root, Stat } from '../../sys/index.ts';
import { entryHash } from './entry-hash.ts';
import { newDirectory, type TreeNode, type TreeReader } from './tree.ts';

const CHUNK = 1 << 20;

/** Reads entries and hashes files beneath a root handle; for workers. Paths come from the tree, so no symlink is ever followed. */
export class ScanReader implements TreeReader, Disposable {
  readonly #root: Root;
  readonly #throwIfAborted: () => void;
  readonly #buffer = Buffer.allocUnsafe(CHUNK);
  /** The directory used last: files come directory by directory. */
  #open: { readonly path: string; readonly dir: Dir } | undefined;

  constructor(root: Root, throwIfAborted: () => void) {
    this.#root = root;
    this.#throwIfAborted = throwIfAborted;
  }

  entry(path: string): TreeNode | undefined {
    const dir = this.#dir(posix.dirname(path));
    const name = posix.basename(path);
    const stat = dir.lstatIfAny(name);
    return stat && nodeOf(dir, name, stat);
  }

  *children(path: string): Iterable<readonly [string, TreeNode]> {
    this.#throwIfAborted();
    const dir = this.#dir(path === '' ? '/' : path);
    for (const name of dir.readdir()) yield [name, nodeOf(dir, name, dir.lstat(name))];
  }

  digest(path: string): Digest {
    this.#throwIfAborted();
    if (path === '') return entryHash({ ...headerOf(this.#root.lstat('/')), linkname: '', xattrs: new Map() }).digest();
    const dir = this.#dir(posix.dirname(path));
    const name = posix.basename(path);
    const stat = dir.lstat(name);
    const hash = entryHash({
      ...headerOf(stat),
      linkname: stat.type === 'symlink' ? dir.readlink(name) : '',
      xattrs: dir.readXattrs(name),
    });
    if (stat.type === 'file' && stat.size > 0) this.#readInto(dir, name, hash.update);
    return hash.digest();
  }

  #readInto(dir: Dir, name: string, update: (data: Uint8Array) => void): void {
    const fd = dir.open(name, fs.O_RDONLY);
    try {
      for (;;) {
        const length = readSync(fd, this.#buffer, 0, CHUNK, null);
        if (length === 0) return;
        update(this.#buffer.subarray(0, length));
        if (length === CHUNK) this.#throwIfAborted();
      }
    } finally {
      closeSync(fd);
    }
  }

  #dir(path: string): Dir {
    if (this.#open?.path === path) return this.#open.dir;
    const dir = this.#root.openDir(path);
    this.#open?.dir[Symbol.dispose]();
    this.#open = { path, dir };
    return dir;
  }

  [Symbol.dispose](): void {
    this.#open?.dir[Symbol.dispose]();
    this.#open = undefined;
  }
}

function nodeOf(dir: Dir, name: string, stat: Stat): TreeNode {
  if (stat.type === 'dir') return newDirectory();
  return stat.type === 'symlink' ? { kind: 'symlink', link: dir.readlink(name) } : { kind: 'file' };
}

/** Symlinks count as 0777; device numbers count for nothing in scanned trees, as BuildKit has it. */
function headerOf(stat: Stat) {
  const { type, uid, gid, size } = stat;
  const mode = type === 'symlink' ? 0o777 : stat.mode & 0o7777;
  return { type, mode, uid, gid, size, devMajor: 0, devMinor: 0 };
}
