import { fileTypeOf, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from '../../sys/index.ts';

/** Bits of Go's os.FileMode beside the nine permission bits. */
const DIR = 2 ** 31;
const SYMLINK = 1 << 27;
const DEVICE = 1 << 26;
const FIFO = 1 << 25;
const SETUID = 1 << 23;
const SETGID = 1 << 22;
const CHAR = 1 << 21;
const STICKY = 1 << 20;

type GoFileType = 'file' | 'dir' | 'symlink' | 'char' | 'block' | 'fifo';

/** The type in a Go file mode; sockets and whatever else is unknown count as regular files. */
export function typeOfGoMode(mode: number): GoFileType {
  if ((mode & DIR) !== 0) return 'dir';
  if ((mode & SYMLINK) !== 0) return 'symlink';
  if ((mode & DEVICE) !== 0) return (mode & CHAR) !== 0 ? 'char' : 'block';
  return (mode & FIFO) !== 0 ? 'fifo' : 'file';
}

const TYPE_BITS: Readonly<Record<GoFileType, number>> = {
  file: S_IFREG,
  dir: S_IFDIR,
  symlink: S_IFLNK,
  char: S_IFCHR,
  block: S_IFBLK,
  fifo: S_IFIFO,
};

/** st_mode, type bits included. */
export function fromGoMode(mode: number): number {
  return (
    TYPE_BITS[typeOfGoMode(mode)] |
    (mode & 0o777) |
    ((mode & SETUID) !== 0 ? 0o4000 : 0) |
    ((mode & SETGID) !== 0 ? 0o2000 : 0) |
    ((mode & STICKY) !== 0 ? 0o1000 : 0)
  );
}

/** Go's file mode of an st_mode. The socket bit is left out, as fsutil does. */
export function toGoMode(stMode: number): number {
  let mode = stMode & 0o777;
  switch (fileTypeOf(stMode)) {
    case 'dir':
      mode += DIR;
      break;
    case 'symlink':
      mode |= SYMLINK;
      break;
    case 'char':
      mode |= DEVICE | CHAR;
      break;
    case 'block':
      mode |= DEVICE;
      break;
    case 'fifo':
      mode |= FIFO;
      break;
    default:
      break;
  }
  // DIR is the sign bit, so the others are added, not or-ed.
  if ((stMode & 0o4000) !== 0) mode += SETUID;
  if ((stMode & 0o2000) !== 0) mode += SETGID;
  if ((stMode & 0o1000) !== 0) mode += STICKY;
  return mode;
}
