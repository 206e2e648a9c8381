import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from './support/cluster.ts';
import { root } from './support/paths.ts';
import { tempFolder } from './support/temp-folder.ts';

/** The resources on a real API server: what it takes, what it refuses, and what it says. */
describe('the resources', () => {
  const work = tempFolder('resources');
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster(work.path);
  });

  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  const build = (name: string, spec: object) =>
    JSON.stringify({ apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name }, spec });
  const run = (change: object = {}) =>
    JSON.stringify({
      apiVersion: 'slipway.build/v1alpha1',
      kind: 'BuildRun',
      metadata: { name: 'run' },
      spec: {
        buildRef: { name: 'app' },
        number: 1,
        hash: 'abc',
        buildSpec: { dockerfile: { inline: 'FROM scratch' } },
        ...change,
      },
    });
  const outputs = [{ image: 'registry.example.com/app' }];
  const taken = async (yaml: string) => {
    const ran = await cluster.apply(yaml);
    expect(ran.code, ran.output).toBe(0);
  };
  const refused = async (yaml: string, verb = 'apply') => {
    const ran = await cluster.kubectl([verb, '-f', '-'], { input: yaml });
    expect(ran.code, ran.output).not.toBe(0);
    return ran.output;
  };

  test('install without a warning and are served', async () => {
    const applied = await cluster.kubectl(['apply', '--server-side', '-f', path.join(root, 'crds')]);
    expect(applied.code, applied.output).toBe(0);
    expect(applied.stderr).toBe('');
    await cluster.must(['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all']);
    for (const name of ['builds.slipway.build', 'sb', 'buildruns.slipway.build', 'sbr', 'builderpools.slipway.build'])
      expect((await cluster.kubectl(['get', name])).stderr).toContain('No resources found');
    expect(await cluster.must(['explain', 'builds.slipway.build.spec.source.git.url'])).toContain('Clone URL');
  });

  test('the examples are taken as they stand, and shown in columns', async () => {
    await taken(readFileSync(path.join(root, 'examples/hello/build.yaml'), 'utf8'));
    expect(await cluster.must(['get', 'slipway'])).toMatch(/NAME +READY +REASON +RUN +IMAGE +AGE\n/);
  });

  test('a whole spec is taken', async () => {
    await taken(
      build('whole', {
        source: {
          git: { url: 'https://git.example.com/app.git', ref: 'main', subPath: 'a/b', secretRef: { name: 'git' } },
        },
        contexts: [{ name: 'base', oci: { image: 'debian:bookworm' } }],
        dockerfile: { path: 'Dockerfile', target: 'final' },
        args: [
          { name: 'A', value: '1' },
          { name: 'B', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } },
        ],
        platforms: ['linux/amd64'],
        secrets: [{ id: 'token', secretRef: { name: 's', key: 'k' } }],
        sign: { secretRef: { name: 'cosign' } },
        attestations: { provenance: { mode: 'max', completeMaterials: true }, sbom: {} },
        sourceDateEpoch: 1,
        outputs: [
          {
            ...{ image: 'registry.example.com/app', tags: ['v1'], compression: 'zstd', preferNondistLayers: true },
            ...{ annotations: { 'a.b/c': 'd e' }, ociArtifact: false },
            platformAnnotations: [{ platform: 'linux/amd64', descriptorAnnotations: { a: 'b' } }],
          },
        ],
        cache: {
          from: [
            { ref: 'registry.example.com/cache', insecure: true },
            { s3: { bucket: 'b', region: 'r', endpointUrl: 'http://s3:9000', secretRef: { name: 'aws' } } },
          ],
          to: [
            { ref: 'registry.example.com/cache', mode: 'max', maxAge: '720h', compression: 'zstd' },
            { gha: { secretRef: { name: 'job' } } },
            { azblob: { accountUrl: 'https://acc.blob.core.windows.net', secretRef: { name: 'az' } }, mode: 'max' },
            { inline: {} },
          ],
          mounts: {
            ...{
              from: 'registry.example.com/mounts',
              to: 'registry.example.com/mounts',
              timeout: '2m',
              maxSize: '1Gi',
            },
            ...{ ids: ['deps'], sign: { secretRef: { name: 's' } }, verify: { secretRef: { name: 's' } } },
          },
        },
        registryAuth: [{ secretRef: { name: 'push' } }],
        poolRef: { name: 'default' },
        timeout: '1h30m',
        retry: { limit: 2 },
        historyLimit: 3,
      }),
    );
  });

  test.each<[string, object, RegExp]>([
    ['two sources', { source: { git: { url: 'x' }, upload: {} }, outputs }, /exactly one of git, http/],
    ['no source', { outputs }, /a source is needed/],
    [
      'path and inline',
      { source: { upload: {} }, dockerfile: { path: 'a', inline: 'b' } },
      /path and inline exclude each other/,
    ],
    ['dockerfile and llb', { dockerfile: { inline: 'FROM scratch' }, llb: { ref: 'x' } }, /dockerfile and llb exclude/],
    ['a duration that is none', { dockerfile: { inline: 'FROM scratch' }, timeout: 'soon' }, /spec\.timeout/],
    ['a path that leaves', { source: { git: { url: 'x', subPath: 'a/../../b' } } }, /relative path/],
    ['an inline file that leaves', { source: { inline: { files: { '../x': '' } } } }, /relative paths/],
    ['an unknown field', { dockerfile: { inline: 'FROM scratch' }, unknownField: 1 }, /unknownField/],
    ['the same argument twice', { dockerfile: { inline: 'x' }, args: [{ name: 'A' }, { name: 'A' }] }, /Duplicate/],
    [
      'a cache in two places',
      { dockerfile: { inline: 'x' }, cache: { from: [{ ref: 'a', s3: { bucket: 'b', region: 'r' } }] } },
      /exactly one of ref, s3, gha/,
    ],
    [
      'a cache on a disk',
      { dockerfile: { inline: 'x' }, cache: { to: [{ local: { dest: '/x' } }] } },
      /a directory is on the disk of one machine/,
    ],
    [
      'an inline cache with a mode',
      { dockerfile: { inline: 'x' }, cache: { to: [{ inline: {}, mode: 'max' }] } },
      /an inline cache is of the image/,
    ],
    [
      'a name that is none',
      { dockerfile: { inline: 'x' }, cache: { from: [{ ref: 'r.example.com/UPPER' }] } },
      /its path in lower case/,
    ],
    [
      'a signature of cache mounts that are not saved',
      { dockerfile: { inline: 'x' }, cache: { mounts: { from: 'a', sign: { secretRef: { name: 's' } } } } },
      /sign is for what is saved/,
    ],
    [
      'cache mounts verified with two keys',
      {
        dockerfile: { inline: 'x' },
        cache: {
          mounts: { from: 'a', verify: { secretRef: { name: 's' }, configMapKeyRef: { name: 'c', key: 'k' } } },
        },
      },
      /exactly one of publicKey, secretRef, configMapKeyRef/,
    ],
    [
      'a signature of nothing',
      { dockerfile: { inline: 'x' }, sign: { secretRef: { name: 's' } } },
      /sign is for what is pushed/,
    ],
    [
      'attestations of an image without an index',
      { dockerfile: { inline: 'x' }, attestations: { sbom: {} }, outputs: [{ image: 'a', ociMediaTypes: false }] },
      /an image with attestations is an OCI index/,
    ],
    [
      'an annotation with a space in its key',
      { dockerfile: { inline: 'x' }, outputs: [{ image: 'a', annotations: { 'a b': 'c' } }] },
      /keys must not be empty or have spaces/,
    ],
    [
      'two times',
      { dockerfile: { inline: 'x' }, sourceDateEpoch: 1, args: [{ name: 'SOURCE_DATE_EPOCH', value: '2' }] },
      /sourceDateEpoch and the argument SOURCE_DATE_EPOCH exclude each other/,
    ],
    ['no timeout at all', { dockerfile: { inline: 'FROM scratch' }, timeout: '0s' }, /must be from 1s to 168h/],
    ['an endless wait', { dockerfile: { inline: 'x' }, queueTimeout: '99999999999h' }, /spec\.queueTimeout/],
    [
      'files that are too large together',
      { source: { inline: { files: Object.fromEntries([1, 2, 3, 4].map((at) => [`f${at}`, 'x'.repeat(262_144)])) } } },
      /at most 1048576 bytes/,
    ],
    [
      'files, arguments and contexts that are too large together',
      {
        dockerfile: { inline: 'x'.repeat(131_072) },
        args: Array.from({ length: 16 }, (_, at) => ({ name: `A${at}`, value: 'x'.repeat(32_768) })),
        contexts: [1, 2].map((at) => ({
          name: `c${at}`,
          inline: { files: { a: 'x'.repeat(131_073), b: 'x'.repeat(65_536) } },
        })),
      },
      /at most 1048576 bytes/,
    ],
    ['a text that is too long', { dockerfile: { inline: 'x'.repeat(131_073) } }, /Too long|may not be more than/],
  ])('refused by the API server itself: %s', async (_, spec, message) => {
    // `apply` would write all of it into an annotation, too.
    expect(await refused(build('bad', spec), 'create')).toMatch(message);
  });

  test('a run is immutable, but can be cancelled for good', async () => {
    await taken(run());
    expect(await refused(run({ hash: 'other' }))).toContain('hash is immutable');
    expect(await refused(run({ buildSpec: { dockerfile: { inline: 'FROM other' } } }))).toContain(
      'buildSpec is immutable',
    );
    await taken(run({ cancel: { reason: 'User' } }));
    expect(await refused(run())).toContain('cancel cannot be taken back');
  });

  test('lists are narrowed by pool, phase and Build', async () => {
    const spec = (pool: string) => ({ dockerfile: { inline: 'FROM scratch' }, poolRef: { name: pool } });
    for (const pool of ['fast', 'slow']) await taken(build(`in-${pool}`, spec(pool)));
    const names = async (kind: string, selector: string) =>
      (await cluster.must(['get', kind, '--field-selector', selector, '-o', 'name'])).trim();
    expect(await names('sb', 'spec.poolRef.name=slow')).toBe('build.slipway.build/in-slow');
    expect(await names('sb', 'status.phase=Failed')).toBe('');
    expect(await names('sbr', 'spec.buildRef.name=app')).toBe('buildrun.slipway.build/run');
  });

  test('a pool names builders by address', async () => {
    const pool = (address: string) =>
      JSON.stringify({
        apiVersion: 'slipway.build/v1alpha1',
        kind: 'BuilderPool',
        metadata: { name: 'default' },
        spec: { endpoints: [{ address, tlsSecretRef: { name: 'tls', namespace: 'slipway-system' } }] },
      });
    await taken(pool('builder.example.com:1234'));
    expect(await refused(pool('not an address'))).toMatch(/address/);
    const limits = (maxTimeout: string) =>
      pool('builder.example.com:1234').replace(
        '"endpoints"',
        `"maxTimeout":"${maxTimeout}","runsPerNamespace":2,"namespaceWeights":[{"namespace":"a","weight":3}],"endpoints"`,
      );
    await taken(limits('4h'));
    expect(await refused(limits('0s'))).toMatch(/from 1s to 168h/);
    const memory = (size: string) =>
      limits('4h').replace('"endpoints"', `"limits":{"stepMemory":"${size}"},"endpoints"`);
    await taken(memory('2Gi'));
    expect(await refused(memory('2GB'))).toMatch(/stepMemory/);
  });
});
