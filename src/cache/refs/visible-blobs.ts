import type { Digest } from '../../base/index.ts';
import type { Database } from '../metadata/index.ts';

/** What a scope has had the bytes of: made for its refs, or delivered to it. Whether they are still in the store is for the store to say. */
export class VisibleBlobs {
  readonly #db: Database;
  readonly #scope: string;

  constructor(db: Database, scope: string) {
    this.#db = db;
    this.#scope = scope;
  }

  has(digest: Digest): boolean {
    const sql = `SELECT 1 FROM ref_blobs b JOIN refs r ON r.id = b.ref WHERE b.digest = ?1 AND b.held = 1 AND r.scope = ?2
      UNION ALL SELECT 1 FROM blob_deliveries WHERE digest = ?1 AND scope = ?2`;
    return this.#db.get(sql, digest, this.#scope) !== undefined;
  }

  /** In order, `limit` at a time. */
  after(digest: string, limit: number): readonly Digest[] {
    const sql = `SELECT digest FROM (
      SELECT b.digest FROM ref_blobs b JOIN refs r ON r.id = b.ref WHERE b.held = 1 AND r.scope = ?1
      UNION SELECT digest FROM blob_deliveries WHERE scope = ?1
    ) WHERE digest > ?2 ORDER BY digest LIMIT ?3`;
    return this.#db.all<{ digest: Digest }>(sql, this.#scope, digest, limit).map((row) => row.digest);
  }
}
