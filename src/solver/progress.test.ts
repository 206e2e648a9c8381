import { expect, test } from 'vitest';
import { neverAborted as signal } from '../base/index.ts';
import type { VertexState } from './ports.ts';
import { constant, type IntegerVertex, IntegerWorld, newJob, sum } from './testing/integer-world.ts';

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
