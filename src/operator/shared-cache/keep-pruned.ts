import { type AbortOptions, sleep } from '../../base/index.ts';
import { type BuilderPool, type PoolCache, parseDuration } from '../../resources/index.ts';
import type { Informer } from '../runtime/index.ts';
import type { CachePruneParts } from './prune.ts';

/** How often it is looked whether a cache's turn has come. */
const LOOK_MS = 60_000;
const DEFAULT_EVERY_MS = 6 * 3_600_000;

interface KeepPrunedParts extends CachePruneParts {
  readonly pools: Pick<Informer<BuilderPool>, 'list'>;
  /** Of the pools that have none of their own. */
  readonly clusterCache: PoolCache | undefined;
}

/** Prunes the caches of all pools, each in its turn, until the signal. */
export async function keepCachesPruned(parts: KeepPrunedParts, { signal }: AbortOptions): Promise<void> {
  const turns = new Map<string, number>();
  while (!signal.aborted) {
    const pools = Map.groupBy(parts.pools.list(), ({ spec }) => JSON.stringify(spec.cache ?? parts.clusterCache));
    const now = performance.now();
    let waitMs = LOOK_MS;
    for (const [text, users] of pools) {
      const cache = users[0]?.spec.cache ?? parts.clusterCache;
      if (cache === undefined) continue;
      const everyMs = cache.prune?.every === undefined ? DEFAULT_EVERY_MS : parseDuration(cache.prune.every);
      // The first time a while after leading began: there is other work then.
      const due = turns.get(text) ?? now + Math.min(everyMs, LOOK_MS);
      turns.set(text, due > now ? due : now + everyMs);
      waitMs = Math.min(waitMs, everyMs);
      if (due > now) continue;
      // With it comes all that talks to registries: memory that an operator without such a cache does not need.
      const { pruneSharedCache } = await import('./prune.ts');
      await pruneSharedCache(cache, users, parts, { signal });
    }
    for (const text of turns.keys()) if (!pools.has(text)) turns.delete(text);
    await sleep(Math.max(1000, waitMs), { signal }).catch(() => {});
  }
}
