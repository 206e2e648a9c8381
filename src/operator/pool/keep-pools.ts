import { type AbortOptions, type Logger, sleep } from '../../base/index.ts';
import type { BuilderPool } from '../../resources/index.ts';
import { builderPoolType, FIELD_MANAGER } from '../resource-types.ts';
import { backoff, type KubeClient } from '../runtime/index.ts';

const FIRST_DELAY_MS = 2000;
const MAX_DELAY_MS = 60_000;

/**
 * Makes each pool, or sets its fields back to what they are here; fields that others set beside them stay. One that the API server does not take is tried again until the signal, and keeps
 * nobody from the others. @throws the signal's reason
 */
export async function keepPools(
  client: Pick<KubeClient, 'apply'>,
  pools: readonly BuilderPool[],
  { log, signal }: AbortOptions & { readonly log: Logger },
): Promise<void> {
  await Promise.all(
    pools.map(async ({ apiVersion, kind, metadata: { name, labels }, spec }) => {
      const pool = { apiVersion, kind, metadata: { name, ...(labels === undefined ? {} : { labels }) }, spec };
      for (let failures = 0; ; failures++) {
        try {
          await client.apply(builderPoolType, pool, { signal, fieldManager: FIELD_MANAGER });
          return;
        } catch (error) {
          signal.throwIfAborted();
          log.warn('a pool of --pools cannot be written', { pool: name, err: error });
        }
        await sleep(backoff(failures, FIRST_DELAY_MS, MAX_DELAY_MS), { signal });
      }
    }),
  );
}
