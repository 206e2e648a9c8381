import { availableParallelism } from 'node:os';
import { afterEach, expect, test, vi } from 'vitest';
import { cancelledError, HOUSE, neverAborted } from '../../base/index.ts';
import { BestEffort, Pacer } from './best-effort.ts';
import { WorkerPool } from './pool.ts';
import { siblingModule } from './sibling-module.ts';
import { tasksOf } from './task.ts';

const task = tasksOf<typeof import('../testdata/tasks.ts')>(siblingModule(import.meta.url, '../testdata/tasks'));

afterEach(() => {
  vi.restoreAllMocks();
});

test('what nobody waits for leaves cores to others, until somebody does', async () => {
  const cores = availableParallelism();
  await using pool = new WorkerPool({ name: 'test', threads: cores + 2 });
  const over = new AbortController();
  const others = Array.from({ length: cores }, () =>
    pool.run(task('spin'), undefined, { signal: over.signal, owner: HOUSE }),
  );
  const stop = new SharedArrayBuffer(4);
  const used = { asked: 0, unasked: 0 };
  const start = (which: 'asked' | 'unasked', bestEffort?: BestEffort) =>
    pool.run(task('compute'), stop, {
      ...{ signal: neverAborted, owner: HOUSE, bestEffort },
      onMessage: (ms) => {
        used[which] = ms as number;
      },
    });
  const bestEffort = new BestEffort();
  const running = [start('asked'), start('unasked', bestEffort)];
  await expect.poll(() => used.asked).toBeGreaterThan(500);
  expect(used.unasked).toBeLessThan(used.asked / 3);

  bestEffort.hurry();
  const before = { ...used };
  await expect.poll(() => used.unasked).toBeGreaterThan(before.unasked + 500);
  // They may have shared the cores unevenly with those others for a while.
  expect(used.asked - before.asked).toBeLessThan(8 * (used.unasked - before.unasked));
  Atomics.store(new Int32Array(stop), 0, 1);
  await Promise.all(running);
  over.abort(cancelledError());
  await Promise.allSettled(others);
});

/** Paces through so many slices of a thread that waits so long for each, and says how long each pause was to be. */
function pauses(slices: number, waited: number | undefined): number[] {
  let ran = 0;
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 10;
    return now;
  });
  const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
  const meter = {
    read: () => {
      ran += 10;
      return waited === undefined ? undefined : { ran, waited: (ran / 10) * waited };
    },
    [Symbol.dispose]: () => {},
  };
  using pacer = new Pacer(new BestEffort().flag, meter);
  for (let n = 0; n < slices; n++) pacer.pace();
  return wait.mock.calls.map(([, , , ms]) => ms as number);
}

test('on a core that nobody else wants it never pauses; on one that others want, ever longer', () => {
  expect(pauses(50, 0.5)).toEqual([]);
  const crowded = pauses(50, 10);
  expect(crowded.slice(0, 3)).toEqual([25, 50, 100]);
  expect(new Set(crowded.slice(-20))).toEqual(new Set([800]));
});

test('a kernel that does not count is taken for one where others want the core', () => {
  expect(pauses(2, undefined)).toEqual([25, 50]);
});

test('a pause ends with an abort', async () => {
  await using pool = new WorkerPool({ name: 'test', threads: 1 });
  const controller = new AbortController();
  const bestEffort = new BestEffort();
  const running = pool.run(task('spin'), undefined, { signal: controller.signal, owner: HOUSE, bestEffort });
  controller.abort(cancelledError('enough'));
  await expect(running).rejects.toThrow('enough');
  expect(new Int32Array(bestEffort.flag)[0]).toBe(1);
});
