import { expect, test } from 'vitest';
import { neverAborted } from './signals.ts';
import { inSlices, inTurn } from './slices.ts';

/** Turns of the event loop, until stopped. */
function countTurns() {
  let turns = 0;
  let stopped = false;
  const next = () => {
    turns++;
    if (!stopped) setImmediate(next);
  };
  setImmediate(next);
  const stop = () => {
    stopped = true;
  };
  return { turns: () => turns, stop };
}

test('work of several in slices is done first come first served, and one a turn where that takes its time', async () => {
  const order: string[] = [];
  const { turns, stop } = countTurns();
  const at = new Map<number, number>();
  await Promise.all(
    ['a', 'b', 'c'].map(
      (name) =>
        new Promise<void>((resolve) => {
          let left = 4;
          const go = () => {
            const until = performance.now() + 6;
            while (performance.now() < until);
            order.push(name);
            at.set(turns(), (at.get(turns()) ?? 0) + 1);
            if (--left > 0) inTurn(go);
            else resolve();
          };
          inTurn(go);
        }),
    ),
  );
  stop();
  expect(order.join('')).toBe('abcabcabcabc');
  expect(Math.max(...at.values())).toBe(1);
});

test('what takes next to nothing waits for no turns of others', async () => {
  const { turns, stop } = countTurns();
  let left = 1000;
  await Promise.all(Array.from({ length: left }, () => new Promise<void>(inTurn).then(() => left--)));
  stop();
  expect(left).toBe(0);
  expect(turns()).toBeLessThan(500);
});

test('one that is aborted while it waits for its turn does not go on', async () => {
  const controller = new AbortController();
  let steps = 0;
  const work = function* () {
    for (;;) {
      steps++;
      const until = performance.now() + 6;
      while (performance.now() < until);
      yield;
    }
  };
  const working = inSlices(work(), { signal: controller.signal });
  controller.abort(new Error('left'));
  await expect(working).rejects.toThrow('left');
  expect(steps).toBe(1);
  await expect(inSlices([][Symbol.iterator]() as never, { signal: neverAborted })).resolves.toBeUndefined();
});
