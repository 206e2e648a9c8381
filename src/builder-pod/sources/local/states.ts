import type { Database } from '../../../cache/metadata/index.ts';

const MIGRATIONS = [
  `CREATE TABLE local_states (
     scope TEXT NOT NULL, key TEXT NOT NULL, ref TEXT NOT NULL, used INTEGER NOT NULL,
     PRIMARY KEY (scope, key)
   ) WITHOUT ROWID;
   CREATE INDEX local_states_used ON local_states (used);`,
];
/** Directories remembered; the ones longest unused are forgotten, which costs one whole transfer. */
const MAX_STATES = 10_000;

/** Remembers, over restarts, which ref last held a directory's state. */
export class LocalStates {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.migrate('local-sources', MIGRATIONS);
  }

  get(scope: string, key: string): string | undefined {
    return this.#database.get<{ ref: string }>('SELECT ref FROM local_states WHERE scope = ? AND key = ?', scope, key)
      ?.ref;
  }

  set(scope: string, key: string, refId: string): void {
    this.#database.transaction(() => {
      this.#database.run(
        'INSERT INTO local_states VALUES (?, ?, ?, ?) ON CONFLICT (scope, key) DO UPDATE SET ref = excluded.ref, used = excluded.used',
        scope,
        key,
        refId,
        Date.now(),
      );
      this.#database.run(
        'DELETE FROM local_states WHERE used < (SELECT used FROM local_states ORDER BY used DESC LIMIT 1 OFFSET ?)',
        MAX_STATES,
      );
    });
  }
}
