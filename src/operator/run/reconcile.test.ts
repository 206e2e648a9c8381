import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CodedError } from '../../base/index.ts';
import { statusOfError, wire } from '../../builder-api/index.ts';
import type { BuildRun } from '../../resources/index.ts';
import { apiError } from '../runtime/index.ts';
import { eventually, RunWorld } from '../testing/run-world.ts';

const { SolveState } = wire.slipway.builder.v1;

let world: RunWorld;
beforeEach(() => {
  world = new RunWorld();
  world.pool('default', 'b:1');
});
afterEach(() => world[Symbol.asyncDispose]());

const tooLarge = apiError('PATCH x', 500, JSON.stringify({ message: 'etcdserver: request is too large' }));

test('a run goes its way; its scope is its namespace, its timeout the pool’s where it names none', async () => {
  world.pool('default', 'b:1', { defaultTimeout: '5m', maxTimeout: '10m' });
  await world.start();
  world.run('one');
  await world.until('one', 'Running');
  await eventually(() => world.builder.requests).toEqual([{ uid: 'one', timeoutMs: 300_000, scope: 'a' }]);
  world.builder.end('one');
  await world.until('one', 'Succeeded');
  world.run('long', { spec: { timeout: '2h' } });
  await eventually(() => world.builder.requests.at(-1)).toMatchObject({ uid: 'long', timeoutMs: 600_000 });
  const error = CodedError.of('RUN_TIMEOUT', 'the build took longer than 600 s');
  world.builder.end('long', { state: SolveState.FAILED, error: statusOfError(error) });
  await world.until('long', 'Failed');
  expect(world.get('long')?.failure?.message).toBe(
    'the build took longer than 600 s: maxTimeout of the BuilderPool default (give the build more time, or let it do less)',
  );
});

test('a builder is told what the pool bounds, and who set it', async () => {
  world.pool('default', 'b:1', {
    limits: { stepProcesses: 100, stepMemory: '512Mi', unpackedLayerBytes: '2Gi', contextBytes: '1Gi' },
  });
  await world.start();
  world.run('one');
  await eventually(() => world.builder.requests.at(-1)?.limits).toEqual({
    stepProcesses: 100,
    stepMemory: 512 * 2 ** 20,
    unpackedLayerBytes: 2 * 2 ** 30,
    unpackedLayerEntries: 0,
    contextBytes: 2 ** 30,
    setBy: 'the BuilderPool default',
  });
});

describe('a status that the API server refuses for good', () => {
  test('holds no place once its solve is over, whichever write it is', async () => {
    await world.start();
    for (const phase of ['Committing', 'Succeeded', 'Queued', 'Running']) {
      const name = `stuck-${phase.toLowerCase()}`;
      world.api.refuse = ({ object }) => {
        const { status } = object as BuildRun;
        if (object.metadata.name.startsWith('stuck') && status?.phase === phase) throw tooLarge;
      };
      world.run(name);
      const reached = () => world.api.calls.filter((call) => call === `apply buildruns ${name}`).length;
      if (phase === 'Committing' || phase === 'Succeeded') {
        await eventually(() => world.builder.calls).toContain(`start ${name}`);
        world.builder.end(name);
      }
      const before = reached();
      await eventually(reached).toBeGreaterThan(before + 2);
      world.run(`after-${name}`);
      await eventually(() => world.builder.calls).toContain(`start after-${name}`);
      world.builder.end(`after-${name}`);
      await world.until(`after-${name}`, 'Succeeded');
    }
  });

  test('is written with the least that must be known, when only its size is the matter', async () => {
    await world.start();
    world.api.refuse = ({ object }) => {
      if (JSON.stringify(object).length > 3000) throw tooLarge;
    };
    world.run('large');
    await world.until('large', 'Running');
    const error = new CodedError('unknown', `exit code: 1 ${'x'.repeat(4000)}`, { fault: 'user' });
    world.builder.end('large', {
      state: SolveState.FAILED,
      error: statusOfError(error),
      exitCode: 1,
      logTail: Buffer.from('y'.repeat(4000)),
    });
    await world.until('large', 'Failed');
    expect(world.get('large')?.failure).toMatchObject({ reason: 'StepFailed', class: 'user', exitCode: 1 });
    expect(world.get('large')?.failure?.message).toHaveLength(256);
  });
});

test('what builders and steps say comes without control characters, in status and Events', async () => {
  await world.start();
  world.run('odd');
  await world.until('odd', 'Running');
  const error = new CodedError('unknown', 'step \u001b[31mred\u001b[0m\u0000 \u202egnp.exe', { fault: 'user' });
  world.builder.end('odd', {
    state: SolveState.FAILED,
    error: statusOfError(error),
    exitCode: 1,
    logTail: Buffer.from('\u001b]0;title\u0007one\r\ntwo\u001b[2K\rthree\u0000\t\u{1f600}\ud83d'),
    slowestSteps: [{ name: 'a\u001b[1mb', durationMs: 1 }],
  });
  await world.until('odd', 'Failed');
  const status = world.get('odd');
  expect(status?.failure).toMatchObject({ message: 'step red gnp.exe', logTail: 'one\ntwo\nthree\t\u{1f600}\ufffd' });
  expect(status?.slowestSteps?.[0]?.name).toBe('ab');
  expect(`${JSON.stringify(status)}`).not.toMatch(/\\u00(?!0a)/);
  expect(world.told.join()).not.toContain('\u001b[');
});

describe('a record that somebody else has written', () => {
  const forged = (builder: string, pool: string, phase = 'Running') => ({
    phase,
    queuedAt: '2026-01-01T00:00:00Z',
    attempts: [{ number: 1, builder, pool, startedAt: '2026-01-01T00:00:00Z' }],
  });

  test.each([
    ['another pool than the run’s', forged('secret:1', 'secret')],
    ['a builder of another pool as one of its own', forged('secret:1', 'default')],
    ['no attempt at all', { phase: 'Running', queuedAt: '2026-01-01T00:00:00Z' }],
    ['tags as due on a builder of another pool', forged('secret:1', 'secret', 'Committing')],
  ])('names %s: nothing is begun there, and no place is taken', async (_, status) => {
    world.pool('secret', 'secret:1', { allowedNamespaces: ['a'] });
    world.run('forger', { namespace: 'b', status });
    await world.start();
    await world.until('forger', 'Failed', 'b');
    expect(world.get('forger', 'b')?.failure).toMatchObject({ class: 'policy', reason: 'PlaceNotAllowed' });
    world.run('rightful', { spec: { poolRef: { name: 'secret' } } });
    await eventually(() => world.builder.calls.filter((call) => !call.includes('rightful'))).toEqual([]);
    await world.until('rightful', 'Running');
  });

  test('a place in a pool that its namespace may not use', async () => {
    world.pool('secret', 'secret:1', { allowedNamespaces: ['a'] });
    world.run('forger', {
      namespace: 'b',
      spec: { poolRef: { name: 'secret' } },
      status: forged('secret:1', 'secret'),
    });
    await world.start();
    await world.until('forger', 'Failed', 'b');
    expect(world.builder.calls).toEqual([]);
  });
});

test('a pool that goes while a run is on it does not keep the run from its end', async () => {
  await world.start();
  world.run('late');
  await world.until('late', 'Running');
  world.api.delete('builderpools', { name: 'default' });
  expect([...world.reconciler.addresses]).toEqual(['b:1']);
  world.builder.end('late');
  await world.until('late', 'Succeeded');
  await eventually(() => [...world.reconciler.addresses]).toEqual([]);
});

test('answers that are lost cost a part of the grace, not the attempt', async () => {
  await using losing = new RunWorld({ builderGraceMs: 6000 });
  losing.pool('default', 'b:1');
  losing.builder.lost = 2;
  await losing.start();
  losing.run('one');
  await losing.until('one', 'Running');
  losing.builder.end('one');
  await losing.until('one', 'Succeeded');
  expect(losing.get('one')?.attempts).toHaveLength(1);
});

test('a builder that takes calls and answers none is given up after its grace', async () => {
  await world[Symbol.asyncDispose]();
  world = new RunWorld({ builderGraceMs: 1500 });
  world.pool('default', 'b:1');
  await world.start();
  world.run('frozen', { spec: { retry: { limit: 0 } } });

  await eventually(() => world.builder.calls).toContain('result frozen');
  world.builder.frozen = true;
  await eventually(() => world.get('frozen')?.phase).toBe('Error');
});

describe('a builder that is known to be gone is not waited for', () => {
  test.for(['Running', 'Committing'])('while a run is %s', async (phase) => {
    world.builder.slowCommits = true;
    await world.start();
    world.run('moved');
    await world.until('moved', 'Running');
    if (phase === 'Committing') {
      world.builder.end('moved');
      await eventually(() => world.builder.calls).toContain('commit moved');
    } else await eventually(() => world.builder.calls).toContain('result moved');
    world.builder.away = true;
    world.gone = 'the pod default-0 was evicted: the node n1 was low on memory';
    world.builder.cut();
    await eventually(() => world.get('moved')?.attempts?.[0]?.completedAt).toBeDefined();
    world.builder.away = false;
    world.builder.slowCommits = false;
    world.gone = undefined;
    expect(world.get('moved')?.attempts?.[0]).toMatchObject({
      reason: 'BuilderLost',
      message: expect.stringContaining('evicted'),
    });
    world.builder.end('moved');
    await world.until('moved', 'Succeeded');
    expect(world.get('moved')?.attempts?.[1]).toMatchObject({ reason: 'Succeeded' });
  });

  test('one of which that is said wrongly is heard', async () => {
    world.gone = 'the node n1 is not ready';
    await world.start();
    world.run('there');
    await world.until('there', 'Running');
    world.builder.end('there');
    await world.until('there', 'Succeeded');
    expect(world.get('there')?.attempts).toHaveLength(1);
  });
});

test('tags that take longer than the grace are waited for while their builder answers, and no longer', async () => {
  await using slow = new RunWorld({ builderGraceMs: 600 });
  slow.pool('default', 'b:1');
  slow.builder.slowCommits = true;
  await slow.start();
  slow.run('one', { spec: { retry: { limit: 0 } } });
  await eventually(() => slow.builder.calls).toContain('start one');
  slow.builder.end('one');
  await eventually(() => slow.builder.calls).toContain('commit one');
  const asked = () => slow.builder.calls.filter((call) => call === 'result one').length;
  const before = asked();
  await eventually(asked).toBeGreaterThan(before + 12);
  expect(slow.get('one')?.phase).toBe('Committing');
  slow.builder.frozen = true;
  await slow.until('one', 'Error');
});

test('a leader that lost its lease tells no builder any more of runs that are over or gone', async () => {
  await world.start();
  world.run('gone');
  await world.until('gone', 'Running');
  await eventually(() => world.builder.calls).toContain('result gone');
  world.builder.frozen = true;
  world.api.delete('buildruns', { namespace: 'a', name: 'gone' });
  await eventually(() => world.builder.calls).toContain('cancel gone');
  await world.reconciler.detach();
  expect(world.reconciler.active).toBe(0);
  const { length } = world.builder.calls;
  world.builder.frozen = false;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(world.builder.calls).toHaveLength(length);
});

test('a spec that is too large is refused by name before a builder is asked', async () => {
  await world.start();
  world.run('huge', { spec: { source: { inline: { files: { a: '<'.repeat(200_000) } } } } });
  await world.until('huge', 'Failed');
  expect(world.get('huge')?.failure).toMatchObject({ class: 'user', reason: 'SpecTooLarge' });
  expect(world.builder.calls).toEqual([]);
});
