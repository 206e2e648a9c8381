import { expect, test } from 'vitest';
import { StepsUsed } from './steps-used.ts';

const owner = { tenant: 't', build: 'b' };
const use = (from: number, to: number, memory: number | undefined, cpuMs: number | undefined = 10) => ({
  ...{ from, to, memory, cpuMs },
});

test('memory is that of the steps that ran at once, CPU that of all; each build is told once', () => {
  const used = new StepsUsed();
  used.note(owner, use(0, 10, 5));
  used.note(owner, use(10, 20, 6));
  used.note(owner, use(15, 30, 3));
  used.note(owner, use(29, 31, 4));
  used.note({ tenant: 't', build: 'other' }, use(0, 99, 100));
  expect(used.take(owner)).toEqual({ peakMemory: 9, cpuMs: 40 });
  expect(used.take(owner)).toBeUndefined();
});

test('what the machine does not count is left out', () => {
  const used = new StepsUsed();
  used.note(owner, { ...use(0, 1, undefined), cpuMs: undefined });
  expect(used.take(owner)).toEqual({ peakMemory: 0, cpuMs: 0 });
});
