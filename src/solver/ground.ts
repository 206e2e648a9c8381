import { newId } from '../base/index.ts';
import type { ActiveVertex, Ground } from './active.ts';
import { isVolatile, linkedKey, recordDigest, rootKey, volatileKey } from './key.ts';
import type { KeyReader } from './ports.ts';

/** Inputs that are looked at in one step. */
const PORTION = 250;

/** Whether a later build could come to what is made on this ground. Yields after each portion. */
export function* stays({ maps }: ActiveVertex, ground: readonly Ground[]): Generator<void, boolean, void> {
  if (ground.length === 0) return maps.some(({ digest }) => !isVolatile(digest));
  if (isVolatile(maps[0]!.digest)) return false;
  for (const [at, { content, keys }] of ground.entries()) {
    if (content === undefined && keys.length === 0) return false;
    if ((at + 1) % PORTION === 0) yield;
  }
  return true;
}

/**
 * The keys that an output of an execution on this ground is stored under: those that the store reaches from it, or else a new one. Yields after each input
 * that it is asked about.
 */
export function* storedKeys(
  store: KeyReader,
  vertex: ActiveVertex,
  output: number,
  ground: readonly Ground[],
): Generator<void, readonly string[], void> {
  const { maps } = vertex;
  if (ground.length === 0) return maps.map(({ digest }) => rootKey(digest, output)).filter((id) => !isVolatile(id));
  if (!(yield* stays(vertex, ground))) return [];
  yield;
  const { digest } = maps[0]!;
  const record = recordDigest(digest, output);
  let known: Set<string> | undefined;
  for (const [input, { content, keys, selector }] of ground.entries()) {
    const ways = content === undefined ? keys.map((id) => ({ id, selector })) : [{ id: content, selector: '' }];
    const targets = new Set(
      ways.flatMap((way) => store.links(way.id, { input, record, selector: way.selector }, vertex.scope.read)),
    );
    known = known === undefined ? targets : known.intersection(targets);
    if (known.size === 0) break;
    yield;
  }
  if (known !== undefined && known.size > 0) return [...known];
  const name = yield* linkedKey(digest, output, ground, ({ content, keys, selector }) =>
    deciding(content, keys[0]!, selector),
  );
  return [name];
}

/**
 * What an output goes by in the active graph: its stored key, but a name of its own when it ignored the cache or stands on what did. Consumers
 * of that must not find what was made of an older one. Yields after each portion.
 */
export function* activeName(
  vertex: ActiveVertex,
  output: number,
  ground: readonly Ground[],
  stored: readonly string[],
): Generator<void, string, void> {
  if (vertex.vertex.ignoreCache) return volatileKey(newId());
  const { digest } = vertex.maps[0]!;
  if (ground.length === 0) return stored[0] ?? rootKey(digest, output);
  const name = yield* linkedKey(digest, output, ground, (each) => deciding(each.content, each.name, each.selector));
  return isVolatile(name) ? name : (stored[0] ?? name);
}

export function deciding(content: string | undefined, id: string, selector: string): { id: string; selector: string } {
  return content === undefined ? { id, selector } : { id: content, selector: '' };
}
