import { expect, test } from 'vitest';
import type { KubeObject } from '../runtime/index.ts';
import { eventually, RunWorld } from '../testing/run-world.ts';

const labels = { 'kueue.x-k8s.io/queue-name': 'team' };

interface Workload extends KubeObject {
  readonly spec: { readonly queueName: string; readonly podSets: readonly { readonly template: object }[] };
  readonly status?: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

async function world() {
  const one = new RunWorld({ kueue: true });
  one.pool('default', 'a:1');
  await one.start();
  const workload = () => one.api.get<Workload>('workloads', { namespace: 'a', name: 'r' });
  /** As Kueue does. */
  const say = (...conditions: readonly (readonly [type: string, status: string, message?: string])[]) =>
    one.api.put('workloads', {
      ...(workload() as Workload),
      status: { conditions: conditions.map(([type, status, message = '']) => ({ type, status, message })) },
    } as Workload);
  const scheduled = () => one.get('r')?.conditions?.find(({ type }) => type === 'Scheduled');
  return { one, workload, say, scheduled };
}

test('a run that names a queue is a Workload of its requests, waits for it, and tells of its end', async () => {
  const { one, workload, say, scheduled } = await world();
  await using _ = one;
  const requests = { cpu: '2', memory: '1Gi' };
  one.run('r', { labels, spec: { resources: { requests } } });
  await eventually(() => scheduled()?.reason).toBe('KueueNotAdmitted');
  expect(workload()).toMatchObject({
    metadata: { ownerReferences: [{ kind: 'BuildRun', name: 'r', uid: 'r', controller: true }] },
    spec: {
      queueName: 'team',
      podSets: [{ count: 1, template: { spec: { containers: [{ resources: { requests } }] } } }],
    },
  });
  // Others go on meanwhile.
  one.run('other');
  await one.until('other', 'Running');
  one.builder.end('other');
  await one.until('other', 'Succeeded');
  expect(one.get('r')?.phase).toBe('Queued');
  say(['QuotaReserved', 'True'], ['Admitted', 'True']);
  await expect.poll(() => one.get('r')?.phase, { timeout: 10_000 }).toBe('Running');
  one.builder.end('r');
  await one.until('r', 'Succeeded');
  await eventually(() => workload()?.status?.conditions.at(-1)).toMatchObject({ type: 'Finished', status: 'True' });
});

test('one that is evicted gives its place back, costs no retry, and goes on when it is admitted again', async () => {
  const { one, say, scheduled } = await world();
  await using _ = one;
  one.run('r', { labels, spec: { retry: { limit: 0 } } });
  await eventually(() => scheduled()?.reason).toBe('KueueNotAdmitted');
  say(['Admitted', 'True']);
  await expect.poll(() => one.get('r')?.phase, { timeout: 10_000 }).toBe('Running');
  say(['Admitted', 'False'], ['Evicted', 'True', 'preempted by another']);
  await expect.poll(() => one.get('r')?.phase, { timeout: 10_000 }).toBe('Queued');
  await eventually(() => one.builder.calls).toContain('cancel r');
  expect(one.get('r')?.attempts).toMatchObject([
    { reason: 'KueueEvicted', message: expect.stringContaining('preempted') },
  ]);
  await expect.poll(() => scheduled()?.reason, { timeout: 10_000 }).toBe('KueueNotAdmitted');
  one.run('other');
  await one.until('other', 'Running');
  one.builder.end('other');
  await one.until('other', 'Succeeded');
  say(['Admitted', 'True'], ['Evicted', 'False']);
  await expect.poll(() => one.get('r')?.attempts?.length, { timeout: 15_000 }).toBe(2);
});

test('a Workload of that name that is somebody else’s admits nothing', async () => {
  const { one, scheduled } = await world();
  await using _ = one;
  one.api.put('workloads', {
    ...{ apiVersion: 'kueue.x-k8s.io/v1beta1', kind: 'Workload', metadata: { name: 'r', namespace: 'a', uid: 'w' } },
    ...{ spec: {}, status: { conditions: [{ type: 'Admitted', status: 'True' }] } },
  } as unknown as Workload);
  one.run('r', { labels });
  await eventually(() => scheduled()?.reason).toBe('KueueRefused');
  expect(one.get('r')?.phase).toBe('Queued');
});
