import { closeSync, fchmodSync, constants as fs, openSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { posix } from 'node:path';
import { Dir, O_CLOEXEC } from './dir.ts';
import { utimensAt } from './files.ts';
import { check, checkPath, hasErrno, lastErrno, libc, SYS, sysError } from './libc.ts';
import { O_PATH } from './mount.ts';
import { cName, decodeName } from './names.ts';
import { fstat, type Stat } from './stat.ts';

const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;
/** As the kernel's own limit for one path. */
const MAX_SYMLINKS = 40;

/** Opens a directory of ours as the root for paths that others name (openat2(2), RESOLVE_IN_ROOT). */
export function openRoot(directory: string): Root {
  return new Root(openSync(directory, O_PATH | fs.O_DIRECTORY));
}

/**
 * A directory that paths cannot leave: `..` and absolute symlinks stop at it, as with chroot, and the kernel does the resolving. A path is first
 * cleaned lexically (`/a/../b` is `/b`, as BuildKit's clients mean it). Calls on an entry act on the entry itself, not on what a last symlink names,
 * unless they say so. Synchronous; for workers, or for a few calls.
 */
export class Root implements Disposable {
  readonly fd: number;
  #closed = false;
  readonly #how = Buffer.alloc(24);

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Opens a path, following symlinks inside the root unless O_NOFOLLOW is given; the caller closes. */
  open(path: string, flags: number, mode = 0): number {
    const inside = clean(path);
    this.#how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
    this.#how.writeBigUInt64LE((flags & fs.O_CREAT) === 0 ? 0n : BigInt(mode & 0o7777), 8);
    this.#how.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), 16);
    for (let attempt = 0; ; attempt++) {
      const fd = libc.syscall(
        SYS.openat2,
        'int',
        this.fd,
        'const char*',
        cName(inside),
        'void*',
        this.#how,
        'size_t',
        24,
      );
      if (fd >= 0) return fd;
      // EAGAIN: a rename elsewhere raced with `..` in a symlink; the kernel asks to try again.
      if (lastErrno() !== 'EAGAIN' || attempt >= 128) throw sysError('openat2', path);
    }
  }

  /** A directory, symlinks followed inside the root. */
  openDir(path: string): Dir {
    return new Dir(this.open(path, O_PATH | fs.O_DIRECTORY));
  }

  /** The directory that holds the path's last component, and that component's name. @throws EINVAL for the root itself. */
  openParent(path: string): { readonly dir: Dir; readonly name: string } {
    const inside = clean(path);
    if (inside === '/') throw sysError('path is the root itself', path, os.errno.EINVAL);
    return { dir: this.openDir(posix.dirname(inside)), name: posix.basename(inside) };
  }

  #at<T>(path: string, call: (dir: Dir, name: string) => T): T {
    const { dir, name } = this.openParent(path);
    try {
      return call(dir, name);
    } finally {
      dir[Symbol.dispose]();
    }
  }

  /** The path inside the root with all symlinks resolved, the last too. @throws ENOENT when it does not exist. */
  resolve(path: string): string {
    const fd = this.open(path, O_PATH);
    try {
      return this.#pathOf(fd);
    } finally {
      closeSync(fd);
    }
  }

  #pathOf(fd: number): string {
    const [root, full] = [this.fd, fd].map((one) =>
      decodeName(readlinkSync(`/proc/self/fd/${one}`, { encoding: 'buffer' })),
    ) as [string, string];
    if (root === '/') return full;
    if (full === root) return '/';
    if (!full.startsWith(`${root}/`)) throw sysError('resolved path left its root', full, os.errno.EXDEV);
    return full.slice(root.length);
  }

  /** {@link resolve} for paths whose end may not exist yet: symlinks are followed as far as they go, dangling ones too. */
  resolveMissing(path: string): string {
    const todo = clean(path).split('/').filter(Boolean);
    const done: string[] = [];
    for (let links = 0; todo.length > 0; ) {
      const name = todo.shift() as string;
      if (name === '.') continue;
      if (name === '..') {
        done.pop();
        continue;
      }
      const here = `/${[...done, name].join('/')}`;
      const target = this.#linkTarget(here);
      if (target === undefined) {
        done.push(name);
        continue;
      }
      if (++links > MAX_SYMLINKS) throw sysError('resolve', path, os.errno.ELOOP);
      if (target.startsWith('/')) done.length = 0;
      todo.unshift(...target.split('/').filter(Boolean));
    }
    return `/${done.join('/')}`;
  }

  #linkTarget(path: string): string | undefined {
    try {
      return this.#at(path, (dir, name) => (dir.lstatIfAny(name)?.type === 'symlink' ? dir.readlink(name) : undefined));
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  lstat(path: string): Stat {
    if (clean(path) === '/') return fstat(this.fd);
    return this.#at(path, (dir, name) => dir.lstat(name));
  }

  /** {@link lstat}, or undefined when the path (or a parent of it) does not exist. */
  lstatIfAny(path: string): Stat | undefined {
    try {
      return this.lstat(path);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  /** Like lstat, but a last symlink is followed inside the root. */
  stat(path: string): Stat {
    const fd = this.open(path, O_PATH);
    try {
      return fstat(fd);
    } finally {
      closeSync(fd);
    }
  }

  readdir(path: string): string[] {
    using dir = this.openDir(path);
    return dir.readdir();
  }

  mkdir(path: string, mode = 0o755): void {
    this.#at(path, (dir, name) => dir.mkdir(name, mode));
  }

  /** Makes a directory and what is missing above it; existing ones stay as they are. Returns the paths made, outermost first. */
  mkdirAll(path: string, mode = 0o755): string[] {
    const made: string[] = [];
    let here = '';
    for (const name of this.resolveMissing(path).split('/').filter(Boolean)) {
      here = `${here}/${name}`;
      try {
        this.mkdir(here, mode);
        made.push(here);
      } catch (error) {
        if (!hasErrno(error, 'EEXIST')) throw error;
      }
    }
    // Says ENOTDIR where a file stands in the way.
    closeSync(this.open(here === '' ? '/' : here, O_PATH | fs.O_DIRECTORY));
    return made;
  }

  /** Symlinks are followed inside the root. `maxSize` bytes bound what a hostile file can cost: EFBIG above it. */
  readFile(path: string, maxSize = 64 << 20): Buffer {
    const fd = this.open(path, fs.O_RDONLY | fs.O_NONBLOCK);
    try {
      const { type, size } = fstat(fd);
      if (type !== 'file') throw sysError('read', path, type === 'dir' ? os.errno.EISDIR : os.errno.EINVAL);
      if (size > maxSize) throw sysError('read', path, os.errno.EFBIG);
      return readFileSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Writes a file whole, with exactly this mode when it is new; symlinks are followed inside the root. */
  writeFile(path: string, data: string | Uint8Array, mode = 0o644): void {
    const isNew = this.lstatIfAny(path) === undefined;
    const fd = this.open(path, fs.O_CREAT | fs.O_WRONLY | fs.O_TRUNC, mode & 0o777);
    try {
      writeFileSync(fd, data);
      if (isNew) fchmodSync(fd, mode);
    } finally {
      closeSync(fd);
    }
  }

  /** A new file that must not exist yet; the caller closes the descriptor. */
  createFile(path: string, mode = 0o644): number {
    return this.#at(path, (dir, name) => dir.createFile(name, mode));
  }

  symlink(target: string, path: string): void {
    this.#at(path, (dir, name) => dir.symlink(target, name));
  }

  readlink(path: string): string {
    return this.#at(path, (dir, name) => dir.readlink(name));
  }

  link(existing: string, path: string): void {
    this.#at(existing, (from, fromName) => this.#at(path, (dir, name) => dir.link(from, fromName, name)));
  }

  rename(from: string, to: string): void {
    this.#at(from, (dir, name) => this.#at(to, (toDir, toName) => dir.rename(name, toDir, toName)));
  }

  unlink(path: string): void {
    this.#at(path, (dir, name) => dir.unlink(name));
  }

  rmdir(path: string): void {
    this.#at(path, (dir, name) => dir.rmdir(name));
  }

  /** Removes a path with all below it; false when there was nothing. The root itself is only emptied. */
  removeAll(path: string): boolean {
    if (clean(path) === '/') {
      using dir = this.openDir('/');
      for (const name of dir.readdir()) dir.removeAll(name);
      return true;
    }
    try {
      return this.#at(path, (dir, name) => dir.removeAll(name));
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    }
  }

  chmod(path: string, mode: number): void {
    if (clean(path) === '/') check(libc.fchmodat(this.fd, '.', mode, 0), 'chmod', path);
    else this.#at(path, (dir, name) => dir.chmod(name, mode));
  }

  chown(path: string, uid: number, gid: number): void {
    if (clean(path) === '/') check(libc.fchownat(this.fd, '.', uid, gid, 0), 'chown', path);
    else this.#at(path, (dir, name) => dir.chown(name, uid, gid));
  }

  utimens(path: string, atimeNs: bigint, mtimeNs: bigint): void {
    if (clean(path) === '/') utimensAt(this.fd, '.', atimeNs, mtimeNs);
    else this.#at(path, (dir, name) => dir.utimens(name, atimeNs, mtimeNs));
  }

  mknod(path: string, mode: number, major = 0, minor = 0): void {
    this.#at(path, (dir, name) => dir.mknod(name, mode, major, minor));
  }

  listXattrs(path: string): string[] {
    return this.#at(path, (dir, name) => dir.listXattrs(name));
  }

  getXattr(path: string, attribute: string): Buffer | undefined {
    return this.#at(path, (dir, name) => dir.getXattr(name, attribute));
  }

  setXattr(path: string, attribute: string, value: Uint8Array): void {
    this.#at(path, (dir, name) => dir.setXattr(name, attribute, value));
  }

  removeXattr(path: string, attribute: string): void {
    this.#at(path, (dir, name) => dir.removeXattr(name, attribute));
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.fd);
  }
}

function clean(path: string): string {
  return posix.normalize(`/${checkPath(path)}`).replace(/(?<=.)\/$/, '');
}
