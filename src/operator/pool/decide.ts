import { type BuilderPool, parseDuration } from '../../resources/index.ts';

export type Managed = NonNullable<BuilderPool['spec']['managed']>;

/** Why a pod is given no more runs; any other word is a person's, who wrote it onto the pod. */
const ROLLOUT = 'Rollout';
const SCALE_DOWN = 'ScaledDown';

/** Quarantined pods that are kept for looking at, and for how long. */
const MAX_QUARANTINED = 2;
const QUARANTINE_MS = 3_600_000;
/** Runs in a row that were lost on a pod until it is thought to be at fault. */
const MAX_FAULTS = 3;

/** A pod of a pool as decisions see it. */
export interface PodView {
  readonly name: string;
  readonly ordinal: number;
  /** Of what it was made of. */
  readonly hash: string;
  /** `over`: it has ended; `unready`: it has started and does not answer. */
  readonly state: 'starting' | 'ready' | 'unready' | 'ending' | 'over';
  /** Runs that are on it. */
  readonly running: number;
  /** Undefined before it was heard of. */
  readonly capacity: number | undefined;
  /** As it is written on the pod. */
  readonly cordon: string | undefined;
  /** Its node is to be emptied, or gone. */
  readonly nodeGoes: boolean;
  /** For how long it has been quarantined. */
  readonly quarantinedMs: number | undefined;
  /** For how long it has had no runs. */
  readonly idleMs: number;
  /** For how long it has not answered, other than by not having started yet. */
  readonly silentMs: number;
  /** Runs in a row that were lost on it. */
  readonly faults: number;
  /** Whether its node is told not to be emptied under it. */
  readonly guarded: boolean;
}

export interface PoolView {
  /** Undefined where the operator is to run none. */
  readonly managed: Managed | undefined;
  readonly pods: readonly PodView[];
  /** What a pod of this ordinal is made of now. */
  readonly hashOf: (ordinal: number) => string;
  /** Runs that would be given a place if there were one. */
  readonly demand: number;
  /** Runs at once of a builder that was not heard of yet. */
  readonly capacity: number;
  /** Pods have failed: none is made yet. */
  readonly holdBack: boolean;
}

export type PoolAction =
  | { readonly kind: 'create'; readonly ordinal: number }
  | { readonly kind: 'delete'; readonly pod: string; readonly reason: string; readonly message: string }
  | { readonly kind: 'cordon'; readonly pod: string; readonly reason: string; readonly message: string }
  | { readonly kind: 'uncordon'; readonly pod: string }
  | { readonly kind: 'quarantine'; readonly pod: string; readonly reason: string; readonly message: string }
  | { readonly kind: 'guard'; readonly pod: string; readonly on: boolean };

interface PoolDecision {
  readonly actions: readonly PoolAction[];
  /** Pods that there is use for. */
  readonly wanted: number;
  /** When to look again though nothing happens. */
  readonly lookAgainMs: number | undefined;
}

/** Whether a pod is given runs, as far as it is not its own to say. */
export const isOpen = ({ cordon, nodeGoes, quarantinedMs, state }: PodView): boolean =>
  cordon === undefined && !nodeGoes && quarantinedMs === undefined && state !== 'ending' && state !== 'over';

/**
 * What becomes of the pods of a pool: a pure function. A pod that has runs is never deleted: it is cordoned, and deleted once they have ended. At most `maxUnavailable` builders are away
 * at once for being replaced, and never are there more than `max` that take runs or still end some, but for those that end with their pods or nodes.
 */
export function decidePool(view: PoolView): PoolDecision {
  const { managed } = view;
  const actions: PoolAction[] = [];
  /** Deleted or set aside, and cordoned, by what was decided so far. */
  const gone = new Set<PodView>();
  const shut = new Set<PodView>();
  const remove = (pod: PodView, reason: string, message: string) => {
    gone.add(pod);
    actions.push({ kind: 'delete', pod: pod.name, reason, message });
  };
  const cordon = (pod: PodView, reason: string, message: string) => {
    shut.add(pod);
    actions.push({ kind: 'cordon', pod: pod.name, reason, message });
  };
  const isStale = (pod: PodView) => pod.hash !== view.hashOf(pod.ordinal);

  const quarantined = view.pods.filter(({ quarantinedMs }) => quarantinedMs !== undefined).sort(byQuarantine);
  for (const [at, pod] of quarantined.entries())
    if (pod.state !== 'ending' && (at >= MAX_QUARANTINED || (pod.quarantinedMs as number) >= QUARANTINE_MS))
      remove(pod, 'QuarantineOver', 'it was kept for looking at');
  const live = view.pods.filter(({ quarantinedMs }) => quarantinedMs === undefined);
  for (const pod of live) if (pod.state === 'over') remove(pod, 'PodEnded', 'the pod has ended');
  const wedged = findWedged(live, managed);
  if (wedged !== undefined) {
    gone.add(wedged.pod);
    actions.push({ kind: 'quarantine', pod: wedged.pod.name, reason: wedged.reason, message: wedged.message });
  }

  const ending = live.filter(({ state }) => state === 'ending');
  const here = live.filter((pod) => pod.state !== 'ending' && !gone.has(pod));
  for (const pod of here) {
    if (pod.cordon === ROLLOUT && !isStale(pod)) actions.push({ kind: 'uncordon', pod: pod.name });
    if (pod.running > 0) continue;
    if (pod.nodeGoes) remove(pod, 'NodeDrained', 'its node is to be emptied, or does not answer');
    else if (pod.cordon === SCALE_DOWN) remove(pod, SCALE_DOWN, 'its last run has ended');
    else if (pod.cordon === ROLLOUT && isStale(pod)) remove(pod, ROLLOUT, 'its last run has ended');
  }

  const open = () => here.filter((pod) => isOpen(pod) && !gone.has(pod) && !shut.has(pod));
  const wanted = wantedPods(open(), view);
  const { max } = boundsOf(managed);
  scaleDown(open());
  if (managed !== undefined) {
    replaceStale(open(), managed.maxUnavailable ?? 1);
    if (!view.holdBack) create(managed);
  }
  for (const pod of here) {
    const on = pod.running > 0;
    if (!gone.has(pod) && pod.guarded !== on) actions.push({ kind: 'guard', pod: pod.name, on });
  }
  return { actions, wanted, lookAgainMs: lookAgain(open(), wanted, managed) };

  function scaleDown(pods: readonly PodView[]): void {
    const patienceMs = scaleDownMs(managed);
    let left = pods.length;
    for (const pod of [...pods].sort((a, b) => worth(a, view) - worth(b, view) || b.ordinal - a.ordinal)) {
      if (left <= wanted) return;
      const tooMany = left > max;
      if (pod.running === 0 && (tooMany || pod.idleMs >= patienceMs)) remove(pod, SCALE_DOWN, 'there is no use for it');
      else if (tooMany) cordon(pod, SCALE_DOWN, 'the pool is to have fewer builders');
      else continue;
      left--;
    }
  }

  function replaceStale(pods: readonly PodView[], maxUnavailable: number): void {
    const stale = pods.filter(isStale);
    const useless = stale.filter(({ state, running }) => state !== 'ready' && running === 0);
    for (const pod of useless) remove(pod, ROLLOUT, 'the pool’s spec has changed');
    const leaving = here.filter((pod) => pod.cordon === ROLLOUT && !gone.has(pod)).length;
    const starting = pods.filter((pod) => pod.state !== 'ready' && !isStale(pod)).length;
    const away = starting + Math.max(leaving, wanted - open().length);
    const next = stale.filter((pod) => !gone.has(pod)).sort((a, b) => a.running - b.running || a.ordinal - b.ordinal);
    for (const pod of next.slice(0, Math.max(0, maxUnavailable - away)))
      if (pod.running === 0) remove(pod, ROLLOUT, 'the pool’s spec has changed');
      else cordon(pod, ROLLOUT, 'the pool’s spec has changed: another takes its place when its runs have ended');
  }

  function create({ storage }: Managed): void {
    const serving = open().length;
    const leaving = here.filter((pod) => (!isOpen(pod) || shut.has(pod)) && !pod.nodeGoes && !gone.has(pod)).length;
    // A volume is taken up by the next pod of its ordinal: that waits until the name is free.
    const freed =
      storage?.persistentVolumeClaim === undefined
        ? 0
        : [...gone, ...ending].filter((pod) => pod !== wedged?.pod && !pod.nodeGoes && !quarantined.includes(pod))
            .length;
    const used = new Set(view.pods.map(({ ordinal }) => ordinal));
    const missing = Math.min(wanted - serving, max - serving - leaving) - freed;
    for (let ordinal = 0, made = 0; made < missing; ordinal++) {
      if (used.has(ordinal)) continue;
      made++;
      actions.push({ kind: 'create', ordinal });
    }
  }
}

const byQuarantine = (a: PodView, b: PodView) => (a.quarantinedMs as number) - (b.quarantinedMs as number);

/** What speaks for keeping a pod: its runs, that it answers, that it is made of what holds now. */
const worth = (pod: PodView, view: PoolView): number =>
  (pod.running > 0 ? 4 : 0) + (pod.state === 'ready' ? 2 : 0) + (pod.hash === view.hashOf(pod.ordinal) ? 1 : 0);

function boundsOf(managed: Managed | undefined): { readonly min: number; readonly max: number } {
  if (managed === undefined) return { min: 0, max: 0 };
  const min = managed.replicas?.min ?? Math.min(1, managed.replicas?.max ?? 1);
  return { min, max: managed.replicas?.max ?? Math.max(1, min) };
}

/** As many as are busy, as it takes for those that wait, and the spares, within the pool's bounds; never fewer than one for each architecture where there are any. */
function wantedPods(open: readonly PodView[], { managed, demand, capacity }: PoolView): number {
  if (managed === undefined) return 0;
  const { min, max } = boundsOf(managed);
  const busy = open.filter(({ running }) => running > 0);
  const free = busy
    .filter(({ state }) => state === 'ready')
    .reduce((sum, pod) => sum + Math.max(0, (pod.capacity ?? capacity) - pod.running), 0);
  const needed = busy.length + Math.ceil(Math.max(0, demand - free) / Math.max(1, capacity));
  const all = needed + (managed.warmSpares ?? 0);
  return Math.min(max, Math.max(min, all === 0 ? 0 : Math.max(all, managed.architectures?.length ?? 1)));
}

/** One at a time, and only while others are well: else it is not the pod. */
function findWedged(
  live: readonly PodView[],
  managed: Managed | undefined,
): { readonly pod: PodView; readonly reason: string; readonly message: string } | undefined {
  if (managed === undefined) return undefined;
  const limitMs = managed.quarantineAfter === undefined ? 300_000 : parseDuration(managed.quarantineAfter);
  const candidates = live.filter((pod) => pod.state !== 'ending' && pod.state !== 'over' && !pod.nodeGoes);
  const others = (pod: PodView) => candidates.some((one) => one !== pod && one.state === 'ready');
  const silent = candidates.find((pod) => pod.state !== 'ready' && pod.silentMs >= limitMs && others(pod));
  if (silent !== undefined) {
    const message = `it has not answered for ${Math.round(silent.silentMs / 1000)}s while others did`;
    return { pod: silent, reason: 'NotAnswering', message };
  }
  const faulty = candidates.find((pod) => pod.faults >= MAX_FAULTS && pod.running === 0 && others(pod));
  return faulty && { pod: faulty, reason: 'LosesRuns', message: `${faulty.faults} runs in a row were lost on it` };
}

const scaleDownMs = (managed: Managed | undefined): number => {
  if (managed === undefined) return 0;
  return managed.scaleDownAfter === undefined ? 600_000 : parseDuration(managed.scaleDownAfter);
};

function lookAgain(open: readonly PodView[], wanted: number, managed: Managed | undefined): number | undefined {
  if (open.length <= wanted) return undefined;
  const left = open.filter(({ running }) => running === 0).map(({ idleMs }) => scaleDownMs(managed) - idleMs);
  return left.length === 0 ? undefined : Math.max(0, Math.min(...left));
}
