import { closeSync, fdatasyncSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isFull, logFrames } from './sqlite.ts';

interface Checkpointed {
  /** Frames of the log, and how many of them are in the database now. */
  readonly log: number;
  readonly checkpointed: number;
  /** The disk has no room for them. */
  readonly full: boolean;
}

/** Worker task: a passive checkpoint through a connection of its own, so that the serving thread neither syncs nor waits. */
export function checkpoint({ path }: { readonly path: string }): Checkpointed {
  const db = new DatabaseSync(path);
  try {
    return { ...logFrames(db, 'PASSIVE'), full: false };
  } catch (error) {
    if (!isFull(error)) throw error;
    return { ...logFrames(db, 'NOOP'), full: true };
  } finally {
    db.close();
  }
}

/** Worker task: waits until the log is on disk. */
export function syncLog({ path }: { readonly path: string }): void {
  const fd = openSync(path, 'r');
  try {
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Worker task: brings the files of a reserve up to their number, until the disk is full. */
export function fillReserve({
  directory,
  files,
  bytes,
}: {
  readonly directory: string;
  readonly files: number;
  readonly bytes: number;
}): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Not a hole, and nothing that a file system would store as one.
  const content = Buffer.alloc(bytes, 0x55);
  for (let n = 0; n < files; n++) {
    const path = join(directory, String(n));
    if (statSync(path, { throwIfNoEntry: false })?.size === bytes) continue;
    const fd = openSync(path, 'w', 0o600);
    let at = 0;
    try {
      while (at < bytes) at += writeSync(fd, content, at, bytes - at);
    } finally {
      closeSync(fd);
      if (at < bytes) rmSync(path, { force: true });
    }
  }
}
