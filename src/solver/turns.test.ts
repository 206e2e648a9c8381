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
  expect(Math.min(...rounds)).toBeLessThan(20);
});

test('no turn of the thread computes for long, whatever number of vertices a graph has that three watch', async () => {
  const rounds: number[] = [];
  while (rounds.length < 3 && !rounds.some((ms) => ms < 20)) {
    const world = new IntegerWorld();
    let layer = Array.from({ length: 300 }, (_, i) => constant(i));
    for (let depth = 0; depth < 9; depth++)
      layer = layer.map((below, i) => sum(`${depth} ${i}`, [below, layer[(i + 1) % 300]!], { compute: ([n]) => n! }));
    const told: number[] = [];
    rounds.push(
      await longestTurn(async () => {
        const job = newJob(world.solver());
        const watching = [1, 2, 3].map(async (watcher) => {
          told[watcher] = 0;
          for await (const events of job.watch({ signal })) told[watcher]! += events.length;
        });
        const { result } = await job.build({ vertex: sum('all', layer), index: 0 }, { signal });
        await result.release();
        await job.close();
        await Promise.all(watching);
      }),
    );
    for (const watcher of [1, 2, 3]) expect(told[watcher]).toBeGreaterThan(3000);
  }
  expect(Math.min(...rounds)).toBeLessThan(20);
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
