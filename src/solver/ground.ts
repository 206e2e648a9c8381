import { newId } from '../base/index.ts';
import type { ActiveVertex, Ground } from './active.ts';
import { isVolatile, linkedKey, recordDigest, rootKey, volatileKey } from './key.ts';
import type { KeyStore } from './ports.ts';

/** What an execution of the vertex that begins now runs on; every input holds its result. */
export function groundOf(vertex: ActiveVertex): readonly Ground[] {
  return vertex.inputs.map((input, i) => ({
    result: input.held!.result.id,
    content: vertex.content(i),
    keys: input.names,
    name: input.held!.name,
    selector: vertex.selector(i),
  }));
}

/** What executions are joined by: the op's key and, for each input, the content that decides or else the very result. */
export function joinKey(vertex: ActiveVertex, ground: readonly Ground[]): string {
  const inputs = ground.map(({ content, result, selector }) => deciding(content, result, selector));
  const unshared = vertex.vertex.ignoreCache ? vertex.key : '';
  return `${vertex.scopeKey} ${unshared} ${linkedKey(vertex.maps[0]!.digest, 'any', inputs)}`;
}

/** Whether a later build could come to what is made on this ground. */
export function stays({ maps }: ActiveVertex, ground: readonly Ground[]): boolean {
  if (ground.length === 0) return maps.some(({ digest }) => !isVolatile(digest));
  return !isVolatile(maps[0]!.digest) && ground.every(({ content, keys }) => content !== undefined || keys.length > 0);
}

/** The keys that an output of an execution on this ground is stored under: those that the store reaches from it, or else a new one. */
export function storedKeys(
  store: KeyStore,
  vertex: ActiveVertex,
  output: number,
  ground: readonly Ground[],
): readonly string[] {
  const { maps } = vertex;
  if (ground.length === 0) return maps.map(({ digest }) => rootKey(digest, output)).filter((id) => !isVolatile(id));
  if (!stays(vertex, ground)) return [];
  const { digest } = maps[0]!;
  const record = recordDigest(digest, output);
  const targets = ground.map(({ content, keys, selector }, input) => {
    const ways = content === undefined ? keys.map((id) => ({ id, selector })) : [{ id: content, selector: '' }];
    return new Set(
      ways.flatMap((way) => store.links(way.id, { input, record, selector: way.selector }, vertex.scope.read)),
    );
  });
  const known = targets.reduce((common, each) => common.intersection(each));
  if (known.size > 0) return [...known];
  const inputs = ground.map(({ content, keys, selector }) => deciding(content, keys[0]!, selector));
  return [linkedKey(digest, output, inputs)];
}

/** Lets every name of the ground lead to `target`. */
export function linkGround(
  store: KeyStore,
  vertex: ActiveVertex,
  output: number,
  ground: readonly Ground[],
  target: string,
): void {
  const record = recordDigest(vertex.maps[0]!.digest, output);
  ground.forEach(({ content, keys, selector }, input) => {
    const link = { input, record };
    const { write } = vertex.scope;
    if (content !== undefined) store.addLink(content, { ...link, selector: '' }, target, write);
    for (const id of keys) store.addLink(id, { ...link, selector }, target, write);
  });
}

/**
 * What an output goes by in the active graph: its stored key, but a name of its own when it ignored the cache or stands on what did. Consumers
 * of that must not find what was made of an older one.
 */
export function activeName(
  vertex: ActiveVertex,
  output: number,
  ground: readonly Ground[],
  stored: readonly string[],
): string {
  if (vertex.vertex.ignoreCache) return volatileKey(newId());
  const { digest } = vertex.maps[0]!;
  if (ground.length === 0) return stored[0] ?? rootKey(digest, output);
  const inputs = ground.map(({ content, name, selector }) => deciding(content, name, selector));
  const name = linkedKey(digest, output, inputs);
  return isVolatile(name) ? name : (stored[0] ?? name);
}

function deciding(content: string | undefined, id: string, selector: string): { id: string; selector: string } {
  return content === undefined ? { id, selector } : { id: content, selector: '' };
}
