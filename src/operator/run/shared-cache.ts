import { type AbortOptions, parseImageReference, toCodedError } from '../../base/index.ts';
import { dockerConfigCredentials, type SessionSources } from '../../builder-api/client/index.ts';
import { type CachedBuild, type SharedCache, scopeRepositories } from '../../plan/index.ts';
import type { PoolCache } from '../../resources/index.ts';
import type { KnownRun } from '../known.ts';
import { type Secret, secretType } from '../resource-types.ts';
import type { KubeClient } from '../runtime/index.ts';

const DOCKER_CONFIG = '.dockerconfigjson';

interface CacheOwner {
  readonly client: KubeClient;
  /** Namespace of the operator, where the Secret is. */
  readonly ownNamespace: string;
  readonly defaultRegistry: string | undefined;
}

/** Of a run, as its cache is named by it. */
export const cachedBuild = ({ metadata, spec }: Pick<KnownRun, 'metadata' | 'spec'>): CachedBuild => ({
  namespace: metadata.namespace as string,
  name: spec.buildRef.name,
  scope: spec.buildSpec.cache?.scope,
});

/** Builds of which a cache was written, the newest first: all runs are looked at. */
export function writtenCaches(runs: readonly KnownRun[]): readonly CachedBuild[] {
  const written = runs.filter(({ status }) =>
    status?.conditions?.some(({ type, status: is }) => type === 'CacheExported' && is === 'True'),
  );
  const ended = ({ status }: KnownRun) => status?.completedAt ?? '';
  return written.sort((a, b) => (ended(a) < ended(b) ? 1 : -1)).map(cachedBuild);
}

/** What the Secret of a shared cache says, or undefined where it has none or nothing can be read: the cache costs time then, not the run. */
export async function readCacheSecret(
  { secretRef }: PoolCache,
  { client, ownNamespace }: Pick<CacheOwner, 'client' | 'ownNamespace'>,
  options: AbortOptions,
): Promise<ReturnType<typeof dockerConfigCredentials> | undefined> {
  if (secretRef === undefined) return undefined;
  try {
    const at = { namespace: ownNamespace, name: secretRef.name };
    const { data } = await client.get<Secret>(secretType, at, options);
    return dockerConfigCredentials(Buffer.from(data?.[DOCKER_CONFIG] ?? '', 'base64').toString('utf8'));
  } catch (error) {
    const { code } = toCodedError(error);
    if (options.signal.aborted || !['not_found', 'permission_denied', 'invalid_argument'].includes(code)) throw error;
    return undefined;
  }
}

/** Credentials for the repositories of a run's scope alone: those of its user are not asked for there, and these nowhere else. */
export async function sharedCacheCredentials(
  options: CacheOwner & AbortOptions & { readonly sharedCache?: SharedCache | undefined },
): Promise<SessionSources['ofRepository']> {
  const { sharedCache, defaultRegistry, signal } = options;
  if (sharedCache === undefined) return undefined;
  const { cache, build } = sharedCache;
  const credentials = await readCacheSecret(cache, options, { signal });
  const { caches, mounts } = scopeRepositories(cache, build, defaultRegistry);
  const { domain } = parseImageReference(caches);
  const paths = [caches, mounts].map((name) => parseImageReference(name).path);
  return async (host, repository, wait) => {
    const here = host === domain || (domain === 'docker.io' && host === 'registry-1.docker.io');
    if (!here || !paths.includes(repository)) return undefined;
    return (await credentials?.(host, wait)) ?? { kind: 'anonymous' };
  };
}
