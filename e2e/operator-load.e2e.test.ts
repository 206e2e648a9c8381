import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FaultProxy } from '../src/oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { startGate } from './support/gate.ts';
import { type OperatorWorld, type Resource, startOperatorWorld } from './support/operator.ts';
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

  test('two Builds of the same work are one on one builder, and what is built on it goes there', async () => {
    await using gate = await startGate();
    const base = `FROM ${registry.host}/base\nRUN wget -q -O- ${gate.url}/same && echo once > /once\n`;
    const names = ['same-a', 'same-b', 'same-c', 'same-d'];
    const apply = async (builds: readonly string[], dockerfile: (name: string) => string) => {
      const items = builds.map((name) => ({
        apiVersion: 'slipway.build/v1alpha1',
        kind: 'Build',
        metadata: { name },
        spec: {
          dockerfile: { inline: dockerfile(name) },
          outputs: [{ image: `${registry.host}/${name}`, tags: ['v1'] }],
        },
      }));
      const ran = await world.cluster.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
      expect(ran.code, ran.output).toBe(0);
    };
    await apply(names, () => base);
    await gate.reached('same');
    const first = await Promise.all(
      names.map((name) =>
        world
          .until('builds', name, ({ status }) => status?.lastRun !== undefined)
          .then(async () => {
            const [run] = await world.runs(name);
            // Each runs, or waits for a place there.
            return await world.until('buildruns', run!.metadata.name, ({ status }) => status?.phase !== 'Pending');
          }),
      ),
    );
    gate.open('same');
    const done = await Promise.all(
      first.map(({ metadata }) =>
        world.until('buildruns', metadata.name, ({ status }) => status?.phase === 'Succeeded'),
      ),
    );
    expect(gate.visits('same')).toBe(1);
    const [builder, ...others] = new Set(done.map(({ status }) => status?.attempts?.[0]?.builder));
    expect(others).toEqual([]);
    expect(new Set(done.map(({ status }) => (status as { work?: string }).work)).size).toBe(1);
    // What each of them hashes to would be the same builder for all once in eight times.
    for (const name of names) {
      await apply([name], () => `${base}RUN echo ${name} > /more\n`);
      await expect.poll(async () => (await world.runs(name)).length, { timeout: 60_000 }).toBe(2);
      const [, { metadata }] = (await world.runs(name)) as [Resource, Resource];
      const { status } = await world.until('buildruns', metadata.name, ({ status }) => status?.phase === 'Succeeded');
      expect(status?.attempts?.map((one) => one.builder)).toEqual([builder]);
    }
    expect(gate.visits('same')).toBe(1);
  }, 240_000);

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
          items: readonly {
            readonly spec: { readonly buildRef: { readonly name: string } };
            readonly status?: { readonly phase?: string };
          }[];
        }
      ).items;
      return items
        .filter(({ spec }) => spec.buildRef.name.startsWith('load-'))
        .map(({ status }) => status?.phase ?? '');
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
    const loaded = all.items.filter(({ spec }) => spec.buildRef.name.startsWith('load-'));
    expect(loaded).toHaveLength(BUILDS);
    for (const { spec, status } of loaded) {
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
