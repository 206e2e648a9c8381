import type { EdgeState, Ground } from './active.ts';
import { stays, storedKeys } from './ground.ts';
import { isVolatile } from './key.ts';
import type { DifferingInput, KeyStore, Miss } from './ports.ts';

/** Of those that have a record which is out of scope. */
const MOST_SCOPES = 16;

/** Why an edge is run on this ground: all caches have been asked, and nothing that they have can be used. Yields after each portion. */
export function* missOf(store: KeyStore, edge: EdgeState, ground: readonly Ground[]): Generator<void, Miss, void> {
  const { vertex, lookup } = edge;
  const { read } = vertex.scope;
  if (vertex.vertex.ignoreCache) return { kind: 'ignored' };
  yield;
  if (!stays(vertex, ground)) return { kind: 'unkeyed' };
  yield;
  const differing = (inputs: readonly number[]): Miss => ({
    kind: 'differs',
    inputs: inputs.map((input): DifferingInput => ({ input, content: ground[input]!.content !== undefined })),
  });
  // What ignored the cache, or stands on what did, is nothing that was there before, whatever its keys are.
  const anew = ground.flatMap(({ content, name }, i) => (content === undefined && isVolatile(name) ? [i] : []));
  if (anew.length > 0) return differing(anew);
  yield;
  const [cache] = lookup.unreadable;
  const unreadable = edge.unreadable ?? (cache === undefined ? undefined : { cache });
  if (unreadable !== undefined) return { kind: 'unreadable', ...unreadable };
  const keys = yield* storedKeys(store, vertex, edge.index, ground);
  const absences = keys.map((key) => store.absence(key, read));
  if (absences.includes('dropped')) return { kind: 'pruned' };
  const elsewhere = keys.filter((_, i) => absences[i] === 'elsewhere');
  if (elsewhere.length > 0)
    return { kind: 'outOfScope', scopes: elsewhere.flatMap((key) => store.scopesOf(key, MOST_SCOPES)) };
  if (ground.length > 0 && store.leadsTo(edge.record, read)) {
    const fresh = [...ground.keys()].filter((i) => !lookup.own.leadsOn(i));
    return differing(fresh.length > 0 ? fresh : [...ground.keys()]);
  }
  return { kind: 'new' };
}
