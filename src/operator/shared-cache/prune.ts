import {
  type AbortOptions,
  type Logger,
  type ProxySettings,
  parseImageReference,
  toCodedError,
} from '../../base/index.ts';
import { pruneCaches } from '../../cache/repositories/index.ts';
import { anonymous, RegistryClient } from '../../oci/registry-client/index.ts';
import { type CachedBuild, scopePath, scopeRepositories, sharedCacheTags } from '../../plan/index.ts';
import { type BuilderPool, isOver, type PoolCache, parseByteSize, parseDuration } from '../../resources/index.ts';
import type { KnownRun } from '../known.ts';
import { cachedBuild, readCacheSecret, writtenCaches } from '../run/shared-cache.ts';
import type { EventRecorder, Informer, KubeClient } from '../runtime/index.ts';

const DEFAULT_AGE_MS = 720 * 3_600_000;

export interface CachePruneParts {
  readonly client: KubeClient;
  readonly runs: Pick<Informer<KnownRun>, 'list'>;
  readonly ownNamespace: string;
  readonly defaultRegistry: string | undefined;
  readonly proxies: ProxySettings;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly log: Logger;
}

/** One cache, scope by scope; what fails is told, and costs the other scopes nothing. */
export async function pruneSharedCache(
  cache: PoolCache,
  users: readonly BuilderPool[],
  parts: CachePruneParts,
  { signal }: AbortOptions,
): Promise<void> {
  const { defaultRegistry, proxies, events, log } = parts;
  const tell = (type: 'Normal' | 'Warning', reason: string, message: string) => {
    for (const pool of users) events.record(pool, type, reason, message);
  };
  const runs = parts.runs.list();
  using client = new RegistryClient({ proxies });
  try {
    const credentials = await readCacheSecret(cache, parts, { signal });
    for (const [path, members] of Map.groupBy(runs, (run) => scopePath(cache, cachedBuild(run)))) {
      const { caches, mounts } = scopeRepositories(cache, cachedBuild(members[0] as KnownRun), defaultRegistry);
      for (const name of cache.mounts === true ? [caches, mounts] : [caches]) {
        const provider = credentials === undefined ? anonymous : { credentials };
        const repository = client.repository(parseImageReference(name), provider, {
          insecure: cache.insecure === true,
        });
        const { maxAge, maxSize, keepLast } = cache.prune ?? {};
        const { deleted, kept } = await pruneCaches(repository, {
          ...{ signal, blobs: false, dryRun: false, now: Date.now() },
          keep: {
            keepLast,
            olderThanMs: maxAge === undefined ? DEFAULT_AGE_MS : parseDuration(maxAge),
            maxBytes: maxSize === undefined ? undefined : parseByteSize(maxSize),
          },
          usedAt: uses(cache, members, writtenCaches(runs)),
        }).catch((error: unknown) => {
          // Nothing was written there yet.
          if (toCodedError(error).code === 'not_found') return { deleted: [], kept: [] };
          throw error;
        });
        if (deleted.length === 0) continue;
        const tags = deleted.flatMap((group) => group.tags);
        log.info('caches were pruned', { repository: name, deleted: tags.length, kept: kept.length });
        tell('Normal', 'CachePruned', `${path}: ${tags.slice(0, 8).join(', ')}${tags.length > 8 ? ', …' : ''}`);
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    log.warn('the cache could not be pruned', { cache: cache.ref, err: error });
    const { message, status } = toCodedError(error) as ReturnType<typeof toCodedError> & { readonly status?: number };
    const hint = status === 405 ? ': the registry lets nobody delete; allow it there, or prune by its own means' : '';
    tell('Warning', 'CacheNotPruned', `${cache.ref}: ${message}${hint}`);
  }
}

/** When the caches of a scope were last used: those that a run reads or writes now are in use. */
function uses(
  cache: PoolCache,
  runs: readonly KnownRun[],
  others: readonly CachedBuild[],
): (tag: string) => number | undefined {
  const used = new Map<string, number>();
  for (const run of runs) {
    const build = cachedBuild(run);
    const { phase, completedAt } = run.status ?? {};
    const at = isOver(phase) ? Date.parse(completedAt ?? '') || 0 : Infinity;
    const tags = sharedCacheTags({ cache, build, others });
    for (const tag of at === Infinity ? tags : tags.slice(0, 1)) used.set(tag, Math.max(used.get(tag) ?? 0, at));
  }
  return (tag) => used.get(tag);
}
