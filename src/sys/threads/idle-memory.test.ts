import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { IdleMemory } from './idle-memory.ts';

const collected = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('gc', collected);
  collected.mockClear();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test.each([
  { serving: false },
  { serving: true },
])('memory is given back once there was nothing to do for a while, and not before (%o)', (options) => {
  const memory = new IdleMemory(options);
  memory.idle();
  vi.advanceTimersByTime(9000);
  memory.busy();
  vi.advanceTimersByTime(60_000);
  memory.idle();
  vi.advanceTimersByTime(9000);
  expect(collected).not.toHaveBeenCalled();
  vi.advanceTimersByTime(60_000);
  expect(collected).toHaveBeenCalledTimes(2);
});
