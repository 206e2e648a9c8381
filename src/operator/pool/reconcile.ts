import { type BuilderPool, endpointsOf } from '../../resources/index.ts';
import { builderPoolType } from '../resource-types.ts';
import { type Informer, type KubeClient, plainTexts, type Reconcile } from '../runtime/index.ts';
import { sameStatus, writeStatus } from '../status.ts';
import type { Builders } from './builders.ts';
import type { ManagedPods } from './managed-pods.ts';
import { poolStatus, withoutCounts } from './status.ts';

/** How often builders are asked how they are. */
const PROBE_EVERY_MS = 10_000;
const PROBE_SOON_MS = 2000;
/** One that was well so shortly before is not asked again. */
const FRESH_MS = 8000;
/** How often numbers alone are written. */
const COUNTS_EVERY_MS = 30_000;

const UNABLE = {
  reason: 'NotManaged',
  message: 'the operator runs no builders: it was started without --builders-namespace',
};

interface PoolReconcilerParts {
  readonly client: KubeClient;
  readonly pools: Informer<BuilderPool>;
  readonly builders: Builders;
  /** Undefined where the operator runs no builders itself. */
  readonly managed?: ManagedPods | undefined;
  /** Places may have come or gone. */
  readonly onHeard: () => void;
}

/** Keeps a pool's pods as they are to be, keeps in touch with its builders, and writes how they are. */
export function poolReconciler({ client, pools, builders, managed, onHeard }: PoolReconcilerParts): Reconcile {
  const writtenAt = new Map<string, number>();
  return async (key, { signal }) => {
    const pool = pools.get(key);
    if (pool === undefined) {
      managed?.forget(key);
      writtenAt.delete(key);
      await builders.forget(key);
      onHeard();
      return undefined;
    }
    const endpoints = endpointsOf(pool);
    const pods = (await managed?.targets(pool, { signal })) ?? [];
    builders.keep(key, [...endpoints, ...pods]);
    const heard = await builders.probe(key, { signal, onHeard, freshMs: FRESH_MS });
    const going = pool.metadata.deletionTimestamp !== undefined;
    const managing = managed === undefined || going ? undefined : await managed.manage(pool, { signal });
    const own = pool.spec.managed !== undefined || (managing !== undefined && managing.pods.length > 0);
    const status = plainTexts(
      poolStatus(
        pool,
        {
          endpoints: heard.filter(({ address }) => endpoints.some((one) => one.address === address)),
          managing: own ? managing : undefined,
          unable: pool.spec.managed !== undefined && managed === undefined ? UNABLE : undefined,
        },
        client.now(),
        (address) => builders.heard(key, address)?.heard,
      ),
    );
    let laterMs: number | undefined;
    if (!sameStatus(pool.status, status)) {
      const now = performance.now();
      const sinceMs = now - (writtenAt.get(key) ?? Number.NEGATIVE_INFINITY);
      const counts = pool.status !== undefined && sameStatus(withoutCounts(pool.status), withoutCounts(status));
      if (counts && sinceMs < COUNTS_EVERY_MS) laterMs = COUNTS_EVERY_MS - sinceMs;
      else {
        await writeStatus({ client, informer: pools }, builderPoolType, pool, status, { signal });
        writtenAt.set(key, now);
      }
    }
    const everyMs = heard.every(({ ready }) => ready) ? PROBE_EVERY_MS : PROBE_SOON_MS;
    return { requeueAfterMs: Math.min(everyMs, laterMs ?? everyMs, managing?.lookAgainMs ?? everyMs) };
  };
}
