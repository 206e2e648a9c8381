import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { type OperatorWorld, type Resource, startOperatorWorld } from './support/operator.ts';
import { must } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

/** Builders of two platforms, as they say of themselves: what is built runs nothing, so that both can. */
describe('a Build of platforms that no one builder has', () => {
  const work = tempFolder('operator-parts');
  let world: OperatorWorld;
  let registry: RegistryServer;

  beforeAll(async () => {
    registry = await RegistryServer.start({ root: path.join(work.path, 'registry') });
    world = await startOperatorWorld(work.path, { builders: 2, platforms: ['linux/amd64', 'linux/arm64'] });
    await world.cluster.must([
      'wait',
      '--for=jsonpath={.status.ready}=2',
      '--timeout=60s',
      'builderpools.slipway.build',
      'default',
    ]);
  });

  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  interface Parts {
    readonly parts?: readonly { readonly platform: string; readonly digest?: string }[];
    readonly attempts?: readonly { readonly part?: string; readonly builder: string; readonly reason?: string }[];
  }
  const partsOf = ({ status }: Resource) => status as Parts | undefined;

  const build = (name: string, outputs: readonly string[], platforms = ['linux/amd64', 'linux/arm64']) => ({
    apiVersion: 'slipway.build/v1alpha1',
    kind: 'Build',
    metadata: { name },
    spec: {
      source: { inline: { files: { a: 'x\n' } } },
      dockerfile: { inline: 'FROM scratch\nARG TARGETARCH\nCOPY a /a\nLABEL arch=$TARGETARCH\nCMD ["/a"]\n' },
      platforms,
      sourceDateEpoch: 1_700_000_000,
      outputs: outputs.map((image) => ({
        ...{ image: `${registry.host}/${image}`, tags: ['v1'] },
        ...(platforms.length < 2 ? {} : { indexAnnotations: { made: 'by parts' } }),
        annotations: { of: 'an image' },
      })),
    },
  });
  const apply = async (one: object) => {
    const ran = await world.cluster.apply(JSON.stringify(one));
    expect(ran.code, ran.output).toBe(0);
  };
  const digestOf = async (name: string) => (await world.build(name))?.status?.outputs?.[0]?.digest;

  test('is built part by part where each runs, and is the same as on one builder, whatever becomes of its operator', async () => {
    await apply(build('parts', ['parts']));
    const begun = async () => partsOf((await world.runs('parts'))[0] as Resource)?.parts?.[0]?.digest;
    await expect.poll(async () => (await world.runs('parts')).length > 0 && (await begun()) !== undefined).toBe(true);
    await world.stopOperator('SIGKILL');
    await world.startOperator();
    await world.waitReady('parts', '60s');
    // Two outputs are made whole.
    await apply(build('whole', ['whole', 'other']));
    await world.waitReady('whole');

    const attempts = partsOf((await world.runs('parts'))[0] as Resource)?.attempts ?? [];
    expect(attempts.map(({ part, reason }) => `${part} ${reason}`)).toEqual([
      'linux/amd64 Succeeded',
      'linux/arm64 Succeeded',
      'index Succeeded',
    ]);
    expect(attempts[0]?.builder).not.toBe(attempts[1]?.builder);
    expect(partsOf((await world.runs('whole'))[0] as Resource)?.parts).toBeUndefined();
    expect(await digestOf('parts')).toBe(await digestOf('whole'));
    const raw = await must('skopeo', ['inspect', '--tls-verify=false', '--raw', `docker://${registry.host}/parts:v1`]);
    const index = JSON.parse(raw.stdout) as {
      readonly annotations: object;
      readonly manifests: readonly { readonly digest: string; readonly platform: { readonly architecture: string } }[];
    };
    expect(index.annotations).toEqual({ made: 'by parts' });
    expect(index.manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
    const tags = (await (await fetch(`${registry.url}/v2/parts/tags/list`)).json()) as { readonly tags: string[] };
    expect(tags.tags).toEqual(['v1']);
  });

  test('of one platform goes to a builder of it', async () => {
    for (const platform of ['linux/arm64', 'linux/amd64']) {
      const name = platform.replace('/', '-');
      await apply(build(name, [name], [platform]));
      await world.waitReady(name);
    }
    const [arm, amd] = await Promise.all(['linux-arm64', 'linux-amd64'].map((name) => world.runs(name)));
    const parts = partsOf((await world.runs('parts'))[0] as Resource)?.attempts ?? [];
    expect(partsOf(arm?.[0] as Resource)?.attempts?.[0]?.builder).toBe(parts[1]?.builder);
    expect(partsOf(amd?.[0] as Resource)?.attempts?.[0]?.builder).toBe(parts[0]?.builder);
  });
});
