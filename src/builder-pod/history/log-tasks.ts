import { createHash } from 'node:crypto';
import { closeSync, fstatSync, ftruncateSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../../base/index.ts';
import { hasErrno } from '../../sys/index.ts';

/** Worker task: adds bytes to a log, all of them or, where there is no room, none. */
export function append({ path, bytes }: { readonly path: string; readonly bytes: Uint8Array }): void {
  const fd = openSync(path, 'a', 0o600);
  try {
    const { size } = fstatSync(fd);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
    } catch (error) {
      ftruncateSync(fd, size);
      throw error;
    }
  } finally {
    closeSync(fd);
  }
}

/** Worker task: writes a file of its own. */
export function keep({ path, pieces }: { readonly path: string; readonly pieces: readonly Uint8Array[] }): void {
  const fd = openSync(path, 'w', 0o600);
  try {
    for (const piece of pieces) for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at, piece.length - at);
  } finally {
    closeSync(fd);
  }
}

/** Of a log, at a time. */
const CHUNK = 256 << 10;

/** Worker task: what a log holds from `offset` on, a part of it; nothing at its end, and of one that is not there. */
export function read({ path, offset }: { readonly path: string; readonly offset: number }): Uint8Array {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return new Uint8Array();
    throw error;
  }
  try {
    const buffer = Buffer.alloc(CHUNK);
    return new Uint8Array(buffer.subarray(0, readSync(fd, buffer, 0, CHUNK, offset)));
  } finally {
    closeSync(fd);
  }
}

/** Worker task: what a log consists of; one that was never written is empty. */
export function seal({ path }: { readonly path: string }): { digest: Digest; size: number } {
  const hash = createHash('sha256');
  let size = 0;
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const buffer = Buffer.allocUnsafe(1 << 20);
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, read));
      size += read;
    }
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

/** Worker task: removes logs; those already gone are no error. */
export function remove({ paths }: { readonly paths: readonly string[] }): void {
  for (const path of paths) rmSync(path, { force: true });
}

/** Worker task. */
export function list({ directory }: { readonly directory: string }): string[] {
  return readdirSync(directory).map((name) => join(directory, name));
}
