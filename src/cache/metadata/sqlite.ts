import type { DatabaseSync } from 'node:sqlite';

const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_IOERR_SHMSIZE = 4874;
/** No room: for a page; for the log's index; for the log itself, where the inodes are used up. */
const FULL: ReadonlySet<unknown> = new Set([SQLITE_FULL, SQLITE_CANTOPEN, SQLITE_IOERR_SHMSIZE]);

export function isFull(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && FULL.has(error.errcode);
}

/** Frames of the log and how many of them are in the database, after a checkpoint of this kind; `NOOP` only looks. */
export function logFrames(
  db: DatabaseSync,
  kind: 'NOOP' | 'PASSIVE',
): { readonly log: number; readonly checkpointed: number } {
  const { log, checkpointed } = db.prepare(`PRAGMA wal_checkpoint(${kind})`).get() as Record<string, number>;
  return { log: Math.max(0, log ?? 0), checkpointed: Math.max(0, checkpointed ?? 0) };
}
