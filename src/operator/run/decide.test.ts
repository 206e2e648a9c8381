import { describe, expect, test } from 'vitest';
import { CodedError } from '../../base/index.ts';
import { statusOfError, wire } from '../../builder-api/index.ts';
import type { BuildRun, BuildRunStatus, Phase } from '../../resources/index.ts';
import type { KnownRun } from '../known.ts';
import { decideRun, type RunView, retryAt } from './decide.ts';
import type { Prepared } from './prepare.ts';

const { ResultResponse, SolveState } = wire.slipway.builder.v1;
const NOW = Date.parse('2026-01-02T03:04:05Z');
const AT = '2026-01-02T03:04:00Z';
const DIGEST = `sha256:${'a'.repeat(64)}`;
const ready = { kind: 'ready', plan: {} } as Prepared;
const attempt = { number: 1, builder: 'b:1', pool: 'default', startedAt: AT };

function runOf(
  phase: Phase | undefined,
  status: Partial<BuildRunStatus> = {},
  spec: Partial<BuildRun['spec']> = {},
): BuildRun {
  return {
    apiVersion: 'slipway.build/v1alpha1',
    kind: 'BuildRun',
    metadata: { name: 'app-1', namespace: 'n', uid: 'u', generation: 1 },
    spec: {
      buildRef: { name: 'app' },
      number: 1,
      hash: 'h',
      buildSpec: { dockerfile: { inline: 'FROM scratch' } },
      ...spec,
    },
    ...(phase === undefined ? {} : { status: { phase, queuedAt: AT, ...status } }),
  };
}

function decide(run: BuildRun, view: Partial<RunView> = {}) {
  const decision = decideRun({ run, now: NOW, ...view });
  const condition = (type: string) => decision.status.conditions?.find((one) => one.type === type);
  return { ...decision, condition };
}

const failed = (error: CodedError, more: object = {}) =>
  ({
    kind: 'ended',
    result: new ResultResponse({ state: SolveState.FAILED, error: statusOfError(error), ...more }),
  }) as const;
const succeeded = {
  kind: 'ended',
  result: new ResultResponse({ state: SolveState.SUCCEEDED, vertices: 5, hits: 3, commit: 'c0ffee' }),
} as const;
const user = new CodedError('unknown', 'exit code: 7', { fault: 'user' });
const platform = new CodedError('unavailable', 'no route', { reason: 'REGISTRY_CONNECTION' });
const running = runOf('Running', { attempts: [attempt] });
const cancel = { cancel: { reason: 'Superseded' as const } };

describe('a run of platforms that no one builder has', () => {
  const buildSpec = { dockerfile: { inline: 'FROM scratch' }, platforms: ['linux/amd64', 'linux/arm64'] };
  const offers = [['linux/amd64'], ['linux/arm64']];
  const place = { address: 'b:1', pool: 'default' };
  const digests = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`];
  const pushed = (at: number) => {
    const outputs = [{ names: ['r.example.com/app'], digest: digests[at] as string }];
    return { kind: 'ended', result: new ResultResponse({ state: SolveState.SUCCEEDED, outputs }) } as const;
  };
  const next = (run: KnownRun, view: Partial<RunView>): KnownRun => ({
    ...run,
    status: decideRun({ run, now: NOW, offers, ...view }).status,
  });
  const planned = (): KnownRun =>
    next({ ...(runOf(undefined, {}, { buildSpec }) as KnownRun), divisible: true }, { prepared: ready });

  test('builds one after the other, then their index, and writes tags at the end', () => {
    let run = planned();
    expect(run.status?.parts).toEqual([{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }]);
    for (const at of [0, 1]) {
      run = next(run, { place });
      expect(run.status).toMatchObject({ phase: 'Running' });
      run = next(run, { solve: pushed(at) });
      expect(run.status).toMatchObject({ phase: 'Queued' });
      // Nothing has failed.
      expect(retryAt(run.status as BuildRunStatus)).toBe(0);
    }
    expect(run.status?.parts?.map(({ digest }) => digest)).toEqual(digests);
    run = next(run, { place });
    run = next(run, { solve: succeeded });
    expect(run.status).toMatchObject({ phase: 'Committing' });
    expect(run.status?.attempts?.map(({ part }) => part)).toEqual(['linux/amd64', 'linux/arm64', 'index']);
  });

  test('tries again only the part that failed', () => {
    let run = next(planned(), { place });
    run = next(run, { solve: pushed(0) });
    run = next(next(run, { place }), { solve: failed(platform) });
    expect(run.status).toMatchObject({ phase: 'Queued', parts: [{ digest: digests[0] }, {}] });
    expect(retryAt(run.status as BuildRunStatus)).toBeGreaterThan(NOW);
    run = next(run, { place });
    expect(run.status?.attempts?.at(-1)).toMatchObject({ number: 3, part: 'linux/arm64' });
    expect(next(run, { solve: failed(user) }).status).toMatchObject({ phase: 'Failed' });
  });

  test('is split when its builders are known, before it has a place, and never later', () => {
    const waiting = { ...planned(), status: { phase: 'Queued', queuedAt: AT } } as KnownRun;
    expect(next(waiting, {}).status?.parts).toHaveLength(2);
    expect(next(waiting, { offers: [] }).status?.parts).toBeUndefined();
    expect(next({ ...waiting, divisible: false }, {}).status?.parts).toBeUndefined();
    const retried = { ...waiting.status, attempts: [{ ...attempt, completedAt: AT, reason: 'X' }] };
    expect(next({ ...waiting, status: retried as BuildRunStatus }, {}).status?.parts).toBeUndefined();
  });
});

describe('before a builder is asked', () => {
  test('a run is planned, then queued', () => {
    const { status, condition } = decide(runOf(undefined), { prepared: ready });
    expect(status).toMatchObject({ phase: 'Queued', queuedAt: '2026-01-02T03:04:05Z', observedGeneration: 1 });
    expect(condition('Accepted')?.status).toBe('True');
  });

  test('what its graph is made of is told before it has a place', () => {
    const llb = { vertices: 2, ops: { source: 1, exec: 1 } };
    const prepared = { kind: 'ready', plan: { llb } } as unknown as Prepared;
    expect(decide(runOf(undefined), { prepared }).status).toMatchObject({ phase: 'Queued', llb });
  });

  test('what is missing is waited for, less and less often, and not for ever', () => {
    const prepared = { kind: 'waiting', reason: 'SecretNotFound', message: 'no Secret x' } as const;
    const first = decide(runOf(undefined), { prepared });
    expect(first.status.phase).toBe('Pending');
    expect(first.condition('Accepted')).toMatchObject({ status: 'False', reason: 'SecretNotFound' });
    expect(first.requeueAfterMs).toBe(500);
    const later = decide(runOf('Pending'), { prepared, now: NOW + 60_000 });
    expect(later.requeueAfterMs).toBeGreaterThan(5000);
    const last = decide(runOf('Pending'), { prepared, now: NOW + 31 * 60_000 });
    expect(last.status).toMatchObject({ phase: 'Failed', failure: { class: 'user', reason: 'SecretNotFound' } });
  });

  test('a bad plan ends it', () => {
    const failure = { class: 'user', reason: 'InvalidArgument', message: 'm' } as const;
    const { status, condition } = decide(runOf('Pending'), { prepared: { kind: 'refused', failure } });
    expect(status).toMatchObject({ phase: 'Failed', failure });
    expect(condition('Succeeded')).toMatchObject({ status: 'False', reason: 'InvalidArgument' });
  });

  test.each(['Pending', 'Queued'] as const)('cancelled while %s, it is over at once', (phase) => {
    expect(decide(runOf(phase, {}, cancel), { prepared: ready }).status).toMatchObject({
      phase: 'Cancelled',
      failure: { class: 'cancelled', reason: 'Superseded' },
    });
  });

  test('a granted place is in the record before it is used', () => {
    const { status, condition } = decide(runOf('Queued', { queue: { position: 1 } }), {
      place: { address: 'b:1', pool: 'default' },
    });
    expect(status).toMatchObject({ phase: 'Running', attempts: [{ number: 1, builder: 'b:1' }] });
    expect(status.queue).toBeUndefined();
    expect(condition('Scheduled')?.status).toBe('True');
  });

  test('positions are written when new or halved', () => {
    const at = (written: number | undefined, position: number) =>
      decide(runOf('Queued', written === undefined ? {} : { queue: { position: written } }), {
        waiting: { kind: 'position', position },
      }).status.queue?.position;
    expect([at(undefined, 100), at(100, 99), at(100, 50), at(100, 51), at(2, 1)]).toEqual([100, 100, 50, 100, 1]);
  });

  test('no place: says why, and ends as the platform’s error', () => {
    const waiting = { kind: 'impossible', reason: 'PoolNotFound', message: 'no pool p' } as const;
    expect(decide(runOf('Queued'), { waiting }).condition('Scheduled')).toMatchObject({ reason: 'PoolNotFound' });
    expect(decide(runOf('Queued'), { waiting, now: NOW + 3_600_000 }).status).toMatchObject({
      phase: 'Error',
      failure: { class: 'infrastructure', reason: 'PoolNotFound' },
    });
  });
});

describe('on a builder', () => {
  test('nothing new, nothing written', () => {
    expect(decide(running).status).toEqual({ ...running.status, observedGeneration: 1 });
    expect(decide(running, { solve: { kind: 'running' } }).status).toEqual({
      ...running.status,
      observedGeneration: 1,
    });
  });

  test('success is first to be committed', () => {
    const { status } = decide(running, { solve: succeeded });
    expect(status).toMatchObject({
      phase: 'Committing',
      cache: { vertices: 5, hits: 3 },
      resolved: { commit: 'c0ffee' },
    });
    expect(status.completedAt).toBeUndefined();
  });

  test.each([
    [[{ target: 'r/c:main', digest: DIGEST, pushedBytes: 7 }], { status: 'True', reason: 'Exported' }],
    [
      [
        { target: 'r/c:main', digest: DIGEST },
        { target: 'r/d:main', reason: 'PushDenied', message: 'no' },
      ],
      { status: 'False', reason: 'PushDenied', message: 'r/d:main: no' },
    ],
    [[{ target: 'r/c:main' }], { status: 'False', reason: 'NothingToExport' }],
    [[], undefined],
  ])('caches that were to be written are told of: %j', (caches, expected) => {
    const result = new ResultResponse({ state: SolveState.SUCCEEDED, caches });
    const { status, condition } = decide(running, { solve: { kind: 'ended', result } });
    expect(status.phase).toBe('Committing');
    if (expected === undefined) expect(condition('CacheExported')).toBeUndefined();
    else expect(condition('CacheExported')).toMatchObject(expected);
    expect(status.cache?.exports?.map(({ ref }) => ref)).toEqual(
      caches.length === 0 ? undefined : caches.map(({ target }) => target),
    );
  });

  test('a cancelled run commits nothing, even if it succeeded', () => {
    const run = runOf('Running', { attempts: [attempt] }, cancel);
    expect(decide(run, { solve: succeeded }).status).toMatchObject({ phase: 'Cancelled' });
    expect(decide(run, { solve: failed(user) }).status).toMatchObject({ phase: 'Cancelled' });
    expect(decide(run, { solve: { kind: 'lost', error: platform } }).status).toMatchObject({ phase: 'Cancelled' });
    expect(decide(run, { solve: { kind: 'running' } }).status.phase).toBe('Running');
  });

  test('the user’s failure ends it', () => {
    const { status } = decide(running, {
      solve: failed(user, { exitCode: 7, failedStep: 'RUN x', logTail: Buffer.from('log') }),
    });
    expect(status).toMatchObject({
      phase: 'Failed',
      failure: { class: 'user', reason: 'StepFailed', exitCode: 7, step: 'RUN x', logTail: 'log' },
      attempts: [{ number: 1, reason: 'StepFailed', completedAt: '2026-01-02T03:04:05Z' }],
    });
  });

  test('the platform’s is tried again later, and in the end an error', () => {
    const again = decide(running, { solve: failed(platform) });
    expect(again.status).toMatchObject({ phase: 'Queued', attempts: [{ reason: 'RegistryUnavailable' }] });
    expect(retryAt(again.status)).toBe(NOW + 2000);
    const none = runOf('Running', { attempts: [attempt] }, { buildSpec: { retry: { limit: 0 } } });
    expect(decide(none, { solve: failed(platform) }).status).toMatchObject({
      phase: 'Error',
      failure: { class: 'infrastructure', reason: 'RegistryUnavailable' },
    });
  });

  test('a builder that had to end takes no retry away, and is still not tried for ever', () => {
    const ending = CodedError.of('BUILDER_ENDING', 'the builder ends before the build');
    const movedBefore = (count: number) =>
      Array.from({ length: count }, (_, n) => ({
        ...attempt,
        number: n + 1,
        reason: 'BuilderEnding',
        completedAt: '2026-01-02T03:04:05Z',
      }));
    const once = { buildSpec: { retry: { limit: 0 } } };
    const moved = runOf('Running', { attempts: [...movedBefore(4), { ...attempt, number: 5 }] }, once);
    expect(decide(moved, { solve: failed(ending) }).status.phase).toBe('Queued');
    expect(decide(moved, { solve: failed(platform) }).status.phase).toBe('Error');
    const often = runOf('Running', { attempts: [...movedBefore(9), { ...attempt, number: 10 }] }, once);
    expect(decide(often, { solve: failed(ending) }).status).toMatchObject({
      phase: 'Error',
      failure: { reason: 'BuilderEnding' },
    });
  });

  test('a builder that forgot it is the platform’s failure', () => {
    const unknown = { kind: 'ended', result: new ResultResponse({ state: SolveState.UNKNOWN }) } as const;
    expect(decide(running, { solve: unknown }).status).toMatchObject({
      phase: 'Queued',
      attempts: [{ reason: 'BuilderLost' }],
    });
  });
});

describe('while tags are written', () => {
  const committing = runOf('Committing', { attempts: [attempt] });

  test('a cancellation comes too late', () => {
    const run = { ...committing, spec: { ...committing.spec, ...cancel } };
    expect(decide(run, { solve: succeeded }).status.phase).toBe('Committing');
  });

  test('its outputs are the record', () => {
    const outputs = [
      { names: ['r.example.com/a:v1', 'r.example.com/a:v2', 'other.example.com/b:v1'], digest: 'sha256:d', size: 5 },
    ];
    expect(decide(committing, { solve: { kind: 'committed', outputs } }).status).toMatchObject({
      phase: 'Succeeded',
      outputs: [
        { image: 'r.example.com/a', tags: ['v1', 'v2'], digest: 'sha256:d', size: 5 },
        { image: 'other.example.com/b', tags: ['v1'] },
      ],
    });
  });

  test('a registry that refuses the tag is the user’s failure', () => {
    const error = new CodedError('permission_denied', 'push r: denied', { reason: 'REGISTRY_REFUSED' });
    expect(decide(committing, { solve: { kind: 'commit-failed', error } }).status).toMatchObject({ phase: 'Failed' });
  });
});

test('what is over stays as it is', () => {
  for (const phase of ['Succeeded', 'Failed', 'Error', 'Cancelled'] as const) {
    const run = runOf(phase, {}, cancel);
    expect(decide(run, { solve: succeeded, prepared: ready }).status).toEqual(run.status);
  }
});

test.each([
  ['EXEC_OUT_OF_MEMORY', 'OutOfMemory'],
  ['EXEC_OUT_OF_PROCESSES', 'OutOfProcesses'],
  ['EXEC_FAILED', 'StepFailed'],
] as const)('a step that met a bound is told by its name: %s', (reason, word) => {
  const error = CodedError.of(reason, 'exit code: 137');
  expect(decide(running, { solve: failed(error, { exitCode: 137 }) }).status.failure?.reason).toBe(word);
});

describe('what a queued run waits for', () => {
  const queued = runOf('Queued', {});
  test('its place', () => {
    const { condition, status } = decide(queued, { waiting: { kind: 'position', position: 3 } });
    expect(status.queue?.position).toBe(3);
    expect(condition('Scheduled')).toMatchObject({ status: 'False', reason: 'Queued' });
  });

  test('its namespace’s limit, and no longer once that is away', () => {
    const limited = decide(queued, { waiting: { kind: 'position', position: 1, limited: 2 } });
    expect(limited.condition('Scheduled')).toMatchObject({ reason: 'NamespaceLimit' });
    expect(limited.condition('Scheduled')?.message).toContain('2 runs');
    const free = decide(runOf('Queued', limited.status), { waiting: { kind: 'position', position: 1 } });
    expect(free.condition('Scheduled')).toMatchObject({ reason: 'Queued' });
  });

  test('the next try, as long as that is what it waits for', () => {
    const { status } = decide(running, { solve: failed(platform) });
    const again = decide({ ...running, status }, { waiting: { kind: 'position', position: 1 } });
    expect(again.condition('Scheduled')).toMatchObject({ reason: 'Retrying' });
  });
});
