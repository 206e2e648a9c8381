import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silentLogger } from '../../base/index.ts';
import { Controller } from './controller.ts';
import type { Reconcile } from './ports.ts';

const over = new AbortController();
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function start(reconcile: Reconcile, workers = 2) {
  const controller = new Controller({ name: 't', reconcile, workers, log: silentLogger });
  const stop = new AbortController();
  const running = controller.run({ signal: AbortSignal.any([over.signal, stop.signal]) });
  return { controller, stop: () => stop.abort(), running };
}

const tick = () => vi.advanceTimersByTimeAsync(0);

test('a key is in work once, and comes again when it was added meanwhile', async () => {
  const calls: string[] = [];
  const gates: (() => void)[] = [];
  const { controller } = start(async (key) => {
    calls.push(key);
    await new Promise<void>((resolve) => gates.push(resolve));
    return undefined;
  });
  controller.add('a');
  controller.add('a');
  await tick();
  controller.add('a');
  controller.add('a');
  await tick();
  expect(calls).toEqual(['a']);
  gates.shift()?.();
  await tick();
  expect(calls).toEqual(['a', 'a']);
  gates.shift()?.();
  await tick();
  expect(calls).toHaveLength(2);
});

test('no more are in work than there are workers', async () => {
  let now = 0;
  let most = 0;
  const { controller } = start(async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 10));
    now--;
    return undefined;
  }, 3);
  for (let at = 0; at < 50; at++) controller.add(String(at));
  await vi.advanceTimersByTimeAsync(1000);
  expect(most).toBe(3);
  expect(controller.size).toBe(0);
});

test('a failure comes again, ever later, and success starts anew', async () => {
  const at: number[] = [];
  let fail = true;
  const { controller } = start(async () => {
    at.push(performance.now());
    if (fail) throw new Error('no');
    return undefined;
  });
  controller.add('a');
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  const gaps = at.slice(1).map((time, index) => time - (at[index] as number));
  expect(gaps.length).toBeGreaterThan(10);
  expect(gaps[0]).toBeLessThanOrEqual(50);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(60_000);
  expect(gaps.at(-1)).toBeGreaterThanOrEqual(30_000);
  fail = false;
  await vi.advanceTimersByTimeAsync(60_000);
  const count = at.length;
  await vi.advanceTimersByTimeAsync(600_000);
  expect(at).toHaveLength(count);
});

test('later means once, at the earliest wish', async () => {
  let calls = 0;
  const { controller } = start(async () => {
    calls++;
    return undefined;
  });
  controller.addAfter('a', 5000);
  controller.addAfter('a', 1000);
  controller.addAfter('a', 9000);
  await vi.advanceTimersByTimeAsync(999);
  expect(calls).toBe(0);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(calls).toBe(1);
});

test('the end waits for what is in work, and begins nothing', async () => {
  let done = false;
  const { controller, stop, running } = start(async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    done = true;
    return undefined;
  });
  controller.add('a');
  await tick();
  stop();
  controller.add('b');
  await vi.advanceTimersByTimeAsync(200);
  await running;
  expect(done).toBe(true);
  expect(controller.size).toBe(1);
});

test('a wish that is no time, or beyond what timers know, is no endless loop', async () => {
  let calls = 0;
  let wish = Number.NaN;
  const { controller } = start(async () => {
    calls++;
    return { requeueAfterMs: wish };
  });
  for (const odd of [Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40]) {
    wish = odd;
    controller.add('a');
    await vi.advanceTimersByTimeAsync(59 * 60_000);
  }
  expect(calls).toBeLessThanOrEqual(6);
});

test('what fails again and again is told, and that it does no more', async () => {
  const told: string[] = [];
  let error: Error | undefined = new Error('no');
  const controller = new Controller({
    name: 't',
    reconcile: async () => {
      if (error !== undefined) throw error;
      return undefined;
    },
    workers: 1,
    log: silentLogger,
    onTrouble: (key, trouble) => told.push(`${key} ${trouble?.message ?? 'well'}`),
  });
  const stop = new AbortController();
  const running = controller.run({ signal: stop.signal });
  controller.add('a');
  await vi.advanceTimersByTimeAsync(100);
  expect(told).toEqual([]);
  await vi.advanceTimersByTimeAsync(5000);
  expect(told[0]).toBe('a no');
  error = undefined;
  await vi.advanceTimersByTimeAsync(120_000);
  expect(told.at(-1)).toBe('a well');
  const { length } = told;
  controller.add('a');
  await vi.advanceTimersByTimeAsync(1000);
  expect(told).toHaveLength(length);
  stop.abort();
  await running;
});
