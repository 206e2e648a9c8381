import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { neverAborted } from '../base/index.ts';
import { type KeyedVertex, LostResultError } from './ports.ts';
import { constant, IntegerWorld, newJob, sum } from './testing/integer-world.ts';

const signal = neverAborted;

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

test('who keeps what explains a step holds nothing of its execution', async () => {
  const world = new IntegerWorld();
  const kept: (() => KeyedVertex | undefined)[] = [];
  const executions: WeakRef<object>[] = [];
  const vertex = sum('top', [constant(1), constant(2)], {
    compute: (_, context) => {
      executions.push(new WeakRef(context.signal));
      return 3;
    },
  });
  await using job = newJob(world.solver([{ missed: ({ keyed }) => void kept.push(keyed) }]));
  const { result } = await job.build({ vertex, index: 0 }, { signal });
  const collect = collector();
  for (let turn = 0; turn < 20 && executions[0]!.deref() !== undefined; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    collect();
  }
  expect(executions.map((each) => each.deref())).toEqual([undefined]);
  expect(kept.map((keyed) => keyed()?.name)).toContain('top');
  await result.release();
});

test('what was found again tells by which keys it was, also once its search is forgotten', async () => {
  const world = new IntegerWorld();
  const vertex = sum('top', [constant(1), constant(2)]);
  for (const outcome of ['run', 'found']) {
    await using job = newJob(world.solver());
    const { result, keys } = await job.build({ vertex, index: 0 }, { signal });
    const top = [...job.keyed()].find((keyed) => keyed?.name === 'top');
    expect(top?.outputs).toMatchObject([{ outcome: { kind: outcome }, keys }]);
    expect(top?.outputs[0]?.ground.map((ways) => ways.length)).toEqual([1, 1]);
    await result.release();
  }
});

test('an op that went when it had made something is made anew where that is lost', async () => {
  const world = new IntegerWorld();
  world.atOnce = true;
  const vertex = sum('top', [constant(1), constant(2)]);
  const solver = world.solver();
  await using job = newJob(solver);
  let uses = 0;
  const value = await job.use(
    [{ vertex, index: 0 }],
    async ([built]) => {
      if (uses++ === 0) throw new LostResultError(built!.result.id, 'lost');
      return built!.result.value;
    },
    { signal },
  );
  expect(value).toBe(3);
  expect(world.ran.filter((name) => name === 'top')).toHaveLength(2);
});
