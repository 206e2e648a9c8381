import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { neverAborted, sleep, timeoutSignal } from './index.ts';

test.each([
  2 ** 31,
  30 * 24 * 3600_000,
  1200 * 3600_000,
  Number.POSITIVE_INFINITY,
])('what no timer can wait, %d ms, is not over at once', async (ms) => {
  const signal = timeoutSignal(ms);
  const stop = new AbortController();
  let over = false;
  const sleeping = sleep(ms, { signal: stop.signal }).finally(() => {
    over = true;
  });
  await delay(20);
  expect([signal.aborted, over]).toEqual([false, false]);
  stop.abort(new Error('enough'));
  await expect(sleeping).rejects.toThrow('enough');
});

test('parts of a millisecond are waited for, and less than nothing is nothing', async () => {
  for (const ms of [0.5, 0, -1]) {
    const signal = timeoutSignal(ms);
    await sleep(ms, { signal: neverAborted });
    await expect.poll(() => signal.aborted).toBe(true);
  }
});
