import { DatabaseSync } from 'node:sqlite';
import { KeyFilter, keyMark, RecentMap, scopeMark } from '../../base/index.ts';

/** Keys that are read in one transaction: a longer one would keep the log from starting again. */
const PORTION = 5000;

interface Row {
  readonly num: number;
  readonly id: string;
  /** Null for a key without a result. */
  readonly scope: string | null;
}

/** Worker task: a filter of the marks of all keys that have a result, through a connection of its own. */
export function readHeldKeys({ path }: { readonly path: string }): {
  readonly bytes: Uint8Array;
  readonly count: number;
} {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    const { count } = db.prepare('SELECT count(*) AS count FROM cache_result').get() as { readonly count: number };
    const filter = KeyFilter.for(count);
    const scopes = new RecentMap<string, Uint8Array>(1000);
    const read = db.prepare(
      `SELECT k.num, k.id, r.scope FROM (SELECT num, id FROM cache_key WHERE num > ? ORDER BY num LIMIT ${PORTION}) k
       LEFT JOIN cache_result r ON r.key = k.num ORDER BY k.num`,
    );
    for (let last = -1; ; ) {
      const rows = read.all(last) as unknown as readonly Row[];
      if (rows.length === 0) break;
      for (const { id, scope } of rows) {
        if (scope === null) continue;
        const mark = keyMark(
          id,
          scopes.getOrMake(scope, () => scopeMark(scope)),
        );
        if (mark !== undefined) filter.add(mark);
      }
      last = rows.at(-1)?.num ?? last;
    }
    return { bytes: filter.bytes, count };
  } finally {
    db.close();
  }
}
