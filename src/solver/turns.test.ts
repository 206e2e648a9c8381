import { expect, test } from 'vitest';
import { neverAborted } from '../base/index.ts';
import { longestTurn, slowMachine, WorkInTurns } from '../base/testing/turns.ts';
import { constant, type IntegerVertex, IntegerWorld, newJob, sum } from './testing/integer-world.ts';

const signal = neverAborted;

/** An op of very many inputs, which are few vertices. */
function wide(inputs: number, vertices: number): IntegerVertex {
  const all = Array.from({ length: vertices }, (_, i) => constant(i));
  return sum(
    'all',
    Array.from({ length: inputs }, (_, i) => all[i % vertices]!),
  );
}

async function build(world: IntegerWorld, vertex: IntegerVertex): Promise<number> {
  await using job = newJob(world.solver());
  const { result } = await job.build({ vertex, index: 0 }, { signal });
  const { value } = result;
  await result.release();
  return value;
}

test('no turn of the thread computes for long, whatever number of inputs an op has', async () => {
  const rounds: number[] = [];
  for (let round = 0; round < 3; round++) {
    const world = new IntegerWorld();
    const vertex = wide(30_000, 100);
    rounds.push(await longestTurn(() => build(world, vertex)));
  }
  expect(Math.min(...rounds)).toBeLessThan(50);
});

test('an op of many inputs is looked up, prepared and entered in portions, and so it is found again', async () => {
  using _slow = await slowMachine();
  const world = new IntegerWorld();
  const work = new WorkInTurns();
  for (const name of ['links', 'addLink'] as const) {
    const call = world.keys[name].bind(world.keys) as (...args: unknown[]) => never;
    world.keys[name] = (...args: unknown[]) => {
      work.count();
      return call(...args);
    };
  }
  const vertex = wide(5000, 20);
  const value = await build(world, vertex);
  expect(world.ran).toContain('all');
  world.ran.length = 0;
  expect(await build(world, vertex)).toBe(value);
  expect(world.ran).toEqual([]);
  expect(work.most).toBeLessThan(1000);
});
