import type { Database } from '../metadata/index.ts';
import type { RefRow } from './schema.ts';

/** From a ref down to the first that is no layer on another. */
const CHAIN = `WITH RECURSIVE chain (id, depth) AS (
  SELECT id, 0 FROM refs WHERE id = ?
  UNION ALL SELECT p.parent, depth + 1 FROM chain c CROSS JOIN refs r ON r.id = c.id CROSS JOIN ref_parents p ON p.ref = c.id
    WHERE r.kind IN ('layer', 'mutable')
) SELECT refs.* FROM chain CROSS JOIN refs ON refs.id = chain.id ORDER BY depth DESC`;

/**
 * What a ref consists of, bottom first: the refs with a layer of their own, which are layers and those diffs that are computed. Whoever mounts, packs, pulls or
 * looks for what is lost goes by this.
 */
export function layersOf(db: Database, id: string): RefRow[] {
  const chain = db.all<RefRow>(CHAIN, id);
  const [first] = chain;
  if (first === undefined) return [];
  switch (first.kind) {
    case 'merge':
      return [...parentsOf(db, first.id).flatMap((parent) => layersOf(db, parent)), ...chain.slice(1)];
    case 'diff':
      return [...(layersBetween(db, first.id) ?? [first]), ...chain.slice(1)];
    default:
      return chain;
  }
}

/** What a ref is made of, in order. */
export function parentsOf(db: Database, id: string): string[] {
  const sql = 'SELECT parent FROM ref_parents WHERE ref = ? ORDER BY pos';
  return db.all<{ parent: string }>(sql, id).map(({ parent }) => parent);
}

/**
 * The layers of a diff whose upper ref stands on the lower one; undefined when it has to be computed. As with BuildKit, a single layer is taken as it is only
 * where it was made right on the lower ref.
 */
function layersBetween(db: Database, diff: string): RefRow[] | undefined {
  const [lower = '', upper = ''] = parentsOf(db, diff);
  const [below, all] = [layersOf(db, lower), layersOf(db, upper)];
  if (all.length <= below.length || below.some(({ id }, n) => all[n]?.id !== id)) return undefined;
  const between = all.slice(below.length);
  const [only] = between;
  const isDirect = only?.id === upper && only.kind === 'layer' && parentsOf(db, upper)[0] === lower;
  return between.length > 1 || isDirect ? between : undefined;
}
