import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OperatorWorld, type Resource, startOperatorWorld } from './support/operator.ts';
import { type SimulatedBuilder, startSimulatedBuilder } from './support/simulated-builder.ts';
import { tempFolder } from './support/temp-folder.ts';

const QUEUED = 500;
const OBJECTS = 5000;
const PLACES = 8;

const work = tempFolder('operator-scale');
let world: OperatorWorld;
const builders: SimulatedBuilder[] = [];

beforeAll(async () => {
  world = await startOperatorWorld(work.path, {
    builders: 0,
    operatorFlags: ['--kueue', '--lease-duration', '15s'],
    chart: { kueue: { enabled: true } },
  });
  for (let at = 0; at < 2; at++)
    builders.push(
      await startSimulatedBuilder({
        capacity: PLACES,
        tookMs: (subject) => (subject.includes('/held-') ? undefined : 200),
      }),
    );
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
  // By their records: an operator that lost its lease meanwhile, as on a busy machine, has not counted all their ends.
  await expect
    .poll(() => world.metric('slipway_buildruns', { phase: 'Succeeded' }), { timeout: 800_000, interval: 1000 })
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
}, 900_000);

/** As much of Kueue's own as a run needs, in words of the tests. */
const WORKLOADS = {
  ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
  metadata: {
    name: 'workloads.kueue.x-k8s.io',
    annotations: { 'api-approved.kubernetes.io': 'unapproved, of a test' },
  },
  spec: {
    ...{ group: 'kueue.x-k8s.io', scope: 'Namespaced', names: { kind: 'Workload', plural: 'workloads' } },
    versions: [
      {
        ...{ name: 'v1beta1', served: true, storage: true, subresources: { status: {} } },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
              status: {
                type: 'object',
                properties: {
                  conditions: {
                    ...{ type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] },
                    items: {
                      type: 'object',
                      required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
                      properties: Object.fromEntries(
                        ['type', 'status', 'reason', 'message', 'lastTransitionTime'].map((name) => [
                          name,
                          { type: 'string' },
                        ]),
                      ),
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
};

test('a Build that names a queue of Kueue runs while Kueue admits it, and tells it of its end', async () => {
  await world.cluster.must(['apply', '-f', '-'], { input: JSON.stringify(WORKLOADS) });
  await world.cluster.must(['wait', '--for=condition=Established', 'crd/workloads.kueue.x-k8s.io']);
  const name = 'held-by-kueue';
  const build = (spec: object) => ({
    ...{ apiVersion: 'slipway.build/v1alpha1', kind: 'Build' },
    metadata: { name, labels: { 'kueue.x-k8s.io/queue-name': 'team' } },
    spec: { dockerfile: { inline: 'FROM scratch\nLABEL a=b\n' }, ...spec },
  });
  const resources = { requests: { cpu: '2', memory: '1Gi' } };
  await world.cluster.must(['apply', '-f', '-'], { input: JSON.stringify(build({ resources })) });
  await expect.poll(async () => (await world.runs(name)).length, { timeout: 30_000 }).toBe(1);
  const [run] = await world.runs(name);
  const { name: runName, uid } = run!.metadata;
  const scheduled = ({ status }: Resource) => status?.conditions?.find(({ type }) => type === 'Scheduled');
  const until = (holds: (resource: Resource) => boolean) => world.until('buildruns', runName, holds, 60_000);
  await until((one) => scheduled(one)?.reason === 'KueueNotAdmitted');
  interface Workload {
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }
  const workload = async () => await world.cluster.get<Workload>('workloads.kueue.x-k8s.io', runName);
  expect(await workload()).toMatchObject({
    metadata: { ownerReferences: [{ kind: 'BuildRun', uid }] },
    spec: { queueName: 'team', podSets: [{ template: { spec: { containers: [{ resources }] } } }] },
  });
  /** As Kueue does. */
  const say = async (conditions: Readonly<Record<string, string>>) => {
    const list = Object.entries(conditions).map(([type, status]) => ({
      ...{ type, status, reason: 'Test', message: `of a test: ${type}`, lastTransitionTime: new Date().toISOString() },
    }));
    const patch = JSON.stringify({ status: { conditions: list } });
    await world.cluster.must([
      'patch',
      'workloads.kueue.x-k8s.io',
      runName,
      '--subresource=status',
      '--type=merge',
      '-p',
      patch,
    ]);
  };
  await say({ QuotaReserved: 'True', Admitted: 'True' });
  await until(({ status }) => status?.phase === 'Running');
  await say({ QuotaReserved: 'False', Admitted: 'False', Evicted: 'True' });
  const evicted = await until(({ status }) => status?.phase === 'Queued');
  expect(evicted.status?.attempts).toMatchObject([{ number: 1, reason: 'KueueEvicted' }]);
  await say({ QuotaReserved: 'True', Admitted: 'True', Evicted: 'False' });
  await until(({ status }) => status?.attempts?.length === 2 && status.phase === 'Running');
  await world.cluster.must([
    'patch',
    'buildruns.slipway.build',
    runName,
    '--type=merge',
    '-p',
    '{"spec":{"cancel":{"reason":"User"}}}',
  ]);
  await until(({ status }) => status?.phase === 'Cancelled');
  // Beside what Kueue says itself.
  await expect
    .poll(async () => (await workload())?.status?.conditions?.map(({ type }) => type).sort(), { timeout: 30_000 })
    .toEqual(['Admitted', 'Evicted', 'Finished', 'QuotaReserved']);
}, 240_000);

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
      { timeout: 240_000, interval: 3000 },
    )
    .toBe(true);
  expect(residentMib()).toBeLessThan(300);
}, 600_000);
