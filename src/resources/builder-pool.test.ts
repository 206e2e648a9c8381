import { expect, test } from 'vitest';
import { builderPoolSpec } from './builder-pool.ts';
import { parseByteSize } from './byte-size.ts';

const limited = (limits: object) => builderPoolSpec.safeParse({ endpoints: [], limits }).success;

test('a pool’s limits are counts and sizes as Kubernetes writes them', () => {
  expect(limited({})).toBe(true);
  const all = {
    stepProcesses: 500,
    stepMemory: '512Mi',
    unpackedLayerBytes: '20Gi',
    unpackedLayerEntries: 100_000,
    contextBytes: '5Gi',
  };
  expect(limited(all)).toBe(true);
  for (const size of ['0Gi', '1', '1GB', '1.5Gi', '50%', '', '1000000Gi', '1000Ti', ' 1Gi'])
    expect([size, limited({ stepMemory: size })]).toEqual([size, false]);
  for (const wrong of [{ stepProcesses: 0 }, { unpackedLayerEntries: 1.5 }, { stepTime: '1s' }])
    expect(limited(wrong)).toBe(false);
  expect(['1Mi', '3Gi', '999Ti'].map(parseByteSize)).toEqual([2 ** 20, 3 * 2 ** 30, 999 * 2 ** 40]);
});
