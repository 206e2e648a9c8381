import { digestHex, digestOf } from '../../base/index.ts';
import type { Database } from '../metadata/index.ts';

/** Keys that are remembered at most, the last that were dropped. */
const MOST = 20_000;

/** Keys whose records were dropped, to say why a step is run again: in few bytes each, and a wrong one in many billions is no harm. */
export class DroppedKeys {
  readonly #db: Database;

  /** Its tables, in a store where keys without a record have lost theirs. */
  static create(db: Database): void {
    db.run('CREATE TABLE cache_dropped (num INTEGER PRIMARY KEY AUTOINCREMENT, key INTEGER NOT NULL UNIQUE)');
    const lost = db.all<{ id: string; scope: string }>(
      `SELECT DISTINCT k.id, l.scope FROM cache_key k JOIN cache_link l ON l.target = k.num
       WHERE NOT EXISTS (SELECT 1 FROM cache_result WHERE key = k.num) LIMIT ?`,
      MOST,
    );
    const dropped = new DroppedKeys(db);
    for (const { id, scope } of lost) dropped.add(id, scope);
  }

  constructor(db: Database) {
    this.#db = db;
  }

  add(id: string, scope: string): void {
    this.#db.run('INSERT OR REPLACE INTO cache_dropped (key) VALUES (?)', numberOf(id, scope));
    this.#db.run('DELETE FROM cache_dropped WHERE num <= (SELECT max(num) FROM cache_dropped) - ?', MOST);
  }

  has(id: string, scope: string): boolean {
    return this.#db.get('SELECT 1 FROM cache_dropped WHERE key = ?', numberOf(id, scope)) !== undefined;
  }
}

function numberOf(id: string, scope: string): number {
  return Number.parseInt(digestHex(digestOf(`${scope} ${id}`)).slice(0, 12), 16);
}
