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
  if (!(yield* stays(vertex, ground))) return { kind: 'unkeyed' };
  // What ignored the cache, or stands on what did, is nothing that was there before, whatever its keys are.
  const anew = yield* differing(ground, ({ content, name }) => content === undefined && isVolatile(name));
  if (anew.length > 0) return { kind: 'differs', inputs: anew };
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
    const fresh = yield* differing(ground, (_, i) => !lookup.own.leadsOn(i));
    return { kind: 'differs', inputs: fresh.length > 0 ? fresh : yield* differing(ground, () => true) };
  }
  return { kind: 'new' };
}

/** Inputs that are looked at in one step. */
const PORTION = 250;

/** Those inputs. Yields after each portion. */
function* differing(
  ground: readonly Ground[],
  isOne: (of: Ground, input: number) => boolean,
): Generator<void, readonly DifferingInput[], void> {
  const inputs: DifferingInput[] = [];
  for (const [input, of] of ground.entries()) {
    if (isOne(of, input)) inputs.push({ input, content: of.content !== undefined });
    if ((input + 1) % PORTION === 0) yield;
  }
  return inputs;
}
