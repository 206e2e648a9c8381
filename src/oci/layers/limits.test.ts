import { expect, test } from 'vitest';
import { DEFAULT_UNPACK_LIMITS, unpackLimit, unpackLimitsFor } from './limits.ts';

test('of the builder’s and the build’s limits the stricter holds, by its own name', () => {
  const own = { maxUnpackedBytes: 100, maxUnpackedEntries: 10 };
  const limits = unpackLimitsFor(
    {
      unpackedLayerBytes: { most: 50, name: 'bytes of ci' },
      unpackedLayerEntries: { most: 20, name: 'entries of ci' },
    },
    own,
  );
  expect(unpackLimit('maxUnpackedBytes', limits)).toMatchObject({
    message: 'it unpacks to more than 50 bytes (bytes of ci)',
    hint: 'whoever runs the builder can raise bytes of ci',
  });
  expect(unpackLimit('maxUnpackedEntries', limits).message).toBe(
    'it unpacks to more than 10 entries (maxUnpackedEntries)',
  );
  expect(unpackLimitsFor({})).toEqual(DEFAULT_UNPACK_LIMITS);
});
