import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, check, cPath, lastErrno, libc, sysError } from './libc.ts';

type FileType = 'file' | 'dir' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';

/** What lstat says. `mode` has the type bits too; times in nanoseconds since the epoch. */
export interface Stat {
  readonly type: FileType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly nlink: number;
  readonly ino: bigint;
  readonly dev: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

const S_IFMT = 0o170000;
const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

export function fileTypeOf(mode: number): FileType {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return 'dir';
    case S_IFLNK:
      return 'symlink';
    case S_IFCHR:
      return 'char';
    case S_IFBLK:
      return 'block';
    case S_IFIFO:
      return 'fifo';
    case S_IFSOCK:
      return 'socket';
    default:
      return 'file';
  }
}

const STATX_BASIC_STATS = 0x7ff;
// statx(2) fills the same 256 bytes on every architecture; one buffer a thread is enough, since calls are synchronous.
const buffer = Buffer.alloc(256);
const view = new DataView(buffer.buffer, buffer.byteOffset, 256);

function timeNs(offset: number): bigint {
  return view.getBigInt64(offset, true) * 1_000_000_000n + BigInt(view.getUint32(offset + 8, true));
}

function decode(): Stat {
  const mode = view.getUint16(28, true);
  return {
    type: fileTypeOf(mode),
    mode,
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    size: view.getUint32(40, true) + view.getUint32(44, true) * 0x1_0000_0000,
    nlink: view.getUint32(16, true),
    ino: view.getBigUint64(32, true),
    dev: view.getUint32(136, true) * 0x10_0000 + view.getUint32(140, true),
    rdevMajor: view.getUint32(128, true),
    rdevMinor: view.getUint32(132, true),
    atimeNs: timeNs(64),
    ctimeNs: timeNs(96),
    mtimeNs: timeNs(112),
  };
}

/** lstat relative to a directory descriptor. */
export function lstatAt(dir: number, name: string): Stat {
  check(libc.statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, buffer), 'lstat', name);
  return decode();
}

/** {@link lstatAt}, or undefined when there is no such entry: asked of every new file, so without the cost of an error. */
export function lstatAtIfAny(dir: number, name: string): Stat | undefined {
  if (libc.statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, buffer) >= 0) return decode();
  if (lastErrno() === 'ENOENT') return undefined;
  throw sysError('lstat', name);
}

/** lstat with nanoseconds, faster than node:fs with bigint. Not for paths inside a snapshot: those go through a {@link Root}. */
export function lstat(path: string): Stat {
  return lstatAt(AT_FDCWD, cPath(path));
}

export function fstat(fd: number): Stat {
  check(libc.statx(fd, '', AT_EMPTY_PATH, STATX_BASIC_STATS, buffer), 'fstat');
  return decode();
}
