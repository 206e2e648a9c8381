import type { Database } from '../metadata/index.ts';
import type { RefRow } from './schema.ts';

const CHAIN = `WITH RECURSIVE chain (id, depth) AS (
  SELECT id, 0 FROM refs WHERE id = ?
  UNION ALL SELECT p.parent, depth + 1 FROM chain c CROSS JOIN ref_parents p ON p.ref = c.id
) SELECT refs.* FROM chain CROSS JOIN refs ON refs.id = chain.id ORDER BY depth DESC`;

/** What a ref's files lie in, bottom first. Whoever mounts, pulls or looks for what is lost goes by this. */
export function layersOf(db: Database, id: string): RefRow[] {
  return db.all<RefRow>(CHAIN, id);
}

/** Which of {@link layersOf} are layers of an image: what lies below a whole one is in it. */
export function imageLayersOf(db: Database, id: string): RefRow[] {
  const rows = layersOf(db, id);
  return rows.slice(
    Math.max(
      rows.findLastIndex(({ kind }) => kind === 'whole'),
      0,
    ),
  );
}
