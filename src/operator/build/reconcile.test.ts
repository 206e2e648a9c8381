import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CodedError, neverAborted, silentLogger } from '../../base/index.ts';
import type { Build, BuildRun } from '../../resources/index.ts';
import type { Fault } from '../conditions.ts';
import { knownBuildType, knownRunType } from '../known.ts';
import type { Reconcile } from '../runtime/index.ts';
import { apiError } from '../runtime/index.ts';
import { MemoryApi } from '../testing/memory-api.ts';
import { BY_OWNER, buildReconciler, newRun, ownerOf } from './reconcile.ts';

const signal = neverAborted;
let api: MemoryApi;
let reconcile: Reconcile;
let troubles: Map<string, Fault>;

beforeEach(async () => {
  api = new MemoryApi();
  troubles = new Map();
  const builds = await api.informer(knownBuildType);
  const runs = await api.informer(knownRunType, { [BY_OWNER]: ownerOf });
  const troubleOf = (kind: string, key: string) => troubles.get(`${kind} ${key}`);
  reconcile = buildReconciler({ client: api.client, builds, runs, troubleOf, log: silentLogger });
});
afterEach(() => api[Symbol.dispose]());

const buildOf = (namespace: string, name: string, spec: object = {}): Build => ({
  apiVersion: 'slipway.build/v1alpha1',
  kind: 'Build',
  metadata: { name, namespace },
  spec: { dockerfile: { inline: 'FROM scratch' }, ...spec },
});
const put = async (build: Build): Promise<Build> => {
  const stored = api.put('builds', build);
  await settled();
  return stored;
};
/** The informers have heard of it. */
const settled = () => new Promise((resolve) => setImmediate(resolve));
const at = (namespace: string, name: string) => ({ namespace, name });
const ready = (namespace: string, name: string) =>
  api.get<Build>('builds', at(namespace, name))?.status?.conditions?.find(({ type }) => type === 'Ready');

test('what was decided for a Build is never said of a later one of its name', async () => {
  await put(buildOf('team', 'app'));
  api.refuse = ({ verb }) => {
    if (verb !== 'apply') return;
    api.refuse = () => {};
    api.delete('builds', at('team', 'app'));
    api.put('builds', buildOf('team', 'app'));
  };
  await expect(reconcile('team/app', { signal })).rejects.toMatchObject({ code: 'aborted' });
  expect(api.get('builds', at('team', 'app'))).not.toHaveProperty('status');
});

test('a run gets the whole spec, of which the informers keep nothing', async () => {
  const files = { 'a.txt': 'x'.repeat(100_000) };
  await put(buildOf('a', 'app', { source: { inline: { files } } }));
  await reconcile('a/app', { signal });
  const [run] = api.list<BuildRun>('buildruns');
  expect(run?.spec.buildSpec.source?.inline?.files).toEqual(files);
  expect(JSON.stringify(knownRunType.parse(run)).length).toBeLessThan(2000);
  expect(JSON.stringify(knownBuildType.parse(api.get('builds', at('a', 'app')))).length).toBeLessThan(2000);
});

describe('a run of another', () => {
  const forged = async (change: (run: BuildRun) => object) => {
    const mine = await put(buildOf('a', 'app'));
    const run = newRun(mine, 7, 'forged');
    api.put('buildruns', { ...run, ...change(run) } as BuildRun);
    await settled();
    await reconcile('a/app', { signal });
    const status = api.get<Build>('builds', at('a', 'app'))?.status;
    return { status, made: api.list<BuildRun>('buildruns').filter(({ spec }) => spec.hash !== 'forged') };
  };
  const mustNotCount = ({ status, made }: Awaited<ReturnType<typeof forged>>) => {
    expect(status?.lastRun?.hash).not.toBe('forged');
    expect(made.map(({ spec }) => spec.number)).toEqual([1]);
    expect(api.calls.filter((call) => call.startsWith('patch'))).toEqual([]);
  };

  test('in another namespace, though it names this Build as its owner', async () => {
    mustNotCount(await forged(({ metadata }) => ({ metadata: { ...metadata, namespace: 'b' } })));
  });

  test('of another Build of the namespace, though owned by this', async () => {
    mustNotCount(await forged(({ spec }) => ({ spec: { ...spec, buildRef: { name: 'other' } } })));
  });

  test('owned, but not controlled', async () => {
    const owned = ({ metadata }: BuildRun) => metadata.ownerReferences?.map((one) => ({ ...one, controller: false }));
    mustNotCount(await forged((run) => ({ metadata: { ...run.metadata, ownerReferences: owned(run) } })));
  });

  test('owned by a Build of another API group', async () => {
    const owned = ({ metadata }: BuildRun) =>
      metadata.ownerReferences?.map((one) => ({ ...one, apiVersion: 'else.where/v1' }));
    mustNotCount(await forged((run) => ({ metadata: { ...run.metadata, ownerReferences: owned(run) } })));
  });

  test('that is being deleted', async () => {
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    mustNotCount(await forged(({ metadata }) => ({ metadata: { ...metadata, deletionTimestamp } })));
  });
});

describe('a write that the API server refuses for good', () => {
  const refusal = (status: number, reason: string, message: string) =>
    apiError('POST x', status, JSON.stringify({ reason, message }));

  test.each([
    ['a quota', refusal(403, 'Forbidden', 'exceeded quota: runs')],
    ['a policy', refusal(422, 'Invalid', 'denied by a policy')],
    ['its size', refusal(413, 'RequestEntityTooLarge', 'limit is 3145728')],
    ['etcd', refusal(500, 'InternalError', 'etcdserver: request is too large')],
  ])('of a run, by %s, is what the Build says until it is taken', async (_, error) => {
    await put(buildOf('a', 'app'));
    api.refuse = ({ verb }) => {
      if (verb === 'create') throw error;
    };
    await expect(reconcile('a/app', { signal })).rejects.toBe(error);
    expect(ready('a', 'app')).toMatchObject({ status: 'False', reason: 'RunRefused', message: error.message });
    api.refuse = () => {};
    await settled();
    await reconcile('a/app', { signal });
    expect(ready('a', 'app')).toMatchObject({ status: 'Unknown', reason: 'Pending' });
  });

  test('of a status, for its size, leaves the least of it', async () => {
    api.refuse = ({ verb, object }) => {
      if (verb === 'apply' && JSON.stringify(object).length > 1200)
        throw refusal(500, 'InternalError', 'rpc error: trying to send message larger than max (2097664 vs. 2097152)');
    };
    await put(
      buildOf('a', 'app', { args: Array.from({ length: 99 }, (_, n) => ({ name: `A${n}`, value: 1 })) as never }),
    );
    await reconcile('a/app', { signal });
    expect(ready('a', 'app')).toMatchObject({ status: 'False', reason: 'SpecInvalid' });
    expect(ready('a', 'app')?.message.length).toBeLessThanOrEqual(256);
  });
});

test('what fails again and again is told, whatever it is', async () => {
  await put(buildOf('a', 'app'));
  api.refuse = ({ verb }) => {
    if (verb === 'create') throw new CodedError('already_exists', 'there is a run of that name');
  };
  await expect(reconcile('a/app', { signal })).rejects.toThrow();
  expect(ready('a', 'app')).toBeUndefined();
  troubles.set('build a/app', { reason: 'ReconcileFails', message: 'x' });
  await expect(reconcile('a/app', { signal })).rejects.toThrow();
  expect(ready('a', 'app')).toMatchObject({ status: 'False', message: 'there is a run of that name' });
});

test('a run that does not come on is told on its Build', async () => {
  await put(buildOf('a', 'app'));
  await reconcile('a/app', { signal });
  const run = api.list<BuildRun>('buildruns')[0]!.metadata.name;
  troubles.set(`buildrun a/${run}`, { reason: 'ReconcileFails', message: 'its status is refused' });
  await reconcile('a/app', { signal });
  expect(ready('a', 'app')).toMatchObject({ status: 'False', reason: 'ReconcileFails' });
});
