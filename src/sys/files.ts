import { closeSync, constants, fsyncSync, openSync, readSync, statfsSync, writeSync } from 'node:fs';
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, check, cPath, lastErrno, libc, sysError } from './libc.ts';
import { tellStart } from './starts.ts';

const times = Buffer.alloc(32);

function fillTimes(atimeNs: bigint, mtimeNs: bigint): Buffer {
  for (const [at, ns] of [atimeNs, mtimeNs].entries()) {
    let seconds = ns / 1_000_000_000n;
    let rest = ns % 1_000_000_000n;
    if (rest < 0n) {
      rest += 1_000_000_000n;
      seconds -= 1n;
    }
    times.writeBigInt64LE(seconds, at * 16);
    times.writeBigInt64LE(rest, at * 16 + 8);
  }
  return times;
}

/** Sets times of a path relative to a directory descriptor, exactly (node:fs rounds to doubles), symlinks not followed. */
export function utimensAt(dir: number, name: string, atimeNs: bigint, mtimeNs: bigint): void {
  check(libc.utimensat(dir, name, fillTimes(atimeNs, mtimeNs), AT_SYMLINK_NOFOLLOW), 'utimensat', name);
}

/** {@link utimensAt} of a path of ours. */
export function lutimensNs(path: string, atimeNs: bigint, mtimeNs: bigint): void {
  utimensAt(AT_FDCWD, cPath(path), atimeNs, mtimeNs);
}

export function futimensNs(fd: number, atimeNs: bigint, mtimeNs: bigint): void {
  check(libc.futimens(fd, fillTimes(atimeNs, mtimeNs)), 'futimens');
}

export function lchown(path: string, uid: number, gid: number): void {
  check(libc.fchownat(AT_FDCWD, cPath(path), uid, gid, AT_SYMLINK_NOFOLLOW), 'lchown', path);
}

/** A device number as mknod takes it (makedev(3)). */
export function makeDevice(major: number, minor: number): bigint {
  const high = BigInt(major);
  const low = BigInt(minor);
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}

/** Makes a node of any type; `mode` with its type bits. The process's umask applies. */
export function mknod(path: string, mode: number, major = 0, minor = 0): void {
  check(libc.mknodat(AT_FDCWD, cPath(path), mode, makeDevice(major, minor)), 'mknod', path);
}

/** Makes a directory's entries durable; waits for the disk. */
export function fsyncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    tellStart('sync', path);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Space on the file system of `path`, in bytes and inodes. */
export function fileSystemUsage(path: string): { total: number; free: number; inodes: number; freeInodes: number } {
  const stat = statfsSync(path);
  return {
    total: stat.blocks * stat.bsize,
    free: stat.bavail * stat.bsize,
    inodes: stat.files,
    freeInodes: stat.ffree,
  };
}

const COPY_CHUNK = 1 << 30;
/** What copy_file_range says of files that it cannot copy between. */
const NOT_IN_KERNEL: ReadonlySet<string> = new Set(['EXDEV', 'EINVAL', 'ENOSYS', 'EOPNOTSUPP', 'EPERM']);
/** One a thread, made when first needed: copying is synchronous, and a new one for each small file would cost more than the file. */
let copyBuffer: Buffer | undefined;

/** Copies the rest of one open file into another in the kernel (reflink where it can), by read and write elsewhere; bytes copied. */
export function copyFd(from: number, to: number): number {
  let total = 0;
  for (;;) {
    const copied = libc.copyFileRange(from, null, to, null, COPY_CHUNK, 0);
    if (copied > 0) total += copied;
    else if (copied === 0) break;
    else {
      // Between two overlay mounts this is the way of every file: no error is made of it.
      if (total > 0 || !NOT_IN_KERNEL.has(lastErrno())) throw sysError('copy_file_range');
      return copyByReading(from, to);
    }
  }
  // Some special file systems report 0 at once for files that do have bytes.
  return total === 0 ? copyByReading(from, to) : total;
}

function copyByReading(from: number, to: number): number {
  copyBuffer ??= Buffer.allocUnsafeSlow(1 << 18);
  const buffer = copyBuffer;
  let total = 0;
  for (let size = readSync(from, buffer); size > 0; size = readSync(from, buffer)) {
    for (let at = 0; at < size; ) at += writeSync(to, buffer, at, size - at);
    total += size;
  }
  return total;
}
