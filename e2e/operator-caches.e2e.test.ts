import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { S3_KEYS, S3_REGION, s3Server } from '../src/builder-pod/caches/testing/s3-server.ts';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { type OperatorWorld, startOperatorWorld } from './support/operator.ts';
import { tempFolder } from './support/temp-folder.ts';

/** What a Build's status tells of what moved, on a real API server: a cache in a bucket, and an image for two platforms. */
describe('the status of a Build', () => {
  const work = tempFolder('operator-caches');
  const opened = new AsyncDisposableStack();
  let world: OperatorWorld;
  let registry: RegistryServer;
  let bucket: Awaited<ReturnType<typeof s3Server>>;

  beforeAll(async () => {
    registry = opened.use(await RegistryServer.start({ root: path.join(work.path, 'registry'), durable: false }));
    bucket = opened.use(await s3Server(path.join(work.path, 's3'), 'caches'));
    world = opened.use(await startOperatorWorld(work.path, { builders: 1 }));
    await world.pushBase(`${registry.host}/base`);
  });

  afterAll(async () => {
    await opened.disposeAsync();
    work[Symbol.dispose]();
  });

  const apply = async (object: object) => {
    const ran = await world.cluster.apply(JSON.stringify(object));
    expect(ran.code, ran.output).toBe(0);
  };
  const build = (name: string, spec: object) => ({
    ...{ apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name }, spec },
  });

  test('of a cache in a bucket: it waits for the Secret by name, then says what was written, and no key is told', async () => {
    const s3 = {
      ...{ bucket: 'caches', region: S3_REGION, name: 'app', endpointUrl: bucket.url, usePathStyle: true },
      secretRef: { name: 'bucket' },
    };
    await apply(
      build('app', {
        dockerfile: { inline: `FROM ${registry.host}/base\nRUN head -c 5000 /dev/urandom > /made\n` },
        cache: { from: [{ s3 }], to: [{ s3, mode: 'max' }] },
        outputs: [{ image: `${registry.host}/app`, tags: ['v1'] }],
      }),
    );
    await world.until('builds', 'app', (one) => one.status?.lastRun !== undefined);
    const [run] = await world.runs('app');
    const waiting = await world.until('buildruns', run?.metadata.name ?? '', (one) =>
      Boolean(one.status?.conditions?.some(({ type, status }) => type === 'Accepted' && status === 'False')),
    );
    expect(waiting.status?.conditions).toContainEqual(
      expect.objectContaining({
        reason: 'SecretNotFound',
        message: 'spec.cache.from[0].s3.secretRef: there is no Secret bucket in namespace default',
      }),
    );
    const stringData = {
      AWS_ACCESS_KEY_ID: S3_KEYS.access_key_id,
      AWS_SECRET_ACCESS_KEY: S3_KEYS.secret_access_key,
    };
    await apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'bucket' }, stringData });
    await world.waitReady('app');
    const made = await world.until('buildruns', run?.metadata.name ?? '', (one) => one.status?.phase === 'Succeeded');
    expect(made.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'CacheExported', status: 'True', message: 's3://caches/app' }),
    );
    expect(made.status?.cache?.exports).toMatchObject([{ ref: 's3://caches/app' }]);
    expect(made.status?.cache?.exports?.[0]?.pushedBytes).toBeGreaterThan(5000);
    const told = await world.cluster.must(['get', 'builds.slipway.build,buildruns.slipway.build,events', '-o', 'json']);
    expect(`${told}${world.operator.log()}`).not.toContain(S3_KEYS.secret_access_key);
  });

  test('of cache mounts: each scope has its own, in the builder and in the registry, and none sees what another saved', async () => {
    const repository = `${registry.host}/saved-mounts`;
    const dockerfile = (n: string) =>
      `FROM ${registry.host}/base\nRUN --mount=type=cache,id=deps,target=/c ls /c > /found && echo x > /c/of-${n}\n`;
    const run = async (name: string, scope: string | undefined) => {
      await apply(
        build(name, {
          dockerfile: { inline: dockerfile(name) },
          cache: { ...(scope === undefined ? {} : { scope }), mounts: { from: repository, to: repository } },
          outputs: [{ image: `${registry.host}/${name}`, tags: ['v1'] }],
        }),
      );
      await world.waitReady(name);
      const ran = await world.builders[0]!.buildctl([
        ...['build', '--frontend=dockerfile.v0', '--progress=plain', '--no-cache'],
        ...['--local', `context=${work.path}`, '--local', `dockerfile=${path.join(work.path, 'show')}`],
        ...['--opt', `build-arg:IMAGE=${registry.host}/${name}:v1`],
      ]);
      expect(ran.code, ran.output).toBe(0);
      return [...ran.output.matchAll(/found: ([\w-]+)/g)].map(([, found]) => found);
    };
    mkdirSync(path.join(work.path, 'show'));
    writeFileSync(
      path.join(work.path, 'show/Dockerfile'),
      'ARG IMAGE\nFROM $IMAGE\nRUN for f in $(cat /found) end; do echo "found: $f"; done\n',
    );
    expect(await run('mounts-one', 'red')).toEqual(['end']);
    // Its builder has the mount of that scope, and the registry too.
    expect(await run('mounts-two', 'blue')).toEqual(['end']);
    expect(await run('mounts-three', undefined)).toEqual(['end']);
    await world.builders[0]!.buildctl(['prune', '--all']);
    expect(await run('mounts-four', 'red')).toEqual(['of-mounts-one', 'end']);
    expect(await run('mounts-five', 'blue')).toEqual(['of-mounts-two', 'end']);
    const listed = (await (await fetch(`${registry.url}/v2/saved-mounts/tags/list`)).json()) as { tags: string[] };
    expect(listed.tags).toHaveLength(3);
  });

  test('of an image for two platforms: each has its digest, size and attestations', async () => {
    await apply(
      build('platforms', {
        dockerfile: { inline: 'FROM scratch\nCOPY a /\n' },
        source: { inline: { files: { a: 'x' } } },
        platforms: ['linux/amd64', 'linux/arm64'],
        attestations: { provenance: {} },
        outputs: [{ image: `${registry.host}/platforms`, tags: ['v1'] }],
      }),
    );
    await world.waitReady('platforms');
    const output = (await world.build('platforms'))?.status?.outputs?.[0];
    const index = (await (
      await fetch(`${registry.url}/v2/platforms/manifests/v1`, { headers: { accept: '*/*' } })
    ).json()) as {
      readonly manifests: readonly { readonly digest: string; readonly platform: { architecture: string } }[];
    };
    const digestOf = (name: string) => index.manifests.find(({ platform }) => platform.architecture === name)?.digest;
    const attestations = ['https://slsa.dev/provenance/v1'];
    expect(output).toMatchObject({
      images: [
        { platform: 'linux/amd64', digest: digestOf('amd64'), attestations },
        { platform: 'linux/arm64', digest: digestOf('arm64'), attestations },
      ],
    });
  });
});
