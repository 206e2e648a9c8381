import { describe, expect, test } from 'vitest';
import { neverAborted, silentLogger } from '../../base/index.ts';
import { type Build, type BuildRun, buildHash } from '../../resources/index.ts';
import { knownBuildType, knownRunType } from '../known.ts';
import { MemoryApi } from '../testing/memory-api.ts';
import { BY_OWNER, buildReconciler, ownerOf } from './reconcile.ts';
import { decideTrigger, hasTriggers, triggerReconciler } from './triggers.ts';

const OLD = '2020-01-01T00:00:00Z';

const NOW = Date.parse('2026-01-02T03:04:35Z');
const known = (spec: Partial<Build['spec']>, status?: Build['status']) =>
  knownBuildType.parse({
    ...{ apiVersion: 'slipway.build/v1alpha1', kind: 'Build' },
    metadata: { name: 'app', namespace: 'n', uid: 'u', generation: 1 },
    spec: { dockerfile: { inline: 'FROM scratch' }, ...spec },
    ...(status === undefined ? {} : { status }),
  });
const hourly = { triggers: { schedule: '@hourly' } };
const followed = (since: string) => ({ schedule: { cron: '@hourly', since } });

describe('a schedule', () => {
  test('that is new begins now: nothing was missed', () => {
    const { triggered, requeueAfterMs } = decideTrigger({ build: known(hourly), now: NOW });
    expect(triggered).toEqual(followed('2026-01-02T03:04:35Z'));
    // With its own part of half a minute.
    expect(requeueAfterMs).toBeGreaterThanOrEqual(55 * 60_000 + 25_000);
    expect(requeueAfterMs).toBeLessThan(56 * 60_000 + 25_000);
  });

  test('makes up for what was missed once, and changes what the Build is known by', () => {
    const build = known(hourly, { phase: 'Succeeded', triggered: followed('2026-01-01T00:00:00Z') });
    const { triggered } = decideTrigger({ build, now: NOW });
    expect(triggered).toMatchObject({ reason: 'Schedule', ...followed('2026-01-02T03:00:00Z') });
    const after = known(hourly, { phase: 'Succeeded', triggered: triggered! });
    expect(after.hash).not.toBe(build.hash);
    expect(decideTrigger({ build: after, now: NOW }).triggered).toBe(after.status?.triggered);
  });

  test('waits for the run that is under way', () => {
    const build = known(hourly, { phase: 'Running', triggered: followed('2026-01-01T00:00:00Z') });
    expect(decideTrigger({ build, now: NOW }).triggered).toBe(build.status?.triggered);
  });

  test('in other words begins anew', () => {
    const build = known(hourly, {
      phase: 'Succeeded',
      triggered: { schedule: { cron: '@daily', since: '2025-01-01T00:00:00Z' } },
    });
    expect(decideTrigger({ build, now: NOW }).triggered).toEqual(followed('2026-01-02T03:04:35Z'));
  });

  test('is nothing to a Build without one', () => {
    expect(hasTriggers(known({}))).toBe(false);
    expect(decideTrigger({ build: known({}), now: NOW })).toEqual({ triggered: undefined });
  });
});

describe('a source of Flux', () => {
  const source = { source: { flux: { kind: 'Bucket' as const, name: 'b' } } };
  const found = (revision: string, since = '2026-01-01T00:00:00Z') => ({ revision, since: Date.parse(since) });

  test('is read by the first run; only what came after that began starts another', () => {
    const waits = known(source, { phase: 'Pending' });
    expect(decideTrigger({ build: waits, now: NOW, found: found('a') }).triggered).toBeUndefined();
    const ran = known(source, { phase: 'Succeeded', startedAt: '2026-01-01T00:00:01Z' });
    expect(decideTrigger({ build: ran, now: NOW, found: found('a') }).triggered).toEqual({ revision: 'a' });
    const late = decideTrigger({ build: ran, now: NOW, found: found('b', '2026-01-01T00:00:01Z') });
    expect(late.triggered).toMatchObject({ reason: 'NewRevision', revision: 'b' });
  });

  test('with a new revision starts a run, once', () => {
    const build = known(source, { phase: 'Running', triggered: { revision: 'a' } });
    const { triggered } = decideTrigger({ build, now: NOW, found: found('b') });
    expect(triggered).toMatchObject({ reason: 'NewRevision', message: 'the source is at b', revision: 'b' });
    const after = known(source, { phase: 'Running', triggered: triggered! });
    expect(after.hash).not.toBe(build.hash);
    expect(decideTrigger({ build: after, now: NOW, found: found('b') }).triggered).toBe(after.status?.triggered);
  });

  test('that is not ready changes nothing', () => {
    const build = known(source, { phase: 'Running', triggered: { revision: 'a' } });
    expect(decideTrigger({ build, now: NOW }).triggered).toBe(build.status?.triggered);
  });
});

test('a time that was missed is written to the Build, and the next run is the one that it asks for', async () => {
  using api = new MemoryApi();
  const builds = await api.informer(knownBuildType);
  const runs = await api.informer(knownRunType, { [BY_OWNER]: ownerOf });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  api.put('builds', {
    ...{ apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name: 'app', namespace: 'n' } },
    spec: { dockerfile: { inline: 'FROM scratch' }, ...hourly },
    status: { phase: 'Succeeded', lastRun: { name: 'a', number: 4, hash: 'h' }, triggered: followed(OLD) },
  });
  await settled();
  const { client } = api;
  const after = await triggerReconciler({ client, builds })('n/app', { signal: neverAborted });
  expect(after?.requeueAfterMs).toBeGreaterThan(0);
  await settled();
  const reconcile = buildReconciler({ client, builds, runs, troubleOf: () => undefined, log: silentLogger });
  await reconcile('n/app', { signal: neverAborted });
  const stored = api.get<Build>('builds', { namespace: 'n', name: 'app' })!;
  expect(stored.status?.triggered).toMatchObject({ reason: 'Schedule' });
  expect(stored.status?.triggered?.schedule?.since).not.toBe(OLD);
  expect(api.list<BuildRun>('buildruns').map(({ spec }) => [spec.number, spec.hash])).toEqual([[5, buildHash(stored)]]);
  // It was told once.
  await triggerReconciler({ client, builds })('n/app', { signal: neverAborted });
  expect(api.get<Build>('builds', { namespace: 'n', name: 'app' })?.status?.triggered).toEqual(
    stored.status?.triggered,
  );
});
