import { constants } from 'node:os';
import { cName } from './names.ts';
import { lastFailure, openLibrary } from './native.ts';

/**
 * libc through koffi's synchronous calls (asynchronous ones can starve libuv's threads). Private to this room: nothing outside
 * `src/sys` names a function of this file.
 */
const { func } = openLibrary('libc.so.6');

type Pointer = Uint8Array | Uint16Array | BigUint64Array | Int32Array | null;

export const libc = {
  clockGettime: func('int clock_gettime(int, void*)') as (clock: number, time: Pointer) => number,
  getsockopt: func('int getsockopt(int, int, int, void*, void*)') as (
    fd: number,
    level: number,
    name: number,
    value: Pointer,
    length: Pointer,
  ) => number,
  mallocTrim: func('int malloc_trim(size_t)') as (pad: number) => number,
  mount: func('int mount(const char*, const char*, const char*, unsigned long, const char*)') as (
    source: string,
    target: string,
    type: string | null,
    flags: number,
    data: string | null,
  ) => number,
  umount2: func('int umount2(const char*, int)') as (target: string, flags: number) => number,
  lgetxattr: func('int64_t lgetxattr(const char*, const char*, void*, size_t)') as (
    path: string,
    name: string,
    value: Pointer,
    size: number,
  ) => number,
  lsetxattr: func('int lsetxattr(const char*, const char*, void*, size_t, int)') as (
    path: string,
    name: string,
    value: Pointer,
    size: number,
    flags: number,
  ) => number,
  /** The kernel's listxattrat (since 6.13), which the C library does not have yet. */
  listxattrat: func('long syscall(long, int, const char*, unsigned int, void*, size_t)') as (
    number: number,
    dir: number,
    path: string,
    flags: number,
    list: Pointer,
    size: number,
  ) => number,
  llistxattr: func('int64_t llistxattr(const char*, void*, size_t)') as (
    path: string,
    list: Pointer,
    size: number,
  ) => number,
  flistxattr: func('int64_t flistxattr(int, void*, size_t)') as (fd: number, list: Pointer, size: number) => number,
  fgetxattr: func('int64_t fgetxattr(int, const char*, void*, size_t)') as (
    fd: number,
    name: string,
    value: Pointer,
    size: number,
  ) => number,
  lremovexattr: func('int lremovexattr(const char*, const char*)') as (path: string, name: string) => number,
  openat: func('int openat(int, const char*, int, unsigned int)') as (
    dir: number,
    path: string,
    flags: number,
    mode: number,
  ) => number,
  mkdirat: func('int mkdirat(int, const char*, unsigned int)') as (dir: number, path: string, mode: number) => number,
  mknodat: func('int mknodat(int, const char*, unsigned int, uint64_t)') as (
    dir: number,
    path: string,
    mode: number,
    device: bigint,
  ) => number,
  symlinkat: func('int symlinkat(const char*, int, const char*)') as (
    target: string,
    dir: number,
    path: string,
  ) => number,
  readlinkat: func('int64_t readlinkat(int, const char*, void*, size_t)') as (
    dir: number,
    path: string,
    buffer: Pointer,
    size: number,
  ) => number,
  linkat: func('int linkat(int, const char*, int, const char*, int)') as (
    oldDir: number,
    oldPath: string,
    newDir: number,
    newPath: string,
    flags: number,
  ) => number,
  renameat: func('int renameat(int, const char*, int, const char*)') as (
    oldDir: number,
    oldPath: string,
    newDir: number,
    newPath: string,
  ) => number,
  unlinkat: func('int unlinkat(int, const char*, int)') as (dir: number, path: string, flags: number) => number,
  fchownat: func('int fchownat(int, const char*, unsigned int, unsigned int, int)') as (
    dir: number,
    path: string,
    uid: number,
    gid: number,
    flags: number,
  ) => number,
  fchmodat: func('int fchmodat(int, const char*, unsigned int, int)') as (
    dir: number,
    path: string,
    mode: number,
    flags: number,
  ) => number,
  utimensat: func('int utimensat(int, const char*, void*, int)') as (
    dir: number,
    path: string,
    times: Pointer,
    flags: number,
  ) => number,
  futimens: func('int futimens(int, void*)') as (fd: number, times: Pointer) => number,
  statx: func('int statx(int, const char*, int, unsigned int, void*)') as (
    dir: number,
    path: string,
    flags: number,
    mask: number,
    buffer: Pointer,
  ) => number,
  close: func('int close(int)') as (fd: number) => number,
  dup: func('int dup(int)') as (fd: number) => number,
  fcntl: func('int fcntl(int, int, int)') as (fd: number, command: number, argument: number) => number,
  pipe2: func('int pipe2(void*, int)') as (fds: Pointer, flags: number) => number,
  flock: func('int flock(int, int)') as (fd: number, operation: number) => number,
  copyFileRange: func('int64_t copy_file_range(int, void*, int, void*, size_t, unsigned int)') as (
    fdIn: number,
    offIn: Pointer,
    fdOut: number,
    offOut: Pointer,
    length: number,
    flags: number,
  ) => number,
  ioctlPointer: func('int ioctl(int, unsigned long, void*)') as (
    fd: number,
    request: number,
    argument: Pointer,
  ) => number,
  ioctlNumber: func('int ioctl(int, unsigned long, int)') as (fd: number, request: number, argument: number) => number,
  kill: func('int kill(int, int)') as (pid: number, signal: number) => number,
  waitpid: func('int waitpid(int, void*, int)') as (pid: number, status: Pointer, options: number) => number,
  posixSpawn: func('int posix_spawn(void*, const char*, void*, void*, const char**, const char**)') as (
    pid: Pointer,
    path: string,
    actions: Pointer,
    attributes: Pointer,
    argv: readonly (string | null)[],
    envp: readonly (string | null)[],
  ) => number,
  actionsInit: func('int posix_spawn_file_actions_init(void*)') as (actions: Pointer) => number,
  actionsDestroy: func('int posix_spawn_file_actions_destroy(void*)') as (actions: Pointer) => number,
  actionsDup2: func('int posix_spawn_file_actions_adddup2(void*, int, int)') as (
    actions: Pointer,
    fd: number,
    to: number,
  ) => number,
  actionsOpen: func('int posix_spawn_file_actions_addopen(void*, int, const char*, int, unsigned int)') as (
    actions: Pointer,
    fd: number,
    path: string,
    flags: number,
    mode: number,
  ) => number,
  actionsChdir: func('int posix_spawn_file_actions_addchdir_np(void*, const char*)') as (
    actions: Pointer,
    path: string,
  ) => number,
  actionsCloseFrom: func('int posix_spawn_file_actions_addclosefrom_np(void*, int)') as (
    actions: Pointer,
    fd: number,
  ) => number,
  attrInit: func('int posix_spawnattr_init(void*)') as (attributes: Pointer) => number,
  attrDestroy: func('int posix_spawnattr_destroy(void*)') as (attributes: Pointer) => number,
  attrSetFlags: func('int posix_spawnattr_setflags(void*, short)') as (attributes: Pointer, flags: number) => number,
  attrSetPgroup: func('int posix_spawnattr_setpgroup(void*, int)') as (attributes: Pointer, group: number) => number,
  attrSetSigDefault: func('int posix_spawnattr_setsigdefault(void*, void*)') as (
    attributes: Pointer,
    set: Pointer,
  ) => number,
  attrSetSigMask: func('int posix_spawnattr_setsigmask(void*, void*)') as (attributes: Pointer, set: Pointer) => number,
  sigfillset: func('int sigfillset(void*)') as (set: Pointer) => number,
  sigemptyset: func('int sigemptyset(void*)') as (set: Pointer) => number,
  syncfs: func('int syncfs(int)') as (fd: number) => number,
  eventfd: func('int eventfd(unsigned int, int)') as (initial: number, flags: number) => number,
  syscall: func('long syscall(long, ...)') as (number: number, ...typed: readonly unknown[]) => number,
};

/** Numbers that are the same on x86_64 and aarch64. */
export const SYS = {
  pidfdSendSignal: 424,
  moveMount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfdOpen: 434,
  openat2: 437,
  listxattrat: 465,
} as const;

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_EMPTY_PATH = 0x1000;

const NAME_BY_ERRNO = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));
NAME_BY_ERRNO.set(constants.errno.EAGAIN, 'EAGAIN');
NAME_BY_ERRNO.set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP');

/** The errno name (`ENOENT`) of the last failed call on this thread. */
export function lastErrno(): string {
  return errnoName(lastFailure());
}

function errnoName(errno: number): string {
  return NAME_BY_ERRNO.get(errno) ?? `E${errno}`;
}

/** An error in Node's own shape (`code`, `errno`, `syscall`, `path`), so that one check reads both. */
export function sysError(syscall: string, path?: string, errno = lastFailure()): NodeJS.ErrnoException {
  const code = errnoName(errno);
  const error: NodeJS.ErrnoException = new Error(`${code}: ${syscall}${path === undefined ? '' : ` '${path}'`}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = syscall;
  if (path !== undefined) error.path = path;
  return error;
}

/** Passes a result of 0 or more through; throws for -1. */
export function check(result: number, syscall: string, path?: string): number {
  if (result < 0) throw sysError(syscall, path);
  return result;
}

/** Whether an error carries one of these errno names. */
export function hasErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

/** C strings end at NUL: a path holding one would silently be another path. */
export function checkPath(path: string): string {
  if (path.includes('\0')) throw sysError('path', path.replaceAll('\0', '\\0'), constants.errno.EINVAL);
  return path;
}

/** {@link checkPath}, as koffi is to be given it. */
export function cPath(path: string): string {
  return cName(checkPath(path));
}
