import { expect, test } from 'vitest';
import { parseBuild } from '../../resources/index.ts';
import { buildLimits, stepResources } from './build-limits.ts';

const resources = (limits: object) =>
  stepResources(
    parseBuild(
      JSON.stringify({
        ...{ apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name: 'x' } },
        spec: { dockerfile: { inline: 'FROM scratch' }, resources: { limits } },
      }),
      'b.json',
    ).spec,
    'ns/x',
  );

test('what a Build bounds of its steps is told in the builder’s units', () => {
  expect(resources({ cpu: '1.5', memory: '2Gi', pids: 100 })).toEqual({
    ...{ stepCpuMillis: 1500, stepMemory: 2 * 2 ** 30, stepProcesses: 100, setBy: 'the Build ns/x' },
  });
  expect(resources({ cpu: '50m' })).toMatchObject({ stepCpuMillis: 50, stepMemory: 0 });
  expect(stepResources({}, 'ns/x')).toBeUndefined();
});

test.each([
  { cpu: '0' },
  { cpu: '1m' },
  { cpu: '-1' },
  { cpu: '1e3' },
  { memory: '5' },
  { pids: 0 },
  { gpu: 1 },
])('a quantity that is none is refused: %j', (limits) => {
  expect(() => resources(limits)).toThrow(/spec\.resources\.limits/);
});

test('a pool bounds cores, too', () => {
  const pool = { metadata: { name: 'ci' }, spec: { limits: { stepCpu: '500m' } } };
  expect(buildLimits(pool as Parameters<typeof buildLimits>[0])).toMatchObject({
    ...{ stepCpuMillis: 500, setBy: 'the BuilderPool ci' },
  });
});
