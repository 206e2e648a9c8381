import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { type GitServer, startGitServer } from './support/git-server.ts';
import { runImage } from './support/image.ts';
import { type OperatorWorld, startOperatorWorld } from './support/operator.ts';
import { cache, root } from './support/paths.ts';
import { must, run } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

/**
 * The real application (e2e/testdata/app: three stages, packages fetched during RUN), applied with kubectl from its git repository with its build secret and
 * registry credentials; then a commit is pushed and the changed ref applied.
 */
describe('the application, applied', () => {
  const work = tempFolder('operator-application');
  const users = { ada: 'lovelace' };
  let registry: RegistryServer;
  let git: GitServer;
  let world: OperatorWorld;
  let goproxy: string;
  const caFile = process.env['SSL_CERT_FILE'] ?? '/etc/ssl/certs/ca-certificates.crt';

  beforeAll(async () => {
    const trees = path.join(cache, 'e2e-toolchain');
    await must('sh', [
      ...[path.join(root, 'scripts/debian-trees.sh'), trees, 'busybox-static', 'base-files', 'libc6'],
      ...['golang-1.19-go', 'golang-1.19-src', 'ca-certificates'],
    ]);
    copyFileSync(path.join(root, 'e2e/testdata/toolchain.Dockerfile'), path.join(trees, 'Dockerfile'));
    registry = await RegistryServer.start({
      root: path.join(work.path, 'registry'),
      durable: false,
      access: { kind: 'basic', users },
    });
    git = await startGitServer(work.path, { password: 'gitpass' });
    world = await startOperatorWorld(work.path);
    goproxy = (await run('go', ['env', 'GOPROXY']).catch(() => undefined))?.stdout.trim() ?? '';
    const auth = Buffer.from(`ada:${users.ada}`).toString('base64');
    writeFileSync(path.join(work.path, 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    const base = await world.builders[0]!.buildctl(
      [
        ...['build', '--progress=plain', '--frontend', 'dockerfile.v0'],
        ...['--local', `context=${trees}`, '--local', `dockerfile=${trees}`],
        ...['--output', `type=image,name=${registry.host}/toolchain:latest,push=true`],
      ],
      { env: { DOCKER_CONFIG: work.path } },
    );
    expect(base, base.output).toMatchObject({ code: 0 });
    await must('git', ['-C', root, 'rev-parse']); // the fixture lies in a checkout
    await git.create('fortune', path.join(root, 'e2e/testdata/app'));
    const { cluster } = world;
    await cluster.must(['create', 'secret', 'generic', 'ca', `--from-file=ca.crt=${caFile}`]);
    await cluster.must([
      ...['create', 'secret', 'docker-registry', 'registry', `--docker-server=${registry.host}`],
      ...['--docker-username=ada', `--docker-password=${users.ada}`],
    ]);
    await cluster.must([
      ...['create', 'secret', 'generic', 'git', '--type=kubernetes.io/basic-auth'],
      ...['--from-literal=username=x', '--from-literal=password=gitpass'],
    ]);
  });

  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await git?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  const manifest = (ref: string) => `apiVersion: slipway.build/v1alpha1
kind: Build
metadata: { name: fortune }
spec:
  source: { git: { url: "${git.url}/fortune.git", ref: "${ref}", secretRef: { name: git } } }
  contexts: [{ name: toolchain, oci: { image: "${registry.host}/toolchain" } }]
  args: [{ name: GOPROXY, value: "${goproxy}" }]
  secrets: [{ id: ca, secretRef: { name: ca, key: ca.crt } }]
  registryAuth: [{ secretRef: { name: registry } }]
  outputs: [{ image: "${registry.host}/fortune", tags: [v1] }]
`;
  const pulled = async () => {
    const env = { REGISTRY_AUTH_FILE: path.join(work.path, 'config.json') };
    process.env['REGISTRY_AUTH_FILE'] = env.REGISTRY_AUTH_FILE;
    try {
      return await runImage(`${registry.host}/fortune:v1`, work.path);
    } finally {
      delete process.env['REGISTRY_AUTH_FILE'];
    }
  };

  test('is built, pulled back by another tool, and run', async () => {
    const applied = await world.cluster.apply(manifest('main'));
    expect(applied.code, applied.output).toBe(0);
    await world.waitReady('fortune', '600s');
    const image = await pulled();
    expect(image.stdout).toBe('a0c0010c-2194-5381-a9ab-59ea916f4f0a a slipway is where ships begin\n');
    expect(image.files).toEqual(['fortune']);
    expect((await world.build('fortune'))?.status?.outputs?.[0]?.digest).toBe(image.digest);
  });

  test('a pushed commit, its ref applied: what did not change comes from the cache', async () => {
    const next = await git.commit('fortune', (worktree) => {
      const file = path.join(worktree, 'words/words.go');
      writeFileSync(file, readFileSync(file, 'utf8').replace('a slipway is where ships begin', 'launched'));
    });
    const before = (await world.build('fortune'))?.status?.lastRun?.name;
    const applied = await world.cluster.apply(manifest(next));
    expect(applied.code, applied.output).toBe(0);
    await world.waitReady('fortune', '600s');
    expect((await pulled()).stdout).toContain('launched');
    const record = (await world.runs('fortune')).at(-1);
    expect(record?.metadata.name).not.toBe(before);
    expect(record?.status?.resolved?.commit).toBe(next);
    // The stage that fetches the packages is not run again.
    expect(record?.status?.cache?.hits).toBeGreaterThan(3);
    expect(record?.status?.slowestSteps?.map(({ name }) => name).join('\n')).not.toMatch(/\[modules .*RUN/);
  });
});
