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
