import { describe, expect, test } from 'vitest';
import { type Build, type BuildRun, type BuildRunStatus, buildHash, type Phase } from '../../resources/index.ts';
import type { Fault } from '../conditions.ts';
import { knownBuildType } from '../known.ts';
import { decideBuild, runName } from './decide.ts';
import { newRun } from './reconcile.ts';

const NOW = Date.parse('2026-01-02T03:04:05Z');

/** Tables: a Build and its runs in, what is to be done out. */
function buildOf(spec: Partial<Build['spec']> = {}, rest: Partial<Build> & { generation?: number } = {}): Build {
  return {
    apiVersion: 'slipway.build/v1alpha1',
    kind: 'Build',
    metadata: { name: 'app', namespace: 'n', uid: 'u', generation: rest.generation ?? 1 },
    spec: { dockerfile: { inline: 'FROM scratch' }, ...spec },
    ...(rest.status === undefined ? {} : { status: rest.status }),
  };
}

function runOf(
  build: Build,
  number: number,
  phase: Phase,
  status: Partial<BuildRunStatus> = {},
  hash = buildHash(build),
): BuildRun {
  return { ...newRun(build, number, hash), status: { phase, ...status } };
}

function decide(build: Build, runs: readonly BuildRun[] = [], trouble?: Fault) {
  const { actions, status } = decideBuild({ build: knownBuildType.parse(build), runs, now: NOW, trouble });
  return {
    status,
    actions: actions.map((action) =>
      action.kind === 'create' ? `create ${action.number}` : `${action.kind} ${action.run.spec.number}`,
    ),
    ready: status.conditions?.find(({ type }) => type === 'Ready'),
  };
}

const paused = (value: string): Build => ({
  ...buildOf(),
  metadata: { ...buildOf().metadata, annotations: { 'slipway.build/paused': value } },
});
const named = (name: string): Build => ({ ...buildOf(), metadata: { name, namespace: 'n', uid: name } });
const build = buildOf();
const other = buildOf({ dockerfile: { inline: 'FROM other' } });
const succeeded = (number: number, of = build) =>
  runOf(of, number, 'Succeeded', { outputs: [{ image: 'r/app', digest: `sha256:${'a'.repeat(64)}` }] });

describe('which runs a Build has to have', () => {
  test.each<readonly [string, Build, readonly BuildRun[], readonly string[]]>([
    ['the first', build, [], ['create 1']],
    ['none while one of this hash runs', build, [runOf(build, 1, 'Running')], []],
    ['none when it was built', build, [succeeded(1)], []],
    ['none when it failed: a user’s mistake is not tried again', build, [runOf(build, 1, 'Failed')], []],
    ['the running one of another hash ends first', build, [runOf(other, 1, 'Running')], ['supersede 1']],
    ['one that commits is waited for as well', build, [runOf(other, 1, 'Committing')], ['supersede 1']],
    ['then comes the next', build, [runOf(other, 3, 'Cancelled')], ['create 4']],
    ['back to an older hash is a new run', build, [succeeded(1), succeeded(2, other)], ['create 3']],
    ['none while it is suspended', buildOf({ suspend: true }), [], []],
    ['a suspended one ends nothing', buildOf({ suspend: true }), [runOf(other, 1, 'Running')], []],
    ['none while it is paused', paused('true'), [], []],
    ['a paused one ends nothing', paused('true'), [runOf(other, 1, 'Running')], []],
    ['one that is paused no more', paused('false'), [], ['create 1']],
    [
      'those beyond the limit go, oldest first, the newest never',
      buildOf({ historyLimit: 1 }),
      [1, 2, 3].map((number) => succeeded(number)),
      ['delete 1'],
    ],
    ['a limit of none keeps the newest', buildOf({ historyLimit: 0 }), [succeeded(1), succeeded(2)], ['delete 1']],
    ['a run that is not over is kept', buildOf({ historyLimit: 0 }), [runOf(build, 1, 'Running'), succeeded(2)], []],
  ])('%s', (_, given, runs, expected) => {
    expect(decide(given, runs).actions).toEqual(expected);
  });

  test('a cancelled one is not cancelled again', () => {
    const run = runOf(other, 1, 'Running');
    expect(decide(build, [{ ...run, spec: { ...run.spec, cancel: {} } }]).actions).toEqual([]);
  });

  test('a finished run that somebody deleted is not made again, nor is its number', () => {
    const { status } = decide(build, [succeeded(5)]);
    expect(decide({ ...build, status }, []).actions).toEqual([]);
    expect(decide({ ...other, status }, []).actions).toEqual(['create 6']);
    expect(decide({ ...build, status: { ...status, phase: 'Running' } }, []).actions).toEqual(['create 6']);
  });
});

describe('what the Build says', () => {
  test('ready with the pushed digest', () => {
    const { status, ready } = decide(build, [succeeded(1)]);
    expect(ready).toMatchObject({ status: 'True', observedGeneration: 1 });
    expect(status).toMatchObject({
      phase: 'Succeeded',
      observedGeneration: 1,
      image: `r/app@sha256:${'a'.repeat(64)}`,
    });
  });

  test('unknown once it changed, in the same write that sees the change', () => {
    const { status } = decide(build, [succeeded(1)]);
    const changed = { ...other, metadata: { ...other.metadata, generation: 2 }, status };
    expect(decide(changed, [succeeded(1)]).ready).toMatchObject({ status: 'Unknown', observedGeneration: 2 });
    // The image of before is still told.
    expect(decide(changed, [succeeded(1)]).status.image).toBe(status.image);
  });

  test('false with the run’s reason when it failed', () => {
    const failed = runOf(build, 2, 'Failed', {
      failure: { class: 'user', reason: 'StepFailed', message: 'm' },
      conditions: [
        {
          type: 'Succeeded',
          status: 'False',
          reason: 'StepFailed',
          message: 'm',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    });
    const { ready, status } = decide(build, [succeeded(1), failed]);
    expect(ready).toMatchObject({ status: 'False', reason: 'StepFailed', message: 'm' });
    expect(status.failure?.reason).toBe('StepFailed');
    expect(status.outputs).toHaveLength(1);
    expect(status.conditions?.find(({ type }) => type === 'Stalled')?.status).toBe('True');
  });

  test('what its run waits for', () => {
    const waiting = runOf(build, 1, 'Pending', {
      conditions: [
        {
          type: 'Accepted',
          status: 'False',
          reason: 'SecretNotFound',
          message: 'no Secret x',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    });
    expect(decide(build, [waiting]).ready).toMatchObject({ status: 'Unknown', reason: 'SecretNotFound' });
    expect(decide(buildOf({ suspend: true })).ready).toMatchObject({ status: 'False', reason: 'Suspended' });
    expect(decide(paused('true')).ready).toMatchObject({ status: 'False', reason: 'Paused' });
  });

  test('the same when nothing changed, to the last time', () => {
    const { status } = decide(build, [succeeded(1)]);
    const again = { ...knownBuildType.parse(build), status };
    expect(decideBuild({ build: again, runs: [succeeded(1)], now: NOW + 99_000 }).status).toEqual(status);
  });

  test('no more of its history than there is room for', () => {
    const mebibyte = 1024 * 1024;
    const history = Array.from({ length: 21 }, (_, at) => ({ ...succeeded(at + 1), bytes: mebibyte }));
    const { actions } = decide(buildOf({ historyLimit: 100 }), history);
    expect(actions).toEqual(Array.from({ length: 12 }, (_, at) => `delete ${at + 1}`));
  });

  test('what is wrong with its spec, and nothing is run', () => {
    const large = buildOf({ source: { inline: { files: { a: '<'.repeat(200_000) } } } });
    const { actions, ready, status } = decide(large);
    expect(actions).toEqual([]);
    expect(ready).toMatchObject({ status: 'False', reason: 'SpecTooLarge' });
    expect(status.conditions?.find(({ type }) => type === 'Stalled')?.status).toBe('True');
    let graph: unknown = 1;
    for (let depth = 0; depth < 5000; depth++) graph = [graph];
    expect(decide(buildOf({ llb: { graph: graph as never } })).ready).toMatchObject({
      status: 'False',
      reason: 'SpecTooDeep',
    });
    const odd = buildOf({ timeout: '0s' });
    expect(decide(odd).ready).toMatchObject({ status: 'False', reason: 'SpecInvalid' });
    expect(decide(odd).ready?.message).toContain('timeout: must be from 1s');
    // What it has is kept, and still told.
    expect(decide(odd, [succeeded(1)])).toMatchObject({ actions: [], status: { image: expect.any(String) } });
  });

  test('what keeps it or its run from coming on', () => {
    const trouble = { reason: 'RunRefused', message: 'exceeded quota' };
    expect(decide(build, [], trouble).ready).toMatchObject({ status: 'False', ...trouble });
    const { ready, status } = decide(build, [runOf(build, 1, 'Running')], trouble);
    expect(ready).toMatchObject({ status: 'False', ...trouble });
    expect(status.conditions?.find(({ type }) => type === 'Reconciling')?.status).toBe('True');
  });
});

test('names of runs stay names', () => {
  expect(runName('app', 3, '0123456789abcdef')).toBe('app-3-0123456789');
  expect(runName('a'.repeat(253), 1, '0123456789abcdef')).toHaveLength(253);
  expect(runName(`${'a'.repeat(230)}.${'b'.repeat(22)}`, 1, '0123456789abcdef')).toMatch(/a-[0-9a-f]{8}-1-0123456789$/);
  const twins = ['x', 'y'].map((last) => runName(`${'a'.repeat(240)}${last}`, 1, '0123456789abcdef'));
  expect(new Set(twins).size).toBe(2);
  const labels = ['x', 'y'].map((last) => newRun(named(`${'a'.repeat(70)}${last}`), 1, 'h').metadata.labels);
  expect(new Set(labels.map((one) => one?.['slipway.build/build'])).size).toBe(2);
});
