import type { Database } from '../metadata/index.ts';
import type { RefRow } from './schema.ts';

/** From a ref down to the first that is no layer on another. */
const CHAIN = `WITH RECURSIVE chain (id, depth) AS (
  SELECT id, 0 FROM refs WHERE id = ?
  UNION ALL SELECT p.parent, depth + 1 FROM chain c CROSS JOIN refs r ON r.id = c.id CROSS JOIN ref_parents p ON p.ref = c.id
    WHERE r.kind IN ('layer', 'mutable')
) SELECT refs.* FROM chain CROSS JOIN refs ON refs.id = chain.id ORDER BY depth DESC`;

/** Merges and diffs whose layers are known already. */
export type KnownLayers = Map<string, readonly RefRow[]>;

/**
 * What a ref consists of, bottom first: the refs with a layer of their own, which are layers and those diffs that are computed. Whoever mounts, packs, pulls or
 * looks for what is lost goes by this. Each merge and diff below is looked at once, however often others are made of it: afterwards `known` has all of them.
 */
export function layersOf(db: Database, id: string, known: KnownLayers = new Map()): RefRow[] {
  const chain = db.all<RefRow>(CHAIN, id);
  const [first, ...others] = chain;
  if (first === undefined) return [];
  if (first.kind !== 'merge' && first.kind !== 'diff') return chain;
  let layers = known.get(first.id);
  if (layers === undefined) {
    layers =
      first.kind === 'merge'
        ? parentsOf(db, first.id).flatMap((parent) => layersOf(db, parent, known))
        : (layersBetween(db, first.id, known) ?? [first]);
    known.set(first.id, layers);
  }
  return [...layers, ...others];
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
function layersBetween(db: Database, diff: string, known: KnownLayers): RefRow[] | undefined {
  const [lower = '', upper = ''] = parentsOf(db, diff);
  const [below, all] = [layersOf(db, lower, known), layersOf(db, upper, known)];
  if (all.length <= below.length || below.some(({ id }, n) => all[n]?.id !== id)) return undefined;
  const between = all.slice(below.length);
  const [only] = between;
  const isDirect = only?.id === upper && only.kind === 'layer' && parentsOf(db, upper)[0] === lower;
  return between.length > 1 || isDirect ? between : undefined;
}
