import { type Digest, newId } from '../../base/index.ts';
import type { Database } from '../metadata/index.ts';

/** Keeps refs and blobs from being collected until it is released. */
export interface Lease extends Disposable {
  readonly id: string;
  addRef(id: string): void;
  addBlob(digest: Digest): void;
  release(): void;
}

/** Leases in the database of a state directory, whose tables the refs make. */
export class Leases {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * A new lease, or with a known `id` that one. A persistent lease (history records, results awaiting acknowledgement) outlives the process and is only
   * ended by `release`: disposing leaves it; others end with this process.
   */
  open(options: { readonly owner: string; readonly persistent?: boolean; readonly id?: string }): Lease {
    const id = options.id ?? newId();
    const persistent = options.persistent ?? false;
    this.#db.run(
      'INSERT OR IGNORE INTO leases (id, owner, persistent, created_at) VALUES (?, ?, ?, ?)',
      ...[id, options.owner, persistent ? 1 : 0, Date.now()],
    );
    const add = (kind: 'ref' | 'blob', resource: string) =>
      void this.#db.run('INSERT OR IGNORE INTO lease_resources VALUES (?, ?, ?)', id, kind, resource);
    const release = () => this.release(id);
    return {
      id,
      addRef: (ref) => add('ref', ref),
      addBlob: (digest) => add('blob', digest),
      release,
      [Symbol.dispose]: () => {
        if (!persistent) release();
      },
    };
  }

  /** Ends a lease by its id; unknown ones are no error. */
  release(id: string): void {
    this.#db.reserved(() => this.#db.run('DELETE FROM leases WHERE id = ?', id));
  }
}
