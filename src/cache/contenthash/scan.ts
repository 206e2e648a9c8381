import { closeSync, constants as fs, readSync } from 'node:fs';
import { posix } from 'node:path';
import { type Digest, digestOf } from '../../base/index.ts';
import { type Dir, type Root, readXattrsOf, type Stat } from '../../sys/index.ts';
import { entryHash, headerBytes } from './entry-hash.ts';
import { newDirectory, type TreeNode, type TreeReader } from './tree.ts';

const CHUNK = 1 << 20;

/** Reads entries and hashes files beneath a root handle; for workers. Paths come from the tree, so no symlink is ever followed. */
export class ScanReader implements TreeReader, Disposable {
  readonly #root: Root;
  readonly #throwIfAborted: () => void;
  readonly #buffer = Buffer.allocUnsafe(CHUNK);
  /** The directory used last: files come directory by directory. */
  #open: { readonly path: string; readonly dir: Dir; readonly stats: Map<string, Stat> } | undefined;

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
    const stats = this.#open!.stats;
    for (const name of dir.readdir()) {
      const stat = dir.lstat(name);
      stats.set(name, stat);
      yield [name, nodeOf(dir, name, stat)];
    }
  }

  digest(path: string): Digest {
    this.#throwIfAborted();
    if (path === '') return entryHash({ ...headerOf(this.#root.lstat('/')), linkname: '', xattrs: new Map() }).digest();
    const dir = this.#dir(posix.dirname(path));
    const name = posix.basename(path);
    const stat = this.#open?.stats.get(name) ?? dir.lstat(name);
    if (stat.type === 'file') return this.#fileDigest(dir, name, stat);
    const linkname = stat.type === 'symlink' ? dir.readlink(name) : '';
    return entryHash({ ...headerOf(stat), linkname, xattrs: dir.readXattrs(name) }).digest();
  }

  #fileDigest(dir: Dir, name: string, stat: Stat): Digest {
    const fd = dir.open(name, fs.O_RDONLY);
    try {
      const header = { ...headerOf(stat), linkname: '', xattrs: readXattrsOf(fd) };
      const start = headerBytes(header);
      if (start.length + stat.size < CHUNK) {
        // Header and file in one go: most files are small.
        start.copy(this.#buffer);
        let at = start.length;
        for (let length = 1; length > 0 && at < CHUNK; at += length)
          length = readSync(fd, this.#buffer, at, CHUNK - at, null);
        if (at < CHUNK) return digestOf(this.#buffer.subarray(0, at));
        throw new Error(`${name} grew while it was read`);
      }
      const hash = entryHash(header);
      for (let length = readSync(fd, this.#buffer, 0, CHUNK, null); length > 0; ) {
        hash.update(this.#buffer.subarray(0, length));
        this.#throwIfAborted();
        length = readSync(fd, this.#buffer, 0, CHUNK, null);
      }
      return hash.digest();
    } finally {
      closeSync(fd);
    }
  }

  #dir(path: string): Dir {
    if (this.#open?.path === path) return this.#open.dir;
    const dir = this.#root.openDir(path);
    this.#open?.dir[Symbol.dispose]();
    this.#open = { path, dir, stats: new Map() };
    return dir;
  }

  [Symbol.dispose](): void {
    this.#open?.dir[Symbol.dispose]();
    this.#open = undefined;
  }
}

function nodeOf(dir: Dir, name: string, stat: Stat): TreeNode {
  const { mode, uid, gid } = headerOf(stat);
  const meta = { mode, uid, gid };
  if (stat.type === 'dir') return newDirectory(meta);
  return stat.type === 'symlink' ? { kind: 'symlink', link: dir.readlink(name), meta } : { kind: 'file', meta };
}

/** Symlinks count as 0777; device numbers count for nothing in scanned trees, as BuildKit has it. */
function headerOf(stat: Stat) {
  const { type, uid, gid, size } = stat;
  const mode = type === 'symlink' ? 0o777 : stat.mode & 0o7777;
  return { type, mode, uid, gid, size, devMajor: 0, devMinor: 0 };
}
