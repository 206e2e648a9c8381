import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../src/base/index.ts';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { makeAuthority } from './support/certificates.ts';
import { type GitServer, startGitServer } from './support/git-server.ts';
import { type OperatorWorld, startOperatorWorld } from './support/operator.ts';
import { tempFolder } from './support/temp-folder.ts';

/** Every source of a Build as the main and as a named context, from real servers whose certificates only the Build trusts. */
describe('sources of Builds', () => {
  const work = tempFolder('operator-sources');
  const opened = new AsyncDisposableStack();
  const file = (name: string) => path.join(work.path, name);
  let world: OperatorWorld;
  let registry: RegistryServer;
  let git: GitServer;
  let ca: string;
  let web: string;
  /** Archives by path. */
  const archives = new Map<string, Buffer>();

  beforeAll(async () => {
    mkdirSync(file('pki'));
    const authority = await makeAuthority(file('pki'), 'private');
    const issued = await authority.issue('servers', { names: ['127.0.0.1'] });
    const tls = { cert: readFileSync(issued.cert, 'utf8'), key: readFileSync(issued.key, 'utf8') };
    ca = readFileSync(authority.cert, 'utf8');
    const tree = file('tree');
    mkdirSync(path.join(tree, 'app'), { recursive: true });
    writeFileSync(path.join(tree, 'app/word.txt'), 'word\n');
    writeFileSync(path.join(tree, 'app/Dockerfile'), 'FROM scratch\nCOPY word.txt /\n');
    const archive = execFileSync('tar', ['-C', tree, '-czf', '-', '.']);
    archives.set('/tree.tgz', archive);
    const server = createServer(tls, (request, response) => {
      const found = archives.get(request.url ?? '');
      const isOpen = request.url === '/flux.tgz';
      if (!isOpen && request.headers.authorization !== 'Bearer webpass') response.writeHead(401).end();
      else if (found === undefined) response.writeHead(404).end();
      else response.end(found);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    opened.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    web = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    registry = opened.use(await RegistryServer.start({ root: file('registry'), durable: false, tls }));
    git = opened.use(await startGitServer(work.path, { password: 'gitpass', tls }));
    await git.create('app', path.join(tree, 'app'));
    // A registry on loopback would be taken for one without TLS.
    const config = file('buildkitd.toml');
    writeFileSync(config, `[registry."${registry.host}"]\n  http = false\n`);
    world = opened.use(await startOperatorWorld(work.path, { builderFlags: ['--config', config] }));
    await apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'ca' }, data: { 'ca.crt': ca } });
    await secret('git', { username: 'x', password: 'gitpass' });
    await secret('web', { token: 'webpass' });
  });

  afterAll(async () => {
    await opened.disposeAsync();
    work[Symbol.dispose]();
  });

  const apply = async (object: object) => {
    const ran = await world.cluster.apply(JSON.stringify(object));
    expect(ran.code, ran.output).toBe(0);
  };
  const secret = (name: string, stringData: Readonly<Record<string, string>>) =>
    apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData });
  const trust = { caBundleFrom: { configMapKeyRef: { name: 'ca', key: 'ca.crt' } } };
  const build = (name: string, spec: object) =>
    apply({
      ...{ apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name } },
      spec: { outputs: [{ image: `${registry.host}/${name}`, tags: ['v1'] }], retry: { limit: 0 }, trust, ...spec },
    });
  const http = () => ({
    http: {
      ...{ url: `${web}/tree.tgz`, checksum: digestOf(archives.get('/tree.tgz')!), secretRef: { name: 'web' } },
      subPath: 'app',
    },
  });
  const failureOf = async (name: string) =>
    (await world.until('builds', name, ({ status }) => /^(Failed|Error)$/.test(status?.phase ?? ''))).status?.failure;

  test('are trusted, fetched and pushed by the Build alone', async () => {
    const gitSource = { git: { url: `${git.url}/app.git`, ref: 'main', secretRef: { name: 'git' } } };
    await build('from-git', { source: gitSource });
    await build('from-http', { source: http() });
    await Promise.all(['from-git', 'from-http'].map((name) => world.waitReady(name)));
    // The image that was just pushed is the next one's context, in both ways.
    const image = { oci: { image: `${registry.host}/from-git:v1` } };
    const named = Object.entries({ git: gitSource, http: http(), image, map: { configMap: { name: 'ca' } } });
    await build('from-all', {
      source: image,
      dockerfile: {
        inline: `FROM image
COPY word.txt /main
${named.map(([name]) => `COPY --from=${name} ${name === 'map' ? 'ca.crt' : 'word.txt'} /${name}`).join('\n')}
`,
      },
      contexts: named.map(([name, source]) => ({ name, ...source })),
    });
    await world.waitReady('from-all');
    // The same without its trust reaches none of them, whatever the builder has learnt by then.
    await build('untrusting', { source: gitSource, trust: undefined });
    await build('untrusting-web', { source: http(), trust: undefined, args: [{ name: 'X', value: 'y' }] });
    expect((await failureOf('untrusting'))?.message).toMatch(/certificate/);
    expect((await failureOf('untrusting-web'))?.message).toMatch(/certificate/);
  });

  test('an archive is what its checksum says, or the Build fails', async () => {
    const { http: wrong } = http();
    await build('wrong', { source: { http: { ...wrong, checksum: digestOf(Buffer.from('other')) } } });
    expect((await failureOf('wrong'))?.message).toMatch(/digest mismatch/);
  });

  test('what a source of Flux has fetched is waited for', async () => {
    await apply(FLUX_CRD);
    await world.cluster.must(['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all']);
    archives.set('/flux.tgz', archives.get('/tree.tgz')!);
    const flux = (status: object) => ({
      ...{ apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'GitRepository', metadata: { name: 'app' } },
      status: { observedGeneration: 1, ...status },
    });
    await apply(flux({ conditions: [{ type: 'Ready', status: 'False', message: 'no such branch' }] }));
    // Flux's own servers ask for nothing.
    await build('from-flux', { source: { flux: { kind: 'GitRepository', name: 'app', subPath: 'app' } } });
    const waits = await world.until('builds', 'from-flux', ({ status }) =>
      (status?.conditions ?? []).some(({ reason }) => reason === 'FluxSourceNotReady'),
    );
    expect(JSON.stringify(waits.status?.conditions)).toContain('no such branch');
    const artifact = {
      ...{ url: `${web}/flux.tgz`, digest: digestOf(archives.get('/flux.tgz')!), revision: 'main@sha1:1' },
    };
    // Without a status of its own, the object is of another generation by now.
    await apply(flux({ observedGeneration: 2, conditions: [{ type: 'Ready', status: 'True' }], artifact }));
    await world.waitReady('from-flux');
  });
});

const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const FLUX_CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gitrepositories.source.toolkit.fluxcd.io' },
  spec: {
    group: 'source.toolkit.fluxcd.io',
    names: { kind: 'GitRepository', plural: 'gitrepositories' },
    scope: 'Namespaced',
    versions: [
      {
        ...{ name: 'v1', served: true, storage: true },
        schema: { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } },
      },
    ],
  },
};
