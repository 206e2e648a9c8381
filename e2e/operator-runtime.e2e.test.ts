import path from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CodedError, silentLogger } from '../src/base/index.ts';
import {
  type KubeClient,
  type KubeObject,
  leadWhileHolding,
  openKubeClient,
  startEventRecorder,
  startInformer,
  uncheckedType,
} from '../src/operator/runtime/index.ts';
import { kubeClientSuite } from '../src/operator/testing/kube-client-suite.ts';
import { type Cluster, startCluster } from './support/cluster.ts';
import { root } from './support/paths.ts';
import { tempFolder } from './support/temp-folder.ts';

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}
const configMaps = uncheckedType<ConfigMap>({
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
});

/** What controllers stand on, against a real API server. */
describe('the operator’s runtime', () => {
  const work = tempFolder('operator-runtime');
  let cluster: Cluster;
  let client: KubeClient & Disposable;
  let requests: string[] = [];
  let over = new AbortController();

  beforeAll(async () => {
    cluster = await startCluster(work.path);
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    client = openKubeClient(config, { request: (verb, status) => requests.push(`${verb} ${status}`) });
    await cluster.must(['apply', '--server-side', '-f', path.join(root, 'crds')]);
    await cluster.must(['wait', '--for=condition=Established', '--timeout=60s', 'crd/builds.slipway.build']);
  });
  afterEach(() => {
    over.abort(new CodedError('cancelled', 'the test is over'));
    over = new AbortController();
  });
  afterAll(async () => {
    client?.[Symbol.dispose]();
    await cluster?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  kubeClientSuite('an API server', () => client);

  const write = () => ({ signal: over.signal, fieldManager: 'test' });
  const configMap = (name: string, data: Record<string, string> = {}): ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data,
  });
  const create = (name: string) => client.create(configMaps, configMap(name), write());
  const count = (verb: string) => requests.filter((one) => one.startsWith(verb)).length;

  test('says what was refused in codes', async () => {
    const made = await create('coded');
    await expect(create('coded')).rejects.toMatchObject({ code: 'already_exists' });
    await expect(client.get(configMaps, { namespace: 'default', name: 'none' }, write())).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(create('Bad_Name')).rejects.toMatchObject({ code: 'invalid_argument' });
    const applied = await client.apply(configMaps, configMap('coded', { a: '1' }), write());
    expect(applied.data).toEqual({ a: '1' });
    const stale = { ...configMap('coded', { a: '2' }), metadata: { ...made.metadata, managedFields: undefined } };
    await expect(client.apply(configMaps, stale, write())).rejects.toMatchObject({ code: 'aborted' });
    const of = { namespace: 'default', name: 'coded' };
    await expect(
      client.delete(configMaps, of, { ...write(), uid: '00000000-0000-0000-0000-000000000000' }),
    ).rejects.toMatchObject({ code: 'aborted' });
    await client.delete(configMaps, of, { ...write(), uid: made.metadata.uid });
  });

  test('an informer lists in pages and follows; a cut watch goes on where it was', async () => {
    await Promise.all(Array.from({ length: 600 }, (_, at) => create(`many-${at}`)));
    requests = [];
    const informer = startInformer(client, configMaps, { signal: over.signal, log: silentLogger });
    await informer.synced;
    expect(informer.list().filter(({ metadata }) => metadata.name.startsWith('many-'))).toHaveLength(600);
    const pages = count('list');
    expect(pages).toBeGreaterThan(2);
    await create('followed');
    await expect.poll(() => informer.get('default/followed')).toBeDefined();
    await cluster.restartApiServer();
    await client.delete(configMaps, { namespace: 'default', name: 'followed' }, write());
    await create('after');
    await expect.poll(() => informer.get('default/after')).toBeDefined();
    expect(informer.get('default/followed')).toBeUndefined();
    expect(count('list'), 'no second list').toBe(pages);
  });

  test('a watch that is too old makes it list again, and nothing is missed', async () => {
    let cut = false;
    const cuttable: KubeClient = {
      ...client,
      watch: async function* (type, options) {
        for await (const event of client.watch(type, options)) {
          if (cut) throw new CodedError('unavailable', 'cut');
          yield event;
        }
      },
    };
    const informer = startInformer(cuttable, configMaps, { signal: over.signal, log: silentLogger });
    await informer.synced;
    const gone: string[] = [];
    informer.onChange((change) => change.kind === 'gone' && gone.push(change.object.metadata.name));
    const doomed = await create('doomed');
    await expect.poll(() => informer.get('default/doomed')).toBeDefined();
    cut = true;
    await client.delete(configMaps, doomed.metadata as { name: string }, write());
    await create('fresh');
    await cluster.compact();
    await cluster.restartApiServer();
    await expect(
      (async () => {
        for await (const _ of client.watch(configMaps, { signal: over.signal, resourceVersion: '1' })) break;
      })(),
    ).rejects.toMatchObject({ code: 'out_of_range' });
    cut = false;
    await expect.poll(() => informer.get('default/fresh')).toBeDefined();
    expect(informer.get('default/doomed')).toBeUndefined();
    expect(gone).toEqual(['doomed']);
  });

  test('one leads; its end is the next one’s turn, at once when it says so, else when its time is over', async () => {
    const lease = { namespace: 'default', name: 'turns' };
    const log: string[] = [];
    const stand = (name: string, through: KubeClient, signal: AbortSignal) =>
      leadWhileHolding(
        through,
        { lease, durationMs: 9000, fieldManager: 'test', log: silentLogger, signal },
        async ({ signal: leading }) => {
          log.push(`${name} leads`);
          await new Promise<void>((resolve) => leading.addEventListener('abort', () => resolve(), { once: true }));
          log.push(`${name} ends`);
        },
      ).catch((error: CodedError) => log.push(`${name} ${error.reason ?? error.code}`));
    const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()];
    let deaf = false;
    const cutOff: KubeClient = {
      ...client,
      replace: async (type, object, options) => {
        if (deaf) throw new CodedError('unavailable', 'cut off');
        return await client.replace(type, object, options);
      },
      get: async (type, key, options) => {
        if (deaf) throw new CodedError('unavailable', 'cut off');
        return await client.get(type, key, options);
      },
    };
    const one = stand('first', client, first.signal);
    await expect.poll(() => log).toContain('first leads');
    const two = stand('second', cutOff, second.signal);
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect(log).toEqual(['first leads']);
    first.abort(new CodedError('cancelled', 'over'));
    await one;
    await expect.poll(() => log).toContain('second leads');
    const three = stand('third', client, third.signal);
    deaf = true;
    await two;
    await expect.poll(() => log).toContain('third leads');
    // It knew that it might have lost before anybody else led.
    expect(log).toEqual([
      'first leads',
      'first ends',
      'second leads',
      'second ends',
      'second LEASE_LOST',
      'third leads',
    ]);
    third.abort(new CodedError('cancelled', 'over'));
    await three;
  });

  test('events of the same kind are counted together, and bounded', async () => {
    const about = await create('told');
    const recorder = startEventRecorder(client, { component: 'test', log: silentLogger, signal: over.signal });
    for (let at = 0; at < 3; at++) recorder.record(about, 'Warning', 'Same', 'the same again');
    for (let at = 0; at < 100; at++) recorder.record(about, 'Normal', 'Other', `number ${at}`);
    await recorder.drain();
    const { items } = JSON.parse(
      await cluster.must(['get', 'events', '--field-selector', 'involvedObject.name=told', '-o', 'json']),
    ) as { items: readonly { readonly reason: string; readonly count: number }[] };
    expect(items.filter(({ reason }) => reason === 'Same').map(({ count }) => count)).toEqual([3]);
    expect(items.length).toBeLessThanOrEqual(25);
  });

  test('what does not fit its type is left out, and the rest is there', async () => {
    await create('odd');
    const picky = {
      ...configMaps,
      parse: (value: unknown) => {
        if ((value as ConfigMap).metadata.name === 'odd') throw new Error('odd');
        return value as ConfigMap;
      },
    };
    const informer = startInformer(client, picky, { signal: over.signal, log: silentLogger });
    await informer.synced;
    expect(informer.get('default/odd')).toBeUndefined();
    expect(informer.list().length).toBeGreaterThan(600);
  });
});
