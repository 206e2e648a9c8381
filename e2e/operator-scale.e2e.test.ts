import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OperatorWorld, startOperatorWorld } from './support/operator.ts';
import { type SimulatedBuilder, startSimulatedBuilder } from './support/simulated-builder.ts';
import { tempFolder } from './support/temp-folder.ts';

const QUEUED = 500;
const OBJECTS = 5000;
const PLACES = 8;

const work = tempFolder('operator-scale');
let world: OperatorWorld;
const builders: SimulatedBuilder[] = [];

beforeAll(async () => {
  world = await startOperatorWorld(work.path, { builders: 0 });
  for (let at = 0; at < 2; at++) builders.push(await startSimulatedBuilder({ capacity: PLACES, tookMs: 200 }));
  const endpoints = builders.map(({ address }) => ({ address }));
  await world.cluster.must(['apply', '-f', '-'], {
    input: JSON.stringify({
      ...{ apiVersion: 'slipway.build/v1alpha1', kind: 'BuilderPool' },
      ...{ metadata: { name: 'default' }, spec: { endpoints } },
    }),
  });
});

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  for (const builder of builders) await builder[Symbol.asyncDispose]();
  work[Symbol.dispose]();
});

async function apply(names: readonly string[], spec: object): Promise<void> {
  // As large as one request of kubectl may sensibly be.
  for (let at = 0; at < names.length; at += 500) {
    const items = names.slice(at, at + 500).map((name) => ({
      ...{ apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name } },
      spec: { dockerfile: { inline: `FROM scratch\nLABEL name=${name}\n` }, ...spec },
    }));
    await world.cluster.must(['create', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    });
  }
}

test(`${QUEUED} Builds queued at once all end, once each; what each costs has a ceiling`, async () => {
  await expect.poll(() => world.metric('slipway_builders_ready'), { timeout: 60_000 }).toBe(2);
  const counts = async () => ({
    runs: await world.metric('slipway_reconcile_total', { controller: 'buildrun' }),
    builds: await world.metric('slipway_reconcile_total', { controller: 'build' }),
    requests: await world.metric('slipway_kube_requests_total'),
  });
  const before = await counts();
  const names = Array.from({ length: QUEUED }, (_, at) => `queued-${at}`);
  await apply(names, {});
  await expect
    .poll(() => world.metric('slipway_buildruns_total', { phase: 'Succeeded' }), { timeout: 300_000, interval: 1000 })
    .toBe(QUEUED);
  await expect.poll(() => world.metric('slipway_buildruns_active')).toBe(0);
  const started = builders.flatMap((one) => [...one.started]);
  expect(started).toHaveLength(QUEUED);
  expect(started.filter(([, times]) => times !== 1)).toEqual([]);
  expect(new Set(builders.flatMap(({ committed }) => committed)).size).toBe(QUEUED);
  for (const { most } of builders) expect(most).toBeLessThanOrEqual(PLACES);
  const after = await counts();
  const each = (kind: keyof typeof before) => (after[kind] - before[kind]) / QUEUED;
  // Planned, queued, placed, ended; and the Build's own status after each.
  expect(each('runs')).toBeLessThan(10);
  expect(each('builds')).toBeLessThan(10);
  // Events are among them.
  expect(each('requests')).toBeLessThan(20);
}, 420_000);

test(`${OBJECTS} Builds cost a bounded memory, and nothing while nothing happens`, async () => {
  const residentMib = () => {
    const status = readFileSync(`/proc/${world.operator.process.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  };
  await apply(
    Array.from({ length: OBJECTS }, (_, at) => `object-${at}`),
    { suspend: true },
  );
  const known = () => world.metric('slipway_kube_requests_total', { verb: 'PATCH' });
  // A new operator reads them all at once.
  await world.stopOperator();
  await world.startOperator();
  await expect.poll(() => world.metric('slipway_leader'), { timeout: 60_000 }).toBe(1);
  // Until nothing is written any more.
  let last = -1;
  await expect
    .poll(
      async () => {
        const now = await known();
        const settled = now === last;
        last = now;
        return settled;
      },
      { timeout: 120_000, interval: 3000 },
    )
    .toBe(true);
  expect(residentMib()).toBeLessThan(300);
}, 300_000);
