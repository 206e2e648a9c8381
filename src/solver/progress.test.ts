import { expect, test } from 'vitest';
import { digestOf, neverAborted as signal, systemClock } from '../base/index.ts';
import { progressMemory } from './event-buffer.ts';
import type { OpContext, VertexState } from './ports.ts';
import { BuildProgress, VertexHistory } from './progress.ts';
import { constant, type IntegerVertex, IntegerWorld, newJob, sum, vertex } from './testing/integer-world.ts';

/** States of the vertices as a watcher of one build is told them, by name. */
async function told(world: IntegerWorld, target: IntegerVertex): Promise<ReadonlyMap<string, readonly VertexState[]>> {
  const job = newJob(world.solver());
  const states = new Map<string, VertexState[]>();
  const watching = (async () => {
    for await (const batch of job.watch({ signal }))
      for (const event of batch)
        if (event.kind === 'vertex')
          states.set(event.vertex.name, [...(states.get(event.vertex.name) ?? []), event.vertex]);
  })();
  const built = await job.build({ vertex: target, index: 0 }, { signal }).catch(() => undefined);
  await built?.result.release();
  await job.close();
  await watching;
  return states;
}

const ends = (states: readonly VertexState[] = []) => states.filter(({ completed }) => completed !== undefined);

test('a step is said to end once, though it is asked for its key before it runs', async () => {
  const world = new IntegerWorld();
  const graph = sum('top', [sum('middle', [constant(1)], { contentOf: [0] })]);
  const first = await told(world, graph);
  expect([...first].map(([name, states]) => [name, ends(states).length])).toEqual([
    ['constant 1', 1],
    ['middle', 1],
    ['top', 1],
  ]);
  // Found by its key alone: cached, and no more than that.
  const second = await told(world, graph);
  expect([...second].map(([name, states]) => [name, ends(states).map(({ cached }) => cached)])).toEqual([
    ['constant 1', [true]],
    ['middle', [true]],
    ['top', [true]],
  ]);
});

test('a step whose content cannot be read is shown as failed', async () => {
  const world = new IntegerWorld();
  const top = sum('copy', [constant(1)], { contentOf: [0] });
  world.gate = async (what) => {
    if (what.startsWith('digest')) throw new Error('not found');
  };
  const states = await told(world, top);
  expect(states.get('copy')?.at(-1)).toMatchObject({ error: 'not found', completed: expect.any(Number) });
});

test('who wants what another build runs already is shown what it has printed so far, and from then on', async () => {
  const world = new IntegerWorld();
  const solver = world.solver();
  const [printed, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const op = {
    cacheName: 'step',
    compute: async (_: readonly number[], { progress }: OpContext) => {
      progress.log(1, Buffer.from('before'));
      progress.status({ id: 'row', current: 1, total: 2 });
      printed.resolve();
      await go.promise;
      progress.log(1, Buffer.from('after'));
      return 1;
    },
  };
  const want = (label: string) => {
    const job = newJob(solver);
    const target = vertex(op, [constant(1)], { label });
    const shown = (async () => {
      const watching = Array.fromAsync(job.watch({ signal }));
      const { result } = await job.build({ vertex: target, index: 0 }, { signal });
      await result.release();
      await job.close();
      const events = (await watching).flat().filter((event) => event.kind === 'log' || event.kind === 'status');
      return events.map((event) => [event.vertex === target.digest, event.kind === 'log' ? `${event.data}` : event.id]);
    })();
    return { shown, runs: () => job.progress.stateOf(target.digest)?.started !== undefined };
  };
  const first = want('step');
  await printed.promise;
  const second = want('the same step of another build');
  await expect.poll(second.runs).toBe(true);
  go.resolve();
  const all = ['before', 'row', 'after'].map((what) => [true, what]);
  expect(await first.shown).toEqual(all);
  expect(await second.shown).toEqual(all);
  expect(world.ran.filter((name) => name === 'step')).toEqual(['step']);
});

test('a build that is over is told nothing of what others do with its steps, whenever it looks', async () => {
  const memory = progressMemory();
  const state = { digest: digestOf('step'), inputs: [], name: 'step', cached: false };
  let now = 0;
  const history = new VertexHistory(state, { now: () => ++now }, memory);
  const [first, second] = [new BuildProgress(memory), new BuildProgress(memory)];
  using _kept = first.retain();
  for (const build of [first, second]) build.add(history);
  history.start();
  const live = Array.fromAsync(first.watch({ signal }));
  const closing = first.close();
  closing.next();
  // Between two of its slices.
  history.complete();
  history.start();
  for (const _ of closing);
  const statesOf = (batches: Awaited<typeof live>) =>
    batches.flat().flatMap((event) => (event.kind === 'vertex' ? [event.vertex] : []));
  const expected = [
    state,
    { ...state, started: 1 },
    { ...state, started: 1, completed: expect.any(Number), error: 'context canceled' },
  ];
  expect(statesOf(await live)).toEqual(expected);
  expect(statesOf(await Array.fromAsync(first.watch({ signal })))).toEqual(expected);
});

test('what a step has printed counts until the last build that may show it is over and retained by nobody', async () => {
  const memory = progressMemory();
  const state = { digest: digestOf('step'), inputs: [], name: 'step', cached: false };
  const history = new VertexHistory(state, systemClock, memory);
  const [first, second] = [new BuildProgress(memory), new BuildProgress(memory)];
  for (const build of [first, second]) build.add(history);
  const retained = first.retain();
  history.progress.log(1, Buffer.alloc(100_000, 'x'));
  const reading = second.watch({ signal });
  await reading.next();
  history.progress.log(1, Buffer.alloc(100_000, 'x'));
  // A watcher that goes away in the middle gives back what waited for it.
  expect(memory.watchers.used).toBeGreaterThan(100_000);
  await reading.return();
  expect(memory.watchers.used).toBe(0);
  for (const _ of first.close());
  expect(first.logsOf(state.digest)).toHaveLength(2);
  retained[Symbol.dispose]();
  expect(second.logsOf(state.digest)).toHaveLength(2);
  for (const _ of second.close());
  expect(memory.histories.used).toBe(0);
  expect([...second.states()]).toMatchObject([{ name: 'step' }]);
});

test('who records a build is told all of it, what is not for the eye too, and steps wait for it to be read', async () => {
  const memory = progressMemory();
  const history = new VertexHistory(
    { digest: digestOf('step'), inputs: [], name: 'step', cached: false },
    systemClock,
    memory,
  );
  const [build, late] = [new BuildProgress(memory), new BuildProgress(memory)];
  const recording = build.record();
  for (const each of [build, late]) each.add(history);
  const { progress } = history;
  expect(progress.log(1, Buffer.from('shown '))).toBe(undefined);
  expect(progress.log(1, Buffer.from('[clipped] '), 'watchers')).toBe(undefined);
  const waits = progress.log(1, Buffer.alloc(2 << 20, 'x'), 'records');
  expect(build.logsOf(history.state.digest).map(String)).toEqual(['shown ', '[clipped] ']);
  const text = (async () => {
    let all = '';
    for await (const batch of recording.batches({ signal }))
      for (const event of batch) if (event.kind === 'log') all += Buffer.from(event.data).toString();
    return all;
  })();
  await waits;
  for (const _ of build.close());
  expect(await text).toBe(`shown ${'x'.repeat(2 << 20)}`);
  expect(memory.recordings.used).toBe(0);
  // Once nobody reads it, nobody waits.
  const unread = late.record().batches({ signal });
  await unread.next();
  await unread.return();
  expect(progress.log(1, Buffer.alloc(2 << 20, 'x'))).toBe(undefined);
});
