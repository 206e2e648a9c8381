import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FaultProxy } from '../src/oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { type OperatorWorld, startOperatorWorld } from './support/operator.ts';
import { tempFolder } from './support/temp-folder.ts';

const BUILDS = 200;

/** 200 Builds at once on two builders, the operator killed twice meanwhile. */
describe('many Builds at once', () => {
  const work = tempFolder('operator-load');
  let world: OperatorWorld;
  let registry: RegistryServer;
  let proxy: FaultProxy;

  beforeAll(async () => {
    registry = await RegistryServer.start({ root: path.join(work.path, 'registry'), durable: false });
    proxy = await FaultProxy.start(registry.url);
    world = await startOperatorWorld(work.path, { builders: 2 });
    await world.pushBase(`${registry.host}/base`);
  });

  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await Promise.all([proxy, registry].map((one) => one?.[Symbol.asyncDispose]()));
    work[Symbol.dispose]();
  });

  test('all end right, none twice, none lost', async () => {
    const names = Array.from({ length: BUILDS }, (_, at) => `load-${at}`);
    // Every tenth fails, by its own fault.
    const fails = (name: string) => name.endsWith('7');
    const list = names.map((name) => ({
      apiVersion: 'slipway.build/v1alpha1',
      kind: 'Build',
      metadata: { name },
      spec: {
        dockerfile: {
          inline: `FROM ${registry.host}/base\nCOPY <<EOF /name\n${name}\nEOF\n${fails(name) ? 'RUN exit 3\n' : ''}`,
        },
        outputs: [{ image: `${proxy.host}/${name}`, tags: ['v1'] }],
        retry: { limit: 3 },
      },
    }));
    const ran = await world.cluster.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: list }));
    expect(ran.code, ran.output).toBe(0);

    const phases = async () => {
      const items = (
        JSON.parse(await world.cluster.must(['get', 'buildruns.slipway.build', '-o', 'json'])) as {
          items: readonly { readonly status?: { readonly phase?: string } }[];
        }
      ).items;
      return items.map(({ status }) => status?.phase ?? '');
    };
    const ended = async () =>
      (await phases()).filter((phase) => ['Succeeded', 'Failed', 'Error', 'Cancelled'].includes(phase)).length;
    for (const share of [0.2, 0.6]) {
      await expect.poll(ended, { timeout: 240_000, interval: 500 }).toBeGreaterThanOrEqual(BUILDS * share);
      await world.stopOperator('SIGKILL');
      await world.startOperator();
    }
    await expect.poll(ended, { timeout: 300_000, interval: 1000 }).toBe(BUILDS);

    const all = JSON.parse(await world.cluster.must(['get', 'buildruns.slipway.build', '-o', 'json'])) as {
      items: readonly {
        readonly spec: { readonly buildRef: { readonly name: string } };
        readonly status: { readonly phase: string; readonly outputs?: readonly { readonly digest: string }[] };
      }[];
    };
    expect(all.items).toHaveLength(BUILDS);
    for (const { spec, status } of all.items) {
      const { name } = spec.buildRef;
      expect(status.phase, name).toBe(fails(name) ? 'Failed' : 'Succeeded');
      const pushes = proxy.requests.filter((one) => one.method === 'PUT' && one.path === `/v2/${name}/manifests/v1`);
      expect(pushes.length, name).toBe(fails(name) ? 0 : 1);
      if (fails(name)) continue;
      const answer = await fetch(`${registry.url}/v2/${name}/manifests/v1`, { headers: { accept: '*/*' } });
      expect(answer.headers.get('docker-content-digest'), name).toBe(status.outputs?.[0]?.digest);
    }
    // The last status is written before the run is let go of.
    await expect.poll(() => world.metric('slipway_buildruns_active')).toBe(0);
  }, 900_000);
});
