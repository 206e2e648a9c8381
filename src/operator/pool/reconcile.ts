import { type BuilderPool, type BuilderPoolStatus, endpointsOf } from '../../resources/index.ts';
import { withCondition } from '../conditions.ts';
import { builderPoolType } from '../resource-types.ts';
import { type Informer, type KubeClient, plainTexts, type Reconcile } from '../runtime/index.ts';
import { sameStatus, writeStatus } from '../status.ts';
import type { Builders, Heard } from './builders.ts';

type EndpointStatus = NonNullable<BuilderPoolStatus['endpoints']>[number];

/** How often builders are asked how they are. */
const PROBE_EVERY_MS = 10_000;
const PROBE_SOON_MS = 2000;

interface PoolReconcilerParts {
  readonly client: KubeClient;
  readonly pools: Informer<BuilderPool>;
  readonly builders: Builders;
  /** Places may have come or gone. */
  readonly onHeard: () => void;
}

/** Keeps in touch with the builders of a pool and writes how they are. */
export function poolReconciler({ client, pools, builders, onHeard }: PoolReconcilerParts): Reconcile {
  return async (key, { signal }) => {
    const pool = pools.get(key);
    if (pool === undefined) {
      await builders.forget(key);
      onHeard();
      return undefined;
    }
    builders.keep(key, endpointsOf(pool));
    const endpoints = await builders.probe(key, { signal, onHeard });
    const status = plainTexts(poolStatus(pool, endpoints, client.now()));
    if (!sameStatus(pool.status, status))
      await writeStatus({ client, informer: pools }, builderPoolType, pool, status, { signal });
    return { requeueAfterMs: endpoints.every(({ ready }) => ready) ? PROBE_EVERY_MS : PROBE_SOON_MS };
  };
}

export function poolStatus(pool: BuilderPool, heard: readonly Heard[], now: number): BuilderPoolStatus {
  const endpoints: EndpointStatus[] = heard.map(({ running: _, ...endpoint }) => endpoint);
  const ready = endpoints.filter((endpoint) => endpoint.ready).length;
  const { generation } = pool.metadata;
  return {
    observedGeneration: generation ?? 1,
    ready,
    endpoints,
    conditions: withCondition(
      pool.status?.conditions,
      {
        type: 'Ready',
        status: ready > 0 ? 'True' : 'False',
        reason: ready > 0 ? 'BuildersReady' : 'NoBuilderReady',
        message: readyMessage(ready, endpoints),
      },
      generation,
      now,
    ),
  };
}

/** How many answer; where none does, why the first does not. */
function readyMessage(ready: number, endpoints: readonly EndpointStatus[]): string {
  const count = `${ready} of ${endpoints.length} builders answer`;
  const why = ready > 0 ? undefined : endpoints.find(({ message }) => message !== undefined);
  return why === undefined ? count : `${count}; ${why.address}: ${why.message}`;
}
