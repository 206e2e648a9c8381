import path from 'node:path';
import { expect, test } from 'vitest';
import { chartValues } from '../scripts/chart-files.ts';
import { parseFlags } from '../src/builder-pod/daemon/flags.ts';
import { parseCommandLine } from '../src/cli/command-line.ts';
import { builderPod } from '../src/operator/pool/pod.ts';
import { parseBuilderPools } from '../src/resources/index.ts';
import { chart, helm, type Manifest, manifests, renderChart } from './support/helm.ts';
import { root } from './support/paths.ts';
import { must } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

/** Without the CRDs, which are long. */
const SHORT = { 'crds.enabled': false };
/** With all that is off by default, and nothing that differs from one render to the next. */
const ALL = {
  ...SHORT,
  'certificates.existing': { builderSecret: 'a', clientSecret: 'b' },
  'logs.tlsSecret': 'c',
  'builders.persistence.enabled': true,
  'builders.config': 'debug = true',
  'metrics.serviceMonitor.enabled': true,
  'metrics.prometheusRule.enabled': true,
  'dashboards.enabled': true,
  'tests.image': 'r.example.com/a:b',
};
/** Certificates are made anew for each render. */
const masked = (yaml: string) =>
  yaml
    .replaceAll(/((?:ca\.crt|tls\.crt|tls\.key|renew-after|build\/certificates): ).*/g, '$1…')
    .replaceAll(/[ \t]+$/gm, '');

test('the chart passes the strict lint', async () => {
  using home = tempFolder('helm');
  expect(await helm(home.path, ['lint', '--strict', chart])).toMatchObject({ code: 0 });
});

test('what a default install is made of', async () => {
  using home = tempFolder('helm');
  await expect(masked(await renderChart(home.path, SHORT))).toMatchFileSnapshot(
    path.join(root, 'e2e/testdata/chart-defaults.yaml'),
  );
});

test.each<[string, unknown, RegExp]>([
  ['operatr', {}, /operatr/],
  ['operator.replica', 3, /replica/],
  ['operator.replicas', '3', /replicas/],
  ['operator.replicas', 0, /replicas/],
  ['operator.logLevel', 'loud', /logLevel/],
  ['builders.image.digest', 'sha256:1', /digest/],
  ['builders.gc.maxUsed', '1GB', /maxUsed/],
  ['builders.pool.spec', { runsPerNamespaces: 2 }, /runsPerNamespaces/],
  ['builders.pool.spec', { endpoints: [] }, /endpoints/],
  ['builders.pool.spec', { limits: { stepMemory: 'much' } }, /stepMemory/],
  ['registryCache.spec', { mount: true }, /mount/],
  ['builders.pool.endpoints', [{ adress: 'a:1' }], /adress/],
  ['certificates.existing.builderSecret', 'a', /go together/],
  ['certificates.certManager.enabled', true, /issuerRef\.name/],
  ['builders.namespace.name', 'slipway-system', /namespace that is not the release's/],
])('%s: %j is refused', async (at, value, why) => {
  using home = tempFolder('helm');
  await expect(renderChart(home.path, { ...SHORT, [at]: value })).rejects.toThrow(why);
});

/** A value of another kind than one of its default's would be refused. */
const SAMPLES: Readonly<Record<string, unknown>> = {
  bindAddress: '[::]',
  'operator.image.digest': `sha256:${'0'.repeat(64)}`,
  'builders.image.digest': `sha256:${'0'.repeat(64)}`,
  'operator.image.pullPolicy': 'Always',
  'builders.image.pullPolicy': 'Always',
  'operator.logLevel': 'debug',
  'operator.logFormat': 'text',
  'operator.builderGrace': '7s',
  'operator.leaseDuration': '7s',
  'tests.timeout': '7m',
  'logs.retention': '7h',
  'builders.pool.endpoints': [{ address: 'elsewhere.example.com:1', capacity: 2 }],
  'builders.pool.spec': { runsPerNamespace: 3 },
  'registryCache.spec': { mounts: true },
  'certificates.certManager.issuerRef': { name: 'other', kind: 'ClusterIssuer', group: 'cert-manager.io' },
  'networkPolicy.builderEgressExcept': ['10.0.0.0/8'],
  extraObjects: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: '{{ .Release.Name }}-more' } }],
  'global.imagePullSecrets': ['pull'],
  'operator.extraArgs': ['--kubeconfig=x'],
  'builders.extraArgs': ['--debug'],
  'builders.scaleDownAfter': '7m',
  'builders.quarantineAfter': '7m',
  'builders.terminationGracePeriod': '7m',
  'builders.profile': 'userNamespace',
  'builders.architectures': ['arm64'],
  'builders.resources': { limits: { memory: '3Gi' } },
  'builders.replicas': 2,
  'certificates.names': ['builder.example.com', '10.0.0.7'],
};
const other = (value: unknown): unknown => {
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'string') return 'other';
  return Array.isArray(value) ? [{ name: 'other' }] : { other: 'other' };
};
const GENERATED = { ...SHORT };
const CERT_MANAGER = {
  ...SHORT,
  'certificates.certManager.enabled': true,
  'certificates.certManager.issuerRef.name': 'i',
};
/** Values that tell only beside others than those of ALL. */
const BESIDE: Readonly<Record<string, object>> = {
  'crds.keep': {},
  'registryCache.spec': { ...SHORT, 'registryCache.ref': 'r.example.com/cache' },
  'certificates.names': CERT_MANAGER,
  'certificates.operator': GENERATED,
  'certificates.certManager.issuerRef': CERT_MANAGER,
  'certificates.certManager.enabled': { ...GENERATED, 'certificates.certManager.issuerRef.name': 'i' },
};

test('every value reaches something', async () => {
  using home = tempFolder('helm');
  const idle: string[] = [];
  const values = [...chartValues(root)];
  expect(values.length).toBeGreaterThan(80);
  const before = new Map<object, string>();
  for (const [at, value] of values) {
    if (at === 'certificates.days') continue;
    const beside = BESIDE[at] ?? ALL;
    const base = before.get(beside) ?? masked(await renderChart(home.path, beside));
    // What differs from one render to the next would hide that a value does nothing.
    if (!before.has(beside)) expect(masked(await renderChart(home.path, beside))).toBe(base);
    before.set(beside, base);
    // What stands in both would be given twice.
    const given = {
      ...beside,
      [at]: SAMPLES[at] ?? other(at in beside ? (beside as Record<string, unknown>)[at] : value),
    };
    if (masked(await renderChart(home.path, given)) === base) idle.push(at);
  }
  expect(idle).toEqual([]);
});

test('certificates that Helm makes are renewed after two thirds of their validity', async () => {
  using home = tempFolder('helm');
  const renewAfter = async (days: number) =>
    Number(/renew-after: "(\d+)"/.exec(await renderChart(home.path, { ...SHORT, 'certificates.days': days }))?.[1]);
  const left = (await renewAfter(30)) - Date.now() / 1000;
  expect(left / 86_400).toBeGreaterThan(19.9);
  expect(left / 86_400).toBeLessThan(20.1);
});

test('manifests for those who have no Helm are those of the chart, without keys', async () => {
  const { stdout } = await must('sh', [path.join(root, 'scripts/manifests.sh'), '--set', 'builders.replicas=3']);
  const kinds = manifests(stdout).map(({ kind }) => kind);
  for (const kind of ['CustomResourceDefinition', 'Deployment', 'Role']) expect(kinds).toContain(kind);
  expect(kinds).not.toContain('Secret');
  expect(kinds).not.toContain('Pod');
  expect(stdout).toMatch(/replicas:\s+max: 4\s+min: 3/);
});

interface Container {
  readonly command: readonly string[];
  readonly args: readonly string[];
}

const containerOf = (objects: readonly Manifest[], kind: string): Container =>
  (
    objects.find((one) => one.kind === kind)?.spec as {
      template: { spec: { containers: readonly Container[] } };
    }
  ).template.spec.containers[0]!;

test('every flag that is rendered is one of its command, and the pool is one that the operator takes', async () => {
  using home = tempFolder('helm');
  const objects = manifests(
    await renderChart(home.path, {
      ...ALL,
      defaultRegistry: 'r.example.com',
      'builders.maxRuns': 3,
      'builders.gc': { maxUsedSpace: '80%', reservedSpace: '10GB', minFreeSpace: '5GB' },
      'builders.replicas': 2,
      'builders.pool.endpoints': [{ address: 'elsewhere.example.com:1', capacity: 2 }],
      'builders.pool.spec': { limits: { stepMemory: '2Gi' }, maxTimeout: '2h' },
    }),
  );
  const operator = containerOf(objects, 'Deployment');
  expect(operator.command).toEqual(['slipway', 'operator']);
  expect(parseCommandLine([...operator.command.slice(1), ...operator.args])).toMatchObject({
    kind: 'operator',
    defaultRegistry: 'r.example.com',
    pools: '/etc/slipway/pools/pools.yaml',
    metricsAddress: '0.0.0.0:8080',
    apiAddress: '0.0.0.0:8443',
  });
  const text = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'slipway-pools')!.data![
    'pools.yaml'
  ]!;
  const tlsSecretRef = { name: 'b', namespace: 'slipway-system' };
  const [pool, ...others] = parseBuilderPools(text, 'pools.yaml');
  expect(others).toEqual([]);
  expect(pool).toMatchObject({
    metadata: { name: 'default' },
    spec: {
      managed: {
        replicas: { min: 2, max: 4 },
        capacity: 3,
        gc: { maxUsedSpace: '80%', reservedSpace: '10GB', minFreeSpace: '5GB' },
        storage: { persistentVolumeClaim: { size: '100Gi' } },
        config: 'debug = true',
        resources: { requests: { cpu: '1', memory: '2Gi' } },
      },
      endpoints: [{ address: 'elsewhere.example.com:1', capacity: 2, tlsSecretRef }],
      limits: { stepMemory: '2Gi' },
      maxTimeout: '2h',
    },
  });
  const settings = { namespace: 'b', image: 'i', serverSecret: 's', clientSecret: tlsSecretRef, serverName: 'b' };
  const pod = builderPod({ ...pool!, metadata: { name: 'default', uid: 'u' } }, pool!.spec.managed!, 0, settings);
  const [builder] = (pod.spec as unknown as { containers: readonly Container[] }).containers;
  expect(builder?.command).toEqual(['buildkitd']);
  expect(parseFlags(builder!.args)).toMatchObject({
    ...{ 'max-runs': '3', 'oci-worker-gc-max-used-space': '80%', 'drain-timeout': '600s' },
  });
});
