import { closeSync, fchmodSync, constants as fs, readdirSync } from 'node:fs';
import { constants as os } from 'node:os';
import { atOnce } from '../base/index.ts';
import { makeDevice, utimensAt } from './files.ts';
import { AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, check, hasErrno, libc, sysError } from './libc.ts';
import { O_PATH } from './mount.ts';
import { cName, decodeName } from './names.ts';
import { lstatAt, lstatAtIfAny, type Stat } from './stat.ts';
import { getXattr, listXattrs, listXattrsAt, readXattrs, removeXattr, setXattr } from './xattr.ts';

const linkBuffer = Buffer.alloc(4096);

/**
 * An open directory and the *at calls on its entries. Names are single components: a `/`, `.`, `..` or NUL is refused, and symlinks are never
 * followed, so nothing here can leave the directory. Synchronous; for workers, or for a few calls.
 */
export class Dir implements Disposable {
  readonly fd: number;
  #open: boolean;

  constructor(fd: number) {
    this.fd = fd;
    this.#open = true;
  }

  /** A path of this very directory, for calls that know no descriptors. Valid while it is open. */
  get procPath(): string {
    return `/proc/self/fd/${this.fd}`;
  }

  /** A path of an entry; only for calls that do not follow a last symlink. */
  procPathOf(name: string): string {
    checkName(name);
    return `${this.procPath}/${name}`;
  }

  lstat(name: string): Stat {
    return lstatAt(this.fd, checkName(name));
  }

  /** lstat, or undefined when there is no such entry. */
  lstatIfAny(name: string): Stat | undefined {
    return lstatAtIfAny(this.fd, checkName(name));
  }

  readdir(): string[] {
    // One byte a character, so that only names beyond ASCII cost a decoding.
    const names = readdirSync(this.procPath, { encoding: 'latin1' });
    return names.map((name) => (/[\x80-\xff]/.test(name) ? decodeName(Buffer.from(name, 'latin1')) : name));
  }

  /** A sub-directory that is no symlink. */
  openDir(name: string): Dir {
    const fd = libc.openat(this.fd, checkName(name), O_PATH | fs.O_DIRECTORY | fs.O_NOFOLLOW | O_CLOEXEC, 0);
    return new Dir(check(fd, 'open', name));
  }

  /** Opens an entry (O_NOFOLLOW, O_CLOEXEC added); the caller closes. The umask applies to `mode`. */
  open(name: string, flags: number, mode = 0): number {
    return check(libc.openat(this.fd, checkName(name), flags | fs.O_NOFOLLOW | O_CLOEXEC, mode), 'open', name);
  }

  /** A new file that must not exist, with exactly this mode. */
  createFile(name: string, mode: number): number {
    const fd = this.open(name, fs.O_CREAT | fs.O_EXCL | fs.O_WRONLY, mode & 0o777);
    fchmodSync(fd, mode);
    return fd;
  }

  /** A new directory with exactly this mode. */
  mkdir(name: string, mode: number): void {
    check(libc.mkdirat(this.fd, checkName(name), mode & 0o777), 'mkdir', name);
    this.chmod(name, mode);
  }

  symlink(target: string, name: string): void {
    if (target.includes('\0')) throw sysError('symlink', name, os.errno.EINVAL);
    check(libc.symlinkat(cName(target), this.fd, checkName(name)), 'symlink', name);
  }

  readlink(name: string): string {
    const size = check(libc.readlinkat(this.fd, checkName(name), linkBuffer, linkBuffer.length), 'readlink', name);
    return decodeName(linkBuffer.subarray(0, size));
  }

  /** Hard link to an entry of `from`; a symlink itself is linked. */
  link(from: Dir, fromName: string, name: string): void {
    check(libc.linkat(from.fd, checkName(fromName), this.fd, checkName(name), 0), 'link', name);
  }

  rename(name: string, to: Dir, toName: string): void {
    check(libc.renameat(this.fd, checkName(name), to.fd, checkName(toName)), 'rename', name);
  }

  unlink(name: string): void {
    check(libc.unlinkat(this.fd, checkName(name), 0), 'unlink', name);
  }

  rmdir(name: string): void {
    check(libc.unlinkat(this.fd, checkName(name), AT_REMOVEDIR), 'rmdir', name);
  }

  /** Removes an entry with all below it; false when there was none. Symlinks are removed, never followed. */
  removeAll(name: string): boolean {
    return atOnce(this.removing(name));
  }

  /** The same in short steps. */
  *removing(name: string): Generator<void, boolean, void> {
    if (libc.unlinkat(this.fd, checkName(name), 0) === 0) return true;
    const error = sysError('unlink', name);
    if (hasErrno(error, 'ENOENT')) return false;
    if (!hasErrno(error, 'EISDIR', 'EPERM')) throw error;
    {
      using below = this.openDir(name);
      for (const entry of below.readdir()) {
        yield;
        yield* below.removing(entry);
      }
    }
    this.rmdir(name);
    return true;
  }

  /** @throws EOPNOTSUPP for a symlink, which has no mode of its own. */
  chmod(name: string, mode: number): void {
    check(libc.fchmodat(this.fd, checkName(name), mode, AT_SYMLINK_NOFOLLOW), 'chmod', name);
  }

  /** Clears setuid and setgid of files, as the kernel does: chown first, then chmod. */
  chown(name: string, uid: number, gid: number): void {
    check(libc.fchownat(this.fd, checkName(name), uid, gid, AT_SYMLINK_NOFOLLOW), 'chown', name);
  }

  /** Nanoseconds since the epoch. */
  utimens(name: string, atimeNs: bigint, mtimeNs: bigint): void {
    utimensAt(this.fd, checkName(name), atimeNs, mtimeNs);
  }

  /** `mode` with its type bits (S_IFCHR, S_IFIFO …); exactly this mode. */
  mknod(name: string, mode: number, major = 0, minor = 0): void {
    check(libc.mknodat(this.fd, checkName(name), mode, makeDevice(major, minor)), 'mknod', name);
    this.chmod(name, mode & 0o7777);
  }

  listXattrs(name: string): string[] {
    return listXattrsAt(this.fd, checkName(name)) ?? listXattrs(this.procPathOf(name));
  }

  getXattr(name: string, attribute: string): Buffer | undefined {
    return getXattr(this.procPathOf(name), attribute);
  }

  readXattrs(name: string): ReadonlyMap<string, Buffer> {
    return readXattrs(this.procPathOf(name), this.listXattrs(name));
  }

  setXattr(name: string, attribute: string, value: Uint8Array): void {
    setXattr(this.procPathOf(name), attribute, value);
  }

  removeXattr(name: string, attribute: string): void {
    removeXattr(this.procPathOf(name), attribute);
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
  }
}

/** Linux's O_CLOEXEC, which Node does not name. */
export const O_CLOEXEC = 0o2000000;

function checkName(name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw sysError('name', name.replaceAll('\0', '\\0'), os.errno.EINVAL);
  }
  return cName(name);
}
