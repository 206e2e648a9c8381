import { expect, test } from 'vitest';
import { neverAborted } from '../base/index.ts';
import { leastLongestTurn, slowMachine, WorkInTurns } from '../base/testing/turns.ts';
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

/** So many vertices, or inputs of one, may hold up nobody. */
const MANY = 100_000;
const LONG_MS = 20;

const failing = () =>
  sum('source', [], {
    compute: () => {
      throw new Error('it cannot be had');
    },
  });

function failingChain(): IntegerVertex {
  let top = failing();
  for (let n = 1; n < MANY; n++) top = sum(`${n}`, [top]);
  return top;
}

function fanOn(source: IntegerVertex): IntegerVertex {
  return sum(
    'all',
    Array.from({ length: MANY }, (_, n) => sum(`${n}`, [source])),
  );
}

test.each([
  ['a chain that fails at its root', failingChain, 'it cannot be had'],
  ['one op on very many that stand on one source, which fails', () => fanOn(failing()), 'it cannot be had'],
  ['one op of very many inputs, which are few', () => wide(MANY, 100), undefined],
])('no turn of the thread computes for long: %s', async (_, make, failure) => {
  const vertex = make();
  const turn = await leastLongestTurn(async () => {
    const world = new IntegerWorld();
    world.atOnce = true;
    return async () => {
      if (failure === undefined) await build(world, vertex);
      else await expect(build(world, vertex)).rejects.toThrow(failure);
    };
  });
  expect(turn).toBeLessThan(LONG_MS);
});

test('no turn of the thread computes for long, whatever number of vertices a graph has that three watch', async () => {
  const told: number[] = [];
  const turn = await leastLongestTurn(async () => {
    const world = new IntegerWorld();
    let layer = Array.from({ length: 300 }, (_, i) => constant(i));
    for (let depth = 0; depth < 9; depth++)
      layer = layer.map((below, i) => sum(`${depth} ${i}`, [below, layer[(i + 1) % 300]!], { compute: ([n]) => n! }));
    const job = newJob(world.solver());
    return async () => {
      const watching = [1, 2, 3].map(async (watcher) => {
        told[watcher] = 0;
        for await (const events of job.watch({ signal })) told[watcher]! += events.length;
      });
      const { result } = await job.build({ vertex: sum('all', layer), index: 0 }, { signal });
      await result.release();
      await job.close();
      await Promise.all(watching);
    };
  });
  for (const watcher of [1, 2, 3]) expect(told[watcher]).toBeGreaterThan(3000);
  expect(turn).toBeLessThan(LONG_MS);
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
