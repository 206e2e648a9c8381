import { AT_SYMLINK_NOFOLLOW, cPath, hasErrno, lastErrno, libc, SYS, sysError } from './libc.ts';

const buffer = Buffer.alloc(65_536);

/** Names of a file's extended attributes, symlinks not followed, sorted. Empty where the file system has none. */
export function listXattrs(path: string): string[] {
  const size = libc.llistxattr(cPath(path), buffer, buffer.length);
  if (size < 0) {
    if (lastErrno() === 'EOPNOTSUPP') return [];
    throw sysError('llistxattr', path);
  }
  return namesIn(size);
}

function namesIn(size: number): string[] {
  if (size === 0) return [];
  return buffer
    .toString('utf8', 0, size - 1)
    .split('\0')
    .sort();
}

/** Whether the kernel has listxattrat and may be asked; found out by asking. */
let hasListAt = true;

/** {@link listXattrs} of an entry of an open directory; undefined where only a path will do. */
export function listXattrsAt(dir: number, name: string): string[] | undefined {
  if (!hasListAt) return undefined;
  const size = libc.listxattrat(SYS.listxattrat, dir, name, AT_SYMLINK_NOFOLLOW, buffer, buffer.length);
  if (size >= 0) return namesIn(size);
  const errno = lastErrno();
  if (errno === 'EOPNOTSUPP') return [];
  // Filters of system calls refuse what they do not know.
  if (errno !== 'ENOSYS' && errno !== 'EPERM') throw sysError('listxattrat', name);
  hasListAt = false;
  return undefined;
}

/** The value, or undefined when the attribute is not there. */
export function getXattr(path: string, name: string): Buffer | undefined {
  const size = libc.lgetxattr(cPath(path), name, buffer, buffer.length);
  if (size < 0) {
    const error = sysError('lgetxattr', path);
    if (hasErrno(error, 'ENODATA', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
  return Buffer.from(buffer.subarray(0, size));
}

export function setXattr(path: string, name: string, value: Uint8Array): void {
  // koffi takes no pointer of an empty view.
  const bytes = value.length === 0 ? buffer : value;
  if (libc.lsetxattr(cPath(path), name, bytes, value.length, 0) < 0) throw sysError('lsetxattr', path);
}

/** Removing what is not there is no error. */
export function removeXattr(path: string, name: string): void {
  if (libc.lremovexattr(cPath(path), name) < 0) {
    const error = sysError('lremovexattr', path);
    if (!hasErrno(error, 'ENODATA', 'EOPNOTSUPP')) throw error;
  }
}

/** All attributes with their values, by name. */
export function readXattrs(path: string, names = listXattrs(path)): ReadonlyMap<string, Buffer> {
  const values = new Map<string, Buffer>();
  for (const name of names) {
    const value = getXattr(path, name);
    if (value !== undefined) values.set(name, value);
  }
  return values;
}

const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

/** {@link readXattrs} of an open file, which needs no way to it: half the cost of a path through /proc. */
export function readXattrsOf(fd: number): ReadonlyMap<string, Buffer> {
  const size = libc.flistxattr(fd, buffer, buffer.length);
  if (size === 0) return NO_XATTRS;
  if (size < 0) {
    if (lastErrno() === 'EOPNOTSUPP') return NO_XATTRS;
    throw sysError('flistxattr');
  }
  const names = buffer.toString('utf8', 0, size - 1).split('\0');
  const values = new Map<string, Buffer>();
  for (const name of names.sort()) {
    const length = libc.fgetxattr(fd, name, buffer, buffer.length);
    if (length >= 0) values.set(name, Buffer.from(buffer.subarray(0, length)));
    else if (lastErrno() !== 'ENODATA') throw sysError('fgetxattr', name);
  }
  return values;
}
