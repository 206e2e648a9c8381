import { createHash } from 'node:crypto';
import { type BuildStatus, type Condition, isOver, PAUSED_ANNOTATION, type Phase } from '../../resources/index.ts';
import { conditionOf, type Fault, withCondition } from '../conditions.ts';
import type { KnownBuild, KnownRun } from '../known.ts';
import { clip } from '../runtime/index.ts';

const DEFAULT_HISTORY = 10;
/** Of the specs of a Build's finished runs: etcd is everybody's. */
const MAX_HISTORY_BYTES = 8 * 1024 * 1024;

interface BuildView {
  readonly build: KnownBuild;
  /** The runs that it owns. */
  readonly runs: readonly KnownRun[];
  /** Why it, or its newest run, does not come on at the moment. */
  readonly trouble?: Fault | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export type BuildAction =
  | { readonly kind: 'create'; readonly number: number; readonly hash: string }
  | { readonly kind: 'supersede'; readonly run: KnownRun; readonly message: string }
  | { readonly kind: 'delete'; readonly run: KnownRun };

interface BuildDecision {
  readonly actions: readonly BuildAction[];
  readonly status: BuildStatus;
}

/** Which runs a Build has to have, and its summary of the newest: a pure function. */
export function decideBuild(view: BuildView): BuildDecision {
  const { build } = view;
  const runs = [...view.runs].sort((a, b) => a.spec.number - b.spec.number);
  const newest = runs.at(-1);
  const { hash } = build;
  const actions: BuildAction[] = [];
  const last = build.status?.lastRun;
  // A finished run that somebody deleted is not made again, and its number is not used again.
  const known = newest ?? (last !== undefined && isOver(build.status?.phase) ? { spec: last } : undefined);
  const wanted = known === undefined || known.spec.hash !== hash;
  if (wanted && hash !== undefined && build.held === undefined) {
    if (newest !== undefined && !isOver(newest.status?.phase)) {
      if (newest.spec.cancel === undefined)
        actions.push({ kind: 'supersede', run: newest, message: `the Build has changed: it is now ${hash}` });
    } else actions.push({ kind: 'create', number: Math.max(newest?.spec.number ?? 0, last?.number ?? 0) + 1, hash });
  }
  for (const run of surplus(runs, build.spec.historyLimit ?? DEFAULT_HISTORY)) actions.push({ kind: 'delete', run });
  return { actions, status: summary(view, runs, wanted) };
}

/** The oldest of the runs that are over, so that neither their number nor what they take is more than their limit; the newest run is always kept. */
function surplus(runs: readonly KnownRun[], limit: number): readonly KnownRun[] {
  const over = runs.slice(0, -1).filter(({ status }) => isOver(status?.phase));
  let bytes = 0;
  // From the newest on, as long as there is room.
  const from = over.reverse().findIndex((run, at) => {
    bytes += run.bytes ?? 0;
    return at >= limit || bytes > MAX_HISTORY_BYTES;
  });
  return from < 0 ? [] : over.slice(from).reverse();
}

function summary({ build, now, trouble }: BuildView, runs: readonly KnownRun[], wanted: boolean): BuildStatus {
  const newest = runs.at(-1);
  const run = newest?.status;
  const before = build.status;
  const succeeded = runs.findLast(({ status }) => status?.phase === 'Succeeded')?.status;
  const outputs = succeeded?.outputs ?? before?.outputs;
  const first = outputs?.[0];
  const lastRun =
    newest === undefined
      ? before?.lastRun
      : { name: newest.metadata.name, number: newest.spec.number, hash: newest.spec.hash };
  const phase: Phase | undefined = newest === undefined ? before?.phase : (run?.phase ?? 'Pending');
  const status: BuildStatus = {
    observedGeneration: build.metadata.generation ?? 1,
    ...(phase === undefined ? {} : { phase }),
    ...(lastRun === undefined ? {} : { lastRun }),
    ...(before?.triggered === undefined ? {} : { triggered: before.triggered }),
    ...(outputs === undefined ? {} : { outputs }),
    ...(first === undefined ? {} : { image: clip(`${first.image}@${first.digest}`, 700) }),
  };
  // What the record of the newest run says; of a deleted one, what was read of it.
  const source = newest === undefined ? before : run;
  for (const field of ['startedAt', 'completedAt', 'resolved', 'cache', 'pulled', 'slowestSteps', 'failure'] as const)
    if (source?.[field] !== undefined) Object.assign(status, { [field]: source[field] });
  const ready = readiness(build, newest, phase, wanted, trouble);
  const busy = build.fault === undefined && (wanted ? build.held === undefined : !isOver(phase));
  let conditions = withCondition(before?.conditions, ready, build.metadata.generation, now);
  conditions = withCondition(
    conditions,
    {
      type: 'Reconciling',
      status: busy ? 'True' : 'False',
      reason: busy ? ready.reason : 'Settled',
      message: busy ? ready.message : '',
    },
    build.metadata.generation,
    now,
  );
  const stalled = build.fault !== undefined || (!wanted && (phase === 'Failed' || phase === 'Error'));
  conditions = withCondition(
    conditions,
    {
      type: 'Stalled',
      status: stalled ? 'True' : 'False',
      reason: stalled ? ready.reason : 'NotStalled',
      message: stalled ? 'change the Build or its annotation slipway.build/rerun to build again' : '',
    },
    build.metadata.generation,
    now,
  );
  return { ...status, conditions };
}

function readiness(
  build: KnownBuild,
  newest: KnownRun | undefined,
  phase: Phase | undefined,
  wanted: boolean,
  trouble: Fault | undefined,
): Omit<Condition, 'lastTransitionTime' | 'observedGeneration'> {
  const ready = (status: Condition['status'], reason: string, message: string) => ({
    type: 'Ready',
    status,
    reason,
    message,
  });
  const { hash, fault = trouble } = build;
  if (fault !== undefined) return ready('False', fault.reason, fault.message);
  if (wanted)
    switch (build.held) {
      case 'spec':
        return ready('False', 'Suspended', 'spec.suspend holds back the next run');
      case 'annotation':
        return ready('False', 'Paused', `the annotation ${PAUSED_ANNOTATION} holds back the next run`);
      default:
        return ready('Unknown', 'Pending', `${hash} is to be built`);
    }
  const told = conditionOf(newest?.status?.conditions, 'Succeeded') ?? conditionOf(build.status?.conditions, 'Ready');
  switch (phase) {
    case 'Succeeded':
      return ready('True', 'Succeeded', told?.message ?? 'built');
    case 'Failed':
    case 'Error':
    case 'Cancelled':
      return ready('False', told?.reason ?? phase, told?.message ?? '');
    default: {
      const waits = ['Accepted', 'Scheduled']
        .map((type) => conditionOf(newest?.status?.conditions, type))
        .find((one) => one?.status === 'False');
      return ready(
        'Unknown',
        waits?.reason ?? phase ?? 'Pending',
        waits?.message ?? `the run is ${phase ?? 'Pending'}`,
      );
    }
  }
}

/** `<build>-<number>-<hash>`: making it twice makes one. */
export function runName(build: string, number: number, hash: string): string {
  const tail = `-${number}-${hash.slice(0, 10)}`;
  return `${shortName(build, 253 - tail.length)}${tail}`;
}

/** A name, or the first of it and a hash of all: two long names that begin the same stay two. */
export function shortName(name: string, length: number): string {
  if (name.length <= length) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${name.slice(0, length - 9).replace(/[-.]+$/, '')}-${hash}`;
}
