import { expect, test } from 'vitest';
import { isDivisible, isSplit, partOf, platformWanted } from './parts.ts';

const BOTH = ['linux/amd64', 'linux/arm64'];

test.each([
  ['a builder of each', [['linux/amd64'], ['linux/arm64']], true],
  ['a builder of each, of which one emulates the other', [['linux/amd64', 'linux/arm64'], ['linux/arm64']], true],
  ['one that has both', [['linux/amd64', 'linux/arm64']], false],
  ['one that has both beside others like it', [['linux/amd64', 'linux/arm64'], ['linux/amd64']], false],
  [
    'each as an emulation of another',
    [
      ['linux/s390x', 'linux/amd64'],
      ['linux/riscv64', 'linux/arm64'],
    ],
    true,
  ],
  ['one of which there is none', [['linux/amd64']], false],
  ['nobody', [], false],
])('platforms are built apart, or as a whole: %s', (_, offers, split) => {
  expect(isSplit(BOTH, offers)).toBe(split);
});

test('a builder is asked for what is built next', () => {
  const offers = [['linux/amd64'], ['linux/arm64', 'linux/arm/v7']];
  const parts = (...digests: (string | undefined)[]) => ({
    parts: BOTH.map((platform, at) => ({ platform, ...(digests[at] === undefined ? {} : { digest: digests[at] }) })),
  });
  expect(platformWanted(BOTH, parts(), offers)).toBe('linux/amd64');
  expect(platformWanted(BOTH, parts('sha256:a'), offers)).toBe('linux/arm64');
  expect(platformWanted(BOTH, parts('sha256:a', 'sha256:b'), offers)).toBeUndefined();
  expect(partOf(parts('sha256:a', 'sha256:b'))).toBe('index');
  expect(platformWanted(['linux/arm64', 'linux/arm/v7'], {}, offers)).toBe('linux/arm64,linux/arm/v7');
  // What runs nothing is built anywhere.
  expect(platformWanted(['linux/s390x'], {}, offers)).toBeUndefined();
  expect(platformWanted([], {}, offers)).toBeUndefined();
});

test('what cannot be put together again stays whole', () => {
  const outputs = [{ image: 'r/a' }];
  expect(isDivisible({ platforms: BOTH, outputs })).toBe(true);
  expect(isDivisible({ platforms: BOTH })).toBe(false);
  expect(isDivisible({ platforms: BOTH, outputs: [...outputs, ...outputs] })).toBe(false);
  expect(isDivisible({ platforms: BOTH, outputs, attestations: { sbom: {} } })).toBe(false);
  expect(isDivisible({ platforms: ['linux/amd64'], outputs })).toBe(false);
});
