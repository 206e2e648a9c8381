import { expect, test } from 'vitest';
import type { KnownRun } from '../known.ts';
import { parseQuantity } from './quantity.ts';
import { queuedRun } from './queued-run.ts';

const run = (number: number, status: object = {}, buildSpec: object = {}, more: object = {}): KnownRun =>
  ({
    metadata: { name: `r${number}`, namespace: 'n', uid: `u${number}` },
    spec: { number, buildRef: { name: 'app' }, buildSpec },
    status,
    ...more,
  }) as unknown as KnownRun;
const used = (memory: number, cpuMillis: number) => ({ used: { memory, cpuMillis, cpuSeconds: 1 } });

test('needs are those of the newest run before that told them, use is the most of those that are kept', () => {
  const earlier = [
    run(1, { ...used(5, 100), needs: 'AQ==' }),
    run(3, { needs: 'Aw==' }),
    run(2, { ...used(3, 900), needs: 'Ag==' }),
    run(4, { needs: 'BA==', ...used(99, 99) }),
  ];
  const queued = queuedRun(run(4, { work: 'sha256:w' }), earlier);
  expect([...(queued.needs ?? [])]).toEqual([3]);
  expect(queued).toMatchObject({ use: { memory: 5, cpus: 0.9 }, work: 'sha256:w', affinity: 'n/app' });
  expect(queuedRun(run(1)).use).toEqual({ memory: undefined, cpus: undefined });
});

test('what a Build asks for comes before what it used; Builds of one source are alike', () => {
  const asks = { resources: { requests: { memory: '2Gi', cpu: '1500m' } } };
  const queued = queuedRun(run(2, {}, asks, { alike: 'git' }), [run(1, used(1, 1))]);
  expect(queued).toMatchObject({ use: { memory: 2 ** 31, cpus: 1.5 }, affinity: 'n/git' });
});

test.each([
  ['1', 1],
  ['0.5', 0.5],
  ['250m', 0.25],
  ['1e3', 1000],
  ['2E', 2e18],
  ['1Ki', 1024],
  ['1.5Gi', 1.5 * 2 ** 30],
  ['-1', undefined],
  ['1 Gi', undefined],
  ['1Xi', undefined],
  ['', undefined],
])('a quantity of %j is %j', (text, value) => {
  expect(parseQuantity(text)).toBe(value);
});
