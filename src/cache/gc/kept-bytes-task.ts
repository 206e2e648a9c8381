import { DatabaseSync } from 'node:sqlite';

/** Worker task: what all refs of a metadata database come to, as far as they were measured. */
export function sumSizes(database: string): number {
  const db = new DatabaseSync(database, { readOnly: true });
  try {
    return Number(db.prepare('SELECT coalesce(sum(size), 0) AS bytes FROM refs').get()?.['bytes'] ?? 0);
  } finally {
    db.close();
  }
}
