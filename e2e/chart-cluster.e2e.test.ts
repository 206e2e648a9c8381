import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBuilder } from './support/builder.ts';
import { type Cluster, startCluster } from './support/cluster.ts';
import { chart, helm, type Manifest, manifests, renderChart } from './support/helm.ts';
import { slipway } from './support/paths.ts';
import { freePort } from './support/ports.ts';
import { must } from './support/run.ts';
import { startService } from './support/service.ts';
import { tempFolder } from './support/temp-folder.ts';

const NAMESPACE = 'slipway-system';
const BUILDERS = 'slipway-builders';

const work = tempFolder('chart');
const opened = new AsyncDisposableStack();
let cluster: Cluster;
beforeAll(async () => {
  cluster = opened.use(await startCluster(work.path));
  // As the strictest clusters have it: what runs there is not privileged.
  await cluster.must(['create', 'namespace', NAMESPACE]);
  await cluster.must(['label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=restricted']);
});
afterAll(async () => {
  await opened.disposeAsync();
  work[Symbol.dispose]();
});

const release = async (...args: readonly string[]) => {
  const ran = await helm(path.join(work.path, 'helm'), [...args, '--namespace', NAMESPACE], cluster.kubeconfig);
  if (ran.code !== 0) throw new Error(ran.output);
  return ran.stdout;
};
const upgrade = (...flags: readonly string[]) => release('upgrade', 'slipway', chart, '--reuse-values', ...flags);

const secrets = async () => {
  const [server, client] = await Promise.all([
    cluster.get<Manifest>('secret', 'slipway-builder-tls', BUILDERS),
    cluster.get<Manifest>('secret', 'slipway-builder-client', NAMESPACE),
  ]);
  return { server: server?.data ?? {}, client: client?.data ?? {} };
};

/** Writes the files of a Secret below a folder. */
function unpack(data: Readonly<Record<string, string>>, name: string): (file: string) => string {
  const folder = path.join(work.path, name);
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(data))
    writeFileSync(path.join(folder, file), Buffer.from(text, 'base64'), { mode: 0o600 });
  return (file) => path.join(folder, file);
}

const pods = async (namespace: string, component: string) =>
  (await cluster.must(['get', 'pods', '-n', namespace, '-l', `app.kubernetes.io/component=${component}`, '-o', 'name']))
    .trim()
    .split('\n')
    .filter((line) => line !== '').length;

test('the defaults are installed by one command: two operators that are not privileged', async () => {
  expect(await release('install', 'slipway', chart)).toContain('kubectl describe build/hello');
  await cluster.must(['wait', '--for=condition=Established', '--timeout=240s', 'crd/builds.slipway.build']);
  await expect.poll(() => pods(NAMESPACE, 'operator')).toBe(2);
});

test('the certificates that Helm makes trust one another, each for its own purpose, and stay over upgrades', async () => {
  const before = await secrets();
  const server = unpack(before.server, 'server');
  const client = unpack(before.client, 'client');
  const verify = (purpose: string, ca: string, certificate: string) =>
    must('openssl', ['verify', '-purpose', purpose, '-CAfile', ca, certificate]);
  await verify('sslserver', client('ca.crt'), server('tls.crt'));
  await verify('sslclient', server('ca.crt'), client('tls.crt'));
  await expect(verify('sslclient', server('ca.crt'), server('tls.crt'))).rejects.toThrow('verification failed');

  await upgrade('--set=builders.replicas=2');
  expect(await secrets()).toEqual(before);
});

test('what is off by default is taken by the API server too', async () => {
  const yaml = await renderChart(path.join(work.path, 'helm'), {
    'builders.persistence': { enabled: true, size: '10Gi', storageClass: 'fast' },
    'builders.config': 'debug = true\n',
    'builders.gc.maxUsedSpace': '80%',
    'dashboards.enabled': true,
    'global.imagePullSecrets': ['pull'],
    'global.commonLabels': { team: 'a' },
    'tests.image': 'registry.example.com/test:v1',
    'tests.registrySecret': 'push',
    extraObjects: [
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ .Release.Name }}-more", namespace: "{{ .Release.Namespace }}" }',
    ],
  });
  // The pod of `helm test` would want an account that this does not make.
  const items = manifests(yaml).filter(({ kind }) => kind !== 'Pod');
  const ran = await cluster.kubectl(
    ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--field-manager=test', '-f', '-'],
    { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) },
  );
  expect(ran.code, ran.stderr).toBe(0);
  expect(ran.stdout).toContain('slipway-more');
});

test('the operator, as the chart starts it, makes the pool and its pods, and a builder elsewhere with the certificate of the chart builds what `helm test` applies', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const before = await secrets();
  await upgrade(
    '--set=builders.replicas=1,builders.persistence.enabled=true,certificates.names={127.0.0.1}',
    `--set=builders.pool.endpoints[0].address=${address}`,
  );
  const after = await secrets();
  expect(after.server['tls.crt']).not.toBe(before.server['tls.crt']);

  const pki = unpack(after.server, 'elsewhere');
  const tls = ['--tlscacert', pki('ca.crt'), '--tlscert', pki('tls.crt'), '--tlskey', pki('tls.key')];
  await using _builder = await startBuilder(work.path, ['--addr', `tcp://${address}`, ...tls]);

  const [deployment] = manifests(
    await cluster.must(['get', 'deployment', 'slipway-operator', '-n', NAMESPACE, '-o', 'yaml']),
  );
  const container = (
    deployment?.spec as {
      template: { spec: { serviceAccountName: string; containers: { command: string[]; args: string[] }[] } };
    }
  ).template.spec;
  const pools = path.join(work.path, 'pools.yaml');
  const config = await cluster.get<Manifest>('configmap', 'slipway-pools', NAMESPACE);
  writeFileSync(pools, config?.data?.['pools.yaml'] ?? '');
  const metrics = `127.0.0.1:${await freePort()}`;
  const kubeconfig = await cluster.serviceAccountKubeconfig(NAMESPACE, container.serviceAccountName);
  const [, ...args] = [...container.containers[0]!.command, ...container.containers[0]!.args].map((arg) =>
    arg.replace(/^--metrics-addr=.*/, `--metrics-addr=${metrics}`).replace(/^--pools=.*/, `--pools=${pools}`),
  );
  await using operator = startService(slipway, [...args, '--kubeconfig', kubeconfig, '--lease-namespace', NAMESPACE], {
    logFile: path.join(work.path, 'operator.log'),
  });
  await operator.ready(async () => (await fetch(`http://${metrics}/readyz`)).ok);

  const hooks = manifests(await release('get', 'hooks', 'slipway')).filter(({ kind }) => kind !== 'Pod');
  expect(hooks.map(({ kind }) => kind)).toContain('Build');
  await cluster.must(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: hooks }) });
  const waited = await cluster.kubectl([
    ...['wait', '-n', NAMESPACE, '--for=condition=Ready', '--timeout=240s', 'build/slipway-test'],
    // As the test's pod does it.
    ...['--as', `system:serviceaccount:${NAMESPACE}:slipway-test`],
  ]);
  expect(waited.code, `${waited.output}\n${operator.log().slice(-5000)}`).toBe(0);
  expect(await cluster.must(['get', 'builderpool', 'default', '-o', 'jsonpath={.spec.endpoints[*].address}'])).toBe(
    address,
  );
  await expect.poll(() => pods(BUILDERS, 'builder')).toBe(1);
  expect(await cluster.get('persistentvolumeclaim', 'state-default-0', BUILDERS)).toBeDefined();
  // What no kubelet runs is told of.
  const [default0] = JSON.parse(
    await cluster.must(['get', 'builderpool', 'default', '-o', 'jsonpath={.status.builders}']),
  ) as { pod: string; phase: string }[];
  expect(default0).toMatchObject({ pod: 'default-0', phase: 'Starting' });
  expect(operator.log()).not.toMatch(/forbidden/i);
});

test('the account may do what the operator needs and no more; those who may edit a namespace may make Builds there', async () => {
  const may = async (verb: string, resource: string, as: string, ...flags: readonly string[]) =>
    (
      await cluster.kubectl(['auth', 'can-i', verb, resource, '--as', as, ...(flags.length === 0 ? ['-A'] : flags)])
    ).stdout.trim();
  const account = `system:serviceaccount:${NAMESPACE}:slipway-operator`;
  expect(await may('get', 'secrets', account)).toBe('yes');
  for (const verb of ['list', 'watch', 'create', 'update', 'delete'])
    expect(await may(verb, 'secrets', account)).toBe('no');
  for (const verb of ['create', 'update', 'delete'])
    expect(await may(verb, 'builds.slipway.build', account)).toBe('no');
  expect(await may('patch', 'builderpools.slipway.build/other', account)).toBe('no');
  expect(await may('create', 'pods', account)).toBe('no');
  expect(await may('create', 'pods', account, `-n${BUILDERS}`)).toBe('yes');
  expect(await may('get', 'secrets', `system:serviceaccount:${BUILDERS}:slipway-builder`)).toBe('no');

  await cluster.must(['create', 'rolebinding', 'ada', '--clusterrole=edit', '--user=ada']);
  await cluster.must(['create', 'rolebinding', 'eve', '--clusterrole=view', '--user=eve']);
  await expect.poll(() => may('create', 'builds.slipway.build', 'ada', '-ndefault')).toBe('yes');
  expect(await may('create', 'buildruns.slipway.build', 'ada', '-ndefault')).toBe('no');
  expect(await may('patch', 'builds.slipway.build', 'ada', '-ndefault', '--subresource=status')).toBe('no');
  await expect.poll(() => may('list', 'buildruns.slipway.build', 'eve', '-ndefault')).toBe('yes');
  expect(await may('create', 'builds.slipway.build', 'eve', '-ndefault')).toBe('no');
});

test('an uninstall leaves the CRDs and what was built, and nothing that runs', async () => {
  await release('uninstall', 'slipway');
  expect(await cluster.get('build', 'slipway-test', NAMESPACE)).toBeDefined();
  await expect.poll(() => cluster.get('namespace', BUILDERS)).toBeUndefined();
  expect(await cluster.must(['get', 'clusterroles', '-l', 'app.kubernetes.io/part-of=slipway', '-o', 'name'])).toBe('');
  // As it is installed again over what stayed.
  await release('install', 'slipway', chart, '--set=builders.enabled=false');
  await release('uninstall', 'slipway');
});
