import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, isDigest } from '../../base/index.ts';
import { hasErrno, syncFileSystem, type TaskContext } from '../../sys/index.ts';
import { markedIn } from './marks.ts';

/** Worker task: puts all blobs on the disk; those of these folders that an earlier life may not have got there. */
export function syncBlobs({ blobs, folders }: { blobs: string; folders: readonly string[] }): readonly string[] {
  const earlier = folders.flatMap((folder) => markedIn(folder, 'file'));
  syncFileSystem(blobs);
  return earlier;
}

/** Worker task: the digest of a file's bytes as hex; undefined when there is no such file. */
export function hashFile(
  { path, algorithm }: { readonly path: string; readonly algorithm: string },
  context: TaskContext,
): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const hash = createHash(algorithm);
    const buffer = Buffer.allocUnsafe(1 << 20);
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) {
      context.throwIfAborted();
      hash.update(buffer.subarray(0, read));
    }
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}

/** Worker task: removes files; those already gone are no error. */
export function removeFiles({ paths }: { paths: readonly string[] }): void {
  for (const path of paths) rmSync(path, { force: true });
}

/** Worker task: every blob below `blobs/<algorithm>/`, with its size and the time it was last written or asked for (ms since the epoch). */
export function listBlobs({ blobs }: { blobs: string }): { digest: Digest; size: number; writtenAt: number }[] {
  const found: { digest: Digest; size: number; writtenAt: number }[] = [];
  for (const algorithm of readdirSync(blobs)) {
    for (const hex of readdirSync(join(blobs, algorithm))) {
      const digest = `${algorithm}:${hex}`;
      const stat = statSync(join(blobs, algorithm, hex), { throwIfNoEntry: false });
      if (isDigest(digest) && stat?.isFile()) found.push({ digest, size: stat.size, writtenAt: stat.mtimeMs });
    }
  }
  return found;
}
