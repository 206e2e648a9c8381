import { expect, test } from 'vitest';
import { neverAborted } from '../../../base/index.ts';
import { slowMachine, WorkInTurns } from '../../../base/testing/turns.ts';
import { stepLayers } from './step-layers.ts';

test('the steps of a large graph are looked at in portions', async () => {
  using _slow = await slowMachine();
  const work = new WorkInTurns();
  const digests = {
    *[Symbol.iterator]() {
      for (let n = 0; n < 1000; n++) {
        work.count();
        yield [`sha256:wire-${n}`, `sha256:vertex-${n}`];
      }
    },
  };
  const job = { keyed: () => [], scope: { read: [] } };
  const context = { signal: neverAborted };
  expect(await stepLayers(job as never, { ref: { digests } } as never, [], {} as never, context as never)).toEqual([]);
  expect(work.most).toBeLessThan(50);
});
