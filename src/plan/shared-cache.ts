import { createHash } from 'node:crypto';
import { formatImageReference, parseImageReference } from '../base/index.ts';
import { type PoolCache, parseByteSize } from '../resources/index.ts';
import { cacheName } from './outputs.ts';
import type { CachedBuild, PlannedCache, SharedCache } from './solve-plan.ts';

const MAX_TAG = 128;
/** Caches of other Builds that one reads: each is a question to the registry. */
const MAX_OTHERS = 4;

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Where a Build's cache lies below the repository of them all: who reads there is who writes there. */
export function scopePath({ scopes = [] }: Pick<PoolCache, 'scopes'>, { namespace, scope }: CachedBuild): string {
  const shared =
    scopes.find(({ namespaces }) => namespaces?.includes(namespace)) ??
    scopes.find(({ namespaces }) => namespaces === undefined);
  if (scope !== undefined) return `namespaces/${namespace}/apart/${hashOf(scope)}`;
  return shared === undefined ? `namespaces/${namespace}` : `scopes/${shared.name}`;
}

/** Repositories of a run's scope, of caches and of cache mounts, as `host/path`. @throws CodedError invalid_argument without a registry host */
export function scopeRepositories(
  cache: PoolCache,
  build: CachedBuild,
  defaultRegistry: string | undefined,
): { readonly caches: string; readonly mounts: string } {
  const caches = `${cacheName(cache.ref, defaultRegistry, 'cache.ref')}/${scopePath(cache, build)}`;
  return { caches, mounts: `${caches}/mounts` };
}

/** The tag of a Build's cache: no other Build of any namespace has it. */
function cacheTag({ namespace, name }: CachedBuild): string {
  const whole = `${namespace}.${name}`;
  return whole.length <= MAX_TAG ? whole : `${whole.slice(0, MAX_TAG - 17)}.${hashOf(whole)}`;
}

/** Caches that a run reads, in its scope: its own Build's first, which is the one that it writes. */
export function sharedCacheTags({ cache, build, others }: SharedCache): readonly string[] {
  const path = scopePath(cache, build);
  const beside = others.filter((one) => scopePath(cache, one) === path).map(cacheTag);
  return [...new Set([cacheTag(build), ...beside])].slice(0, MAX_OTHERS + 1);
}

/**
 * Every run reads what its Build and those beside it have written, and writes while it goes on, so that a pod that has nothing, or one that takes a lost run up, has it all the same.
 */
export function planSharedCache(
  { cache, build, others }: SharedCache,
  { noCache, mounts }: { readonly noCache: boolean; readonly mounts: boolean },
  defaultRegistry: string | undefined,
): { readonly imports: readonly PlannedCache[]; readonly exports: readonly PlannedCache[] } {
  const repositories = scopeRepositories(cache, build, defaultRegistry);
  const insecure = cache.insecure ? { 'registry.insecure': 'true' } : undefined;
  const at = (tag: string): Record<string, string> => ({
    ref: formatImageReference({ ...parseImageReference(repositories.caches), tag }),
    ...insecure,
  });
  const tags = sharedCacheTags({ cache, build, others });
  const { keepLast, maxSize, interval } = cache;
  const written: Record<string, string> = {
    mode: 'continuous',
    'ignore-error': 'true',
    // As all caches of an operator's runs: one that is superseded and does not know it yet adds, and replaces nothing.
    merge: 'true',
    ...(keepLast === undefined ? {} : { 'keep-last': String(keepLast) }),
    ...(maxSize === undefined ? {} : { 'max-size': String(parseByteSize(maxSize)) }),
    ...(interval === undefined ? {} : { 'continuous-interval': interval }),
  };
  const mountsAt = { ref: repositories.mounts, ...insecure };
  return {
    imports: [
      ...(noCache ? [] : tags.map((tag) => ({ type: 'registry', attrs: at(tag) }))),
      ...(mounts ? [{ type: 'mounts', attrs: mountsAt }] : []),
    ],
    exports: [
      { type: 'registry', attrs: { ...at(cacheTag(build)), ...written } },
      ...(mounts ? [{ type: 'mounts', attrs: { ...mountsAt, 'ignore-error': 'true' } }] : []),
    ],
  };
}
