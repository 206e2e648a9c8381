import { expect, test } from 'vitest';
import { areLooser, NO_LIMITS, sharedLimits } from './build-limits.ts';

const limit = (most: number, name = 'one') => ({ most, name });

test('builds that share work have the loosest of their limits, each by the name of who set it', () => {
  const tight = { stepProcesses: limit(10, 'a'), stepMemory: limit(500, 'a'), unpackedLayerBytes: limit(1, 'a') };
  const loose = { stepProcesses: limit(20, 'b'), stepMemory: limit(400, 'b') };
  expect(sharedLimits([tight])).toEqual(tight);
  expect(sharedLimits([tight, loose])).toEqual({ stepProcesses: limit(20, 'b'), stepMemory: limit(500, 'a') });
  expect(sharedLimits([tight, loose, NO_LIMITS])).toEqual(NO_LIMITS);
  expect(sharedLimits([])).toEqual(NO_LIMITS);
});

test('limits are looser where one of them is', () => {
  expect(areLooser(NO_LIMITS, { stepMemory: limit(1) })).toBe(true);
  expect(areLooser({ stepMemory: limit(2), stepProcesses: limit(1) }, { stepMemory: limit(1) })).toBe(true);
  expect(areLooser({ stepMemory: limit(1) }, { stepMemory: limit(1) })).toBe(false);
  expect(areLooser({ stepMemory: limit(1) }, NO_LIMITS)).toBe(false);
  expect(areLooser(NO_LIMITS, NO_LIMITS)).toBe(false);
});
