import { expect, test } from 'vitest';
import { decidePool, type Managed, type PodView, type PoolView } from './decide.ts';

const MINUTES = 60_000;

const pod = (ordinal: number, more: Partial<PodView> = {}): PodView => ({
  name: `p-${ordinal}`,
  ordinal,
  hash: 'now',
  state: 'ready',
  running: 0,
  capacity: 2,
  cordon: undefined,
  nodeGoes: false,
  quarantinedMs: undefined,
  idleMs: 0,
  silentMs: 0,
  faults: 0,
  guarded: (more.running ?? 0) > 0,
  ...more,
});

/** `create 0`, `delete p-1 Rollout`, … */
function decide(managed: Managed | undefined, pods: readonly PodView[], more: Partial<PoolView> = {}): string[] {
  const view = { managed, pods, hashOf: () => 'now', demand: 0, capacity: 2, holdBack: false, ...more };
  return decidePool(view).actions.map((action) => {
    if (action.kind === 'create') return `create ${action.ordinal}`;
    if (action.kind === 'guard') return `${action.on ? 'guard' : 'free'} ${action.pod}`;
    return [action.kind, action.pod, ...('reason' in action ? [action.reason] : [])].join(' ');
  });
}

const between = (min: number, max: number, more: Partial<Managed> = {}): Managed => ({
  replicas: { min, max },
  ...more,
});
const idle = { idleMs: 60 * MINUTES };
const busy = { running: 1 };

test('a pool has as many pods as it is to have at least, each made once', () => {
  expect(decide({}, [])).toEqual(['create 0']);
  expect(decide(between(3, 5), [pod(1, { state: 'starting' })])).toEqual(['create 0', 'create 2']);
  expect(decide(between(2, 2), [pod(0), pod(1, { state: 'starting' })])).toEqual([]);
});

test('from none, runs that wait make pods: as many as it takes, and none beyond the most', () => {
  expect(decide(between(0, 3), [])).toEqual([]);
  expect(decide(between(0, 3), [], { demand: 1 })).toEqual(['create 0']);
  expect(decide(between(0, 3), [], { demand: 3 })).toEqual(['create 0', 'create 1']);
  expect(decide(between(0, 3), [], { demand: 100 })).toEqual(['create 0', 'create 1', 'create 2']);
  // Those that start already are for them.
  expect(decide(between(0, 3), [pod(0, { state: 'starting' })], { demand: 2 })).toEqual([]);
  expect(decide(between(0, 3), [pod(0, { running: 2 })], { demand: 1 })).toEqual(['create 1']);
  // Free places of a busy one as well.
  expect(decide(between(0, 3), [pod(0, busy)], { demand: 1 })).toEqual([]);
});

test('spares are idle beside the busy ones', () => {
  expect(decide(between(0, 5, { warmSpares: 1 }), [])).toEqual(['create 0']);
  expect(decide(between(0, 5, { warmSpares: 1 }), [pod(0, busy)])).toEqual(['create 1']);
  expect(decide(between(0, 5, { warmSpares: 1 }), [pod(0, busy), pod(1, idle)])).toEqual([]);
  expect(decide(between(0, 1, { warmSpares: 4 }), [pod(0, busy)])).toEqual([]);
});

test('idle pods go after their time, down to none; never one that has runs', () => {
  expect(decide(between(0, 3), [pod(0, { idleMs: 9 * MINUTES })])).toEqual([]);
  expect(decide(between(0, 3), [pod(0, idle), pod(1, idle)])).toEqual([
    'delete p-1 ScaledDown',
    'delete p-0 ScaledDown',
  ]);
  expect(decide(between(0, 3), [pod(0, idle), pod(1, busy)])).toEqual(['delete p-0 ScaledDown']);
  expect(decide(between(1, 3), [pod(0, idle), pod(1, idle)])).toEqual(['delete p-1 ScaledDown']);
  expect(decide(between(0, 3, { scaleDownAfter: '1s' }), [pod(0, { idleMs: 1000 })])).toEqual([
    'delete p-0 ScaledDown',
  ]);
  const view = { managed: between(0, 1), pods: [pod(0, { idleMs: 4 * MINUTES })] };
  const more = { hashOf: () => 'now', demand: 0, capacity: 1, holdBack: false };
  expect(decidePool({ ...view, ...more }).lookAgainMs).toBe(6 * MINUTES);
});

test('fewer at most: idle ones go at once, busy ones when their runs have ended', () => {
  expect(decide(between(0, 1), [pod(0), pod(1)])).toEqual(['delete p-1 ScaledDown']);
  expect(decide(between(0, 1), [pod(0, busy), pod(1, busy)])).toEqual(['cordon p-1 ScaledDown']);
  expect(decide(between(0, 1), [pod(0, busy), pod(1, { ...busy, cordon: 'ScaledDown' })])).toEqual([]);
  expect(decide(between(0, 1), [pod(0, busy), pod(1, { cordon: 'ScaledDown' })])).toEqual(['delete p-1 ScaledDown']);
  // A pool that is no longer managed.
  expect(decide(undefined, [pod(0), pod(1, busy)])).toEqual(['delete p-0 ScaledDown', 'cordon p-1 ScaledDown']);
});

test('a rollout takes one after the other, idle ones first, and waits for runs', () => {
  const old = { hash: 'before' };
  expect(decide(between(2, 2), [pod(0, { ...old, ...busy }), pod(1, old)])).toEqual(['delete p-1 Rollout', 'create 2']);
  const started = [pod(0, { ...old, ...busy }), pod(1, { ...old, state: 'ending' }), pod(2, { state: 'starting' })];
  expect(decide(between(2, 2), started)).toEqual([]);
  const waits = [pod(0, { ...old, ...busy }), pod(2)];
  expect(decide(between(2, 2), waits)).toEqual(['cordon p-0 Rollout']);
  const cordoned = [pod(0, { ...old, ...busy, cordon: 'Rollout' }), pod(2)];
  expect(decide(between(2, 2), cordoned)).toEqual([]);
  expect(decide(between(2, 3), cordoned)).toEqual(['create 1']);
  expect(decide(between(2, 2), [pod(0, { ...old, cordon: 'Rollout' }), pod(2)])).toEqual([
    'delete p-0 Rollout',
    'create 1',
  ]);
  expect(decide(between(1, 1), [pod(0, { ...old, ...busy, cordon: 'Rollout' })])).toEqual([]);
});

test('of a pool whose builders are all busy no more than it says are cordoned at once', () => {
  const old = { hash: 'before', ...busy };
  const all = [0, 1, 2].map((ordinal) => pod(ordinal, old));
  expect(decide(between(1, 3), all)).toEqual(['cordon p-0 Rollout']);
  expect(decide(between(1, 3), [pod(0, { ...old, cordon: 'Rollout' }), ...all.slice(1)])).toEqual([]);
  expect(decide(between(1, 3, { maxUnavailable: 2 }), all)).toEqual(['cordon p-0 Rollout', 'cordon p-1 Rollout']);
});

test('a spec that is set back takes up what was to go; one that is mended replaces what never came up', () => {
  expect(decide(between(1, 1), [pod(0, { ...busy, cordon: 'Rollout' })])).toEqual(['uncordon p-0']);
  const broken = [pod(0, { hash: 'before', state: 'starting' }), pod(1, { hash: 'older' })];
  expect(decide(between(2, 2), broken)).toEqual(['delete p-0 Rollout', 'create 2']);
  // And one that is broken goes no further than its first pod.
  expect(decide(between(2, 2), [pod(0, { state: 'starting' }), pod(1, { hash: 'before' })])).toEqual([]);
});

test('a volume waits for its next pod of the same ordinal', () => {
  const volumes: Managed = between(1, 2, { storage: { persistentVolumeClaim: { size: '10Gi' } } });
  expect(decide(volumes, [pod(0, { hash: 'before' })])).toEqual(['delete p-0 Rollout']);
  expect(decide(volumes, [pod(0, { hash: 'before', state: 'ending' })])).toEqual([]);
  expect(decide(volumes, [])).toEqual(['create 0']);
  expect(decide(volumes, [pod(0, { state: 'ending', nodeGoes: true })])).toEqual(['create 1']);
});

test('a pod that is gone, failed or evicted is replaced, unless pods fail over and over', () => {
  expect(decide(between(1, 1), [pod(0, { state: 'over' })])).toEqual(['delete p-0 PodEnded', 'create 1']);
  expect(decide(between(1, 1), [pod(0, { state: 'over' })], { holdBack: true })).toEqual(['delete p-0 PodEnded']);
  expect(decide(between(1, 1), [pod(0, { ...busy, state: 'ending' })])).toEqual(['create 1']);
});

test('a node that is to be emptied: idle pods go at once, busy ones end their runs, others take their place', () => {
  const going = { nodeGoes: true };
  expect(decide(between(1, 1), [pod(0, going)])).toEqual(['delete p-0 NodeDrained', 'create 1']);
  expect(decide(between(1, 1), [pod(0, { ...going, ...busy })])).toEqual(['create 1']);
  expect(decide(between(1, 1), [pod(0, { ...going, ...busy }), pod(1)])).toEqual([]);
});

test('one that a person has cordoned is left alone', () => {
  expect(decide(between(1, 2), [pod(0, { ...idle, cordon: 'looking at it' })])).toEqual(['create 1']);
  expect(decide(between(0, 2), [pod(0, { ...idle, cordon: 'looking at it' })])).toEqual([]);
});

test('one that does not answer while others do is set aside and replaced, and kept for a while', () => {
  const silent = { state: 'unready', silentMs: 5 * MINUTES } as const;
  expect(decide(between(2, 2), [pod(0, silent), pod(1)])).toEqual(['quarantine p-0 NotAnswering', 'create 2']);
  expect(decide(between(2, 2), [pod(0, silent), pod(1, silent)])).toEqual([]);
  expect(decide(between(1, 1), [pod(0, silent)])).toEqual([]);
  expect(decide(between(2, 2, { quarantineAfter: '1h' }), [pod(0, silent), pod(1)])).toEqual([]);
  const kept = { quarantinedMs: 30 * MINUTES };
  expect(decide(between(2, 2), [pod(0, kept), pod(1), pod(2)])).toEqual([]);
  expect(decide(between(1, 1), [pod(0, { quarantinedMs: 61 * MINUTES }), pod(1)])).toEqual([
    'delete p-0 QuarantineOver',
  ]);
  const three = [0, 1, 2].map((ordinal) => pod(ordinal, { quarantinedMs: (1 + ordinal) * MINUTES }));
  expect(decide(between(1, 1), [...three, pod(3)])).toEqual(['delete p-2 QuarantineOver']);
});

test('one that loses run after run is set aside', () => {
  expect(decide(between(2, 2), [pod(0, { faults: 3 }), pod(1)])).toEqual(['quarantine p-0 LosesRuns', 'create 2']);
  expect(decide(between(2, 2), [pod(0, { faults: 2 }), pod(1)])).toEqual([]);
  expect(decide(between(2, 2), [pod(0, { faults: 3, ...busy }), pod(1)])).toEqual([]);
});

test('its node is told to leave a pod alone while it has runs, and no longer', () => {
  expect(decide(between(1, 1), [pod(0, { ...busy, guarded: false })])).toEqual(['guard p-0']);
  expect(decide(between(1, 1), [pod(0, { guarded: true })])).toEqual(['free p-0']);
});

test('a pool of several architectures has one of each as soon as it has any', () => {
  const archs = between(0, 4, { architectures: ['amd64', 'arm64'] });
  expect(decide(archs, [])).toEqual([]);
  expect(decide(archs, [], { demand: 1 })).toEqual(['create 0', 'create 1']);
});
