import type { BuilderPool, BuilderPoolStatus, Condition } from '../../resources/index.ts';
import { type Fault, timeText, withCondition } from '../conditions.ts';
import { clip } from '../runtime/index.ts';
import type { Heard } from './builders.ts';
import { isOpen } from './decide.ts';
import type { Managing, SeenPod } from './managed-pods.ts';
import { architectureOf, profileOf } from './pod.ts';

type EndpointStatus = NonNullable<BuilderPoolStatus['endpoints']>[number];
type PodStatus = NonNullable<BuilderPoolStatus['builders']>[number];

interface PoolSeen {
  /** Of the endpoints. */
  readonly endpoints: readonly Heard[];
  /** Undefined for a pool without pods of the operator's. */
  readonly managing?: Managing | undefined;
  /** Why the pool cannot have pods that it is to have. */
  readonly unable?: Fault | undefined;
}

/** How a pool is, as its status tells it. */
export function poolStatus(
  pool: BuilderPool,
  { endpoints: heard, managing, unable }: PoolSeen,
  now: number,
  heardOf: (address: string) => Heard | undefined = () => undefined,
): BuilderPoolStatus {
  const endpoints: EndpointStatus[] = heard.map(
    ({ running: _, disk: __, memory: ___, cpus: ____, ...endpoint }) => endpoint,
  );
  const { generation } = pool.metadata;
  const before = pool.status;
  const builders = (managing?.pods ?? [])
    .map((seen) => podStatus(pool, seen, now, seen.address === undefined ? undefined : heardOf(seen.address)))
    .sort((a, b) => (a.pod < b.pod ? -1 : 1));
  const ready = endpoints.filter((one) => one.ready).length + builders.filter(({ phase }) => phase === 'Ready').length;
  const all = endpoints.length + builders.filter(({ phase }) => phase !== 'Quarantined').length;
  const troubles = troublesOf(builders, managing?.refused ?? unable);
  const told = endpoints.find(({ message }) => message !== undefined);
  const conditions = [
    readiness({ ready, all, managing, trouble: troubles[0], told }),
    ...(managing === undefined && unable === undefined ? [] : [progress(builders, managing), degradation(troubles)]),
  ];
  return {
    observedGeneration: generation ?? 1,
    ready,
    endpoints,
    ...(managing === undefined
      ? {}
      : {
          replicas: builders.length,
          wanted: managing.wanted,
          running: sum(builders.map(({ running = 0 }) => running)) + sum(heard.map(({ running = 0 }) => running)),
          queued: managing.demand,
          ...(pool.spec.managed === undefined ? {} : { profile: profileOf(pool.spec.managed) }),
          builders,
        }),
    conditions: conditions.reduce<Condition[]>(
      (known, one) => withCondition(known, one, generation, now),
      (before?.conditions ?? []).filter(({ type }) => conditions.some((one) => one.type === type)),
    ),
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

function podStatus(pool: BuilderPool, seen: SeenPod, now: number, heard: Heard | undefined): PodStatus {
  const { pod, view, address, trouble } = seen;
  const phase = phaseOf(seen);
  const before = pool.status?.builders?.find((one) => one.pod === view.name);
  const why: Fault | undefined =
    trouble ??
    (view.nodeGoes
      ? { reason: 'NodeDrained', message: `its node ${pod.spec?.nodeName} is to be emptied, or does not answer` }
      : undefined) ??
    (view.cordon === undefined ? undefined : { reason: view.cordon, message: 'it takes no more runs' }) ??
    (heard?.message === undefined ? undefined : { reason: 'NotAnswering', message: heard.message });
  const architecture = pool.spec.managed && architectureOf(pool.spec.managed, view.ordinal);
  return {
    pod: view.name,
    phase,
    ...(pod.spec?.nodeName === undefined ? {} : { node: pod.spec.nodeName }),
    ...(address === undefined ? {} : { address }),
    ...(architecture === undefined ? {} : { architecture }),
    running: view.running,
    ...(view.capacity === undefined ? {} : { capacity: view.capacity }),
    ...(heard?.version === undefined ? {} : { version: heard.version }),
    ...(heard?.platforms === undefined ? {} : { platforms: heard.platforms }),
    ...heard?.disk,
    since: before?.phase === phase && before.since !== undefined ? before.since : timeText(now),
    ...(why === undefined ? {} : { reason: clip(why.reason, 128), message: clip(why.message, 1024) }),
  };
}

function phaseOf({ view }: SeenPod): PodStatus['phase'] {
  if (view.state === 'ending' || view.state === 'over') return 'Ending';
  if (view.quarantinedMs !== undefined) return 'Quarantined';
  if (!isOpen(view)) return 'Cordoned';
  return view.state === 'ready' ? 'Ready' : view.state === 'unready' ? 'NotReady' : 'Starting';
}

/** What a person should look at, the gravest first. */
function troublesOf(builders: readonly PodStatus[], refused: Fault | undefined): readonly Fault[] {
  const of = (phases: readonly PodStatus['phase'][]) =>
    builders
      .filter(({ phase, reason }) => phases.includes(phase) && reason !== undefined)
      .map(({ pod, reason, message }) => ({ reason: reason as string, message: `${pod}: ${message}` }));
  return [
    ...(refused === undefined ? [] : [refused]),
    ...of(['Starting']),
    ...of(['NotReady']),
    ...of(['Quarantined']),
  ];
}

interface Readiness {
  readonly ready: number;
  readonly all: number;
  readonly managing: Managing | undefined;
  readonly trouble: Fault | undefined;
  readonly told: EndpointStatus | undefined;
}

/** How many answer; where none does, why the first does not. */
function readiness({ ready, all, managing, trouble, told }: Readiness) {
  const count = `${ready} of ${all} builders answer`;
  if (ready > 0) return { type: 'Ready', status: 'True' as const, reason: 'BuildersReady', message: count };
  if (trouble === undefined && all === 0 && managing?.wanted === 0)
    return {
      type: 'Ready',
      status: 'True' as const,
      reason: 'ScaledToZero',
      message: 'a builder is made when a run waits',
    };
  const not = (reason: string, message: string) => ({ type: 'Ready', status: 'False' as const, reason, message });
  if (trouble !== undefined) return not(trouble.reason, `${count}; ${trouble.message}`);
  if (told !== undefined) return not('NoBuilderReady', `${count}; ${told.address}: ${told.message}`);
  return managing === undefined || managing.wanted === 0
    ? not('NoBuilderReady', count)
    : not(
        'BuildersStarting',
        `${count}; ${managing.wanted === 1 ? 'one starts' : `${managing.wanted} are to be there`}`,
      );
}

function progress(builders: readonly PodStatus[], managing: Managing | undefined) {
  const is = (status: 'True' | 'False', reason: string, message: string) => ({
    type: 'Progressing',
    status,
    reason,
    message,
  });
  if (managing === undefined) return is('False', 'Settled', '');
  const stale = builders.filter(({ phase, reason }) => phase === 'Cordoned' && reason === 'Rollout');
  if (stale.length > 0) return is('True', 'RollingOut', `${stale.map(({ pod }) => pod).join(', ')} end their runs`);
  const open = builders.filter(({ phase }) => ['Starting', 'Ready', 'NotReady'].includes(phase)).length;
  const starting = builders.filter(({ phase }) => phase === 'Starting').length;
  const counts = `${open} of ${managing.wanted} wanted`;
  if (open < managing.wanted || starting > 0) return is('True', 'ScalingUp', counts);
  if (open > managing.wanted) return is('True', 'ScalingDown', counts);
  return is('False', 'Settled', counts);
}

function degradation(troubles: readonly Fault[]) {
  const [first] = troubles;
  return first === undefined
    ? { type: 'Degraded', status: 'False' as const, reason: 'AsExpected', message: '' }
    : { type: 'Degraded', status: 'True' as const, reason: first.reason, message: first.message };
}

/** Whether two statuses tell the same, but for numbers that change all the time. */
export function withoutCounts({ running: _, queued: __, builders, ...rest }: BuilderPoolStatus): object {
  return {
    ...rest,
    builders: builders?.map(({ running: ___, diskFreeBytes: ____, inodesFree: _____, ...one }) => one),
  };
}
