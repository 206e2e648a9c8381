import { LargeMap } from '../base/index.ts';
import type { EdgeState } from './active.ts';
import type { Caches } from './caches.ts';
import type { CacheLink } from './ports.ts';

/**
 * Enters in the own store how a key of an imported cache was reached: all that this build found to lead there, and no more, so that the next build finds
 * it without that cache. What leads on is entered after what leads there, so that one that is broken off is taken up again. Yields after each input.
 */
export function* adopt(edge: EdgeState, key: string, place: number): Generator<void, void, void> {
  const { own, imports }: Caches = edge.vertex.caches;
  const cache = imports[place - 1]!;
  const links: { from: string; link: CacheLink; target: string; scope: string }[] = [];
  const seen = LargeMap.by<EdgeState, Set<string>>(({ vertex }) => vertex.key);
  const open = [{ at: edge, id: key }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { at, id } = next;
    const known = seen.get(at) ?? new Set();
    if (known.has(id)) continue;
    seen.set(at, known.add(id));
    const { vertex, record } = at;
    for (const [input, below] of vertex.inputs.entries()) {
      yield;
      const search = below.lookup.searches[place]!;
      for (const way of at.lookup.searches[place]!.ways(input, id)) {
        const isContent = way === vertex.content(input);
        if (!isContent && !search.candidates.includes(way)) continue;
        const isRoot = isContent || below.inputs.length === 0;
        const from = isRoot ? way : cache.ownName(way);
        const link = { input, record, selector: isContent ? '' : vertex.selector(input) };
        const target = cache.ownName(id);
        const { write: scope } = vertex.scope;
        if (own.keys.links(from, link, [scope]).includes(target)) continue;
        links.push({ from, link, target, scope });
        if (!isRoot) open.push({ at: below, id: way });
      }
    }
  }
  for (const { from, link, target, scope } of links.reverse()) {
    own.keys.addLink(from, link, target, scope);
    yield;
  }
}
