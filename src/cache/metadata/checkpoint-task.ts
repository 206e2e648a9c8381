import { closeSync, fsyncSync, openSync, renameSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Worker task: a passive checkpoint through a connection of its own, so that the serving thread neither syncs nor waits. */
export function checkpoint({ path }: { readonly path: string }): void {
  const db = new DatabaseSync(path);
  try {
    db.exec('PRAGMA wal_checkpoint(PASSIVE)');
  } finally {
    db.close();
  }
}

/** Worker task: a file of `bytes` that takes up its room; none while the disk has hardly more than that. */
export function fillReserve({ path, bytes }: { readonly path: string; readonly bytes: number }): void {
  const { bavail, bsize } = statfsSync(dirname(path));
  if (bavail * bsize < 4 * bytes) return;
  const temp = `${path}.new`;
  const fd = openSync(temp, 'w', 0o600);
  try {
    // Not a hole, and nothing that a file system would store as one.
    for (let at = 0; at < bytes; ) at += writeSync(fd, Buffer.alloc(1 << 20, 0x55), 0, Math.min(1 << 20, bytes - at));
    fsyncSync(fd);
    renameSync(temp, path);
  } catch (error) {
    rmSync(temp, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}
