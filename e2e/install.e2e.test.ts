import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tool } from '../test/tools.ts';
import { callsOf, rightsOf } from './support/audit.ts';
import { startBuilder } from './support/builder.ts';
import { BASE, building, makeContext } from './support/context.ts';
import { root } from './support/paths.ts';
import { openPodCluster, type PodCluster } from './support/pod-cluster.ts';
import { must } from './support/run.ts';
import { pushSlipwayImage } from './support/slipway-image.ts';
import { tempFolder } from './support/temp-folder.ts';

const NAMESPACE = 'slipway-system';
const BUILDERS = 'slipway-builders';
/** Of Builds and what is made by them. */
const TEAM = 'slipway-e2e-team';

/** Rights for what does not happen in this suite, and what they are for. */
const NOT_CALLED_HERE: Readonly<Record<string, string>> = {
  '/events patch': 'an Event that is told again',
  '/persistentvolumeclaims create': 'builders with volumes',
  '/serviceaccounts get': 'spec.serviceAccountName',
  'slipway.build/builderpools create': 'the pools of a file: what applying an object that is not there needs',
  'slipway.build/buildruns delete': 'spec.historyLimit',
  'slipway.build/buildruns patch': 'a run that a newer one takes the place of',
  ...Object.fromEntries(
    ['buckets', 'gitrepositories', 'ocirepositories'].map((kind) => [
      `source.toolkit.fluxcd.io/${kind} get`,
      'spec.source.flux',
    ]),
  ),
};

/** What a new user does: Helm installs Slipway, a Build is applied, and its image runs. */
describe('Slipway on a cluster', () => {
  const work = tempFolder('install');
  let cluster: PodCluster;

  beforeAll(async () => {
    cluster = await openPodCluster(work.path);
    await using builder = await startBuilder(work.path);
    await pushSlipwayImage(path.join(work.path, 'slipway'), builder, `${cluster.registry}/slipway:e2e`);
    const base = makeContext(path.join(work.path, 'base'), { Dockerfile: BASE });
    const output = `type=image,name=${cluster.registry}/base:1,push=true,registry.insecure=true`;
    await building(() => builder).succeeds(base, ['--output', output]);
    await cluster.must(['create', 'namespace', TEAM]);
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  const helm = (...args: string[]) =>
    must(tool('helm'), [...args, '--namespace', NAMESPACE], {
      env: { KUBECONFIG: cluster.kubeconfig, HOME: path.join(work.path, 'kubectl') },
    });
  /** What there is to read where something did not come. */
  const told = async () => {
    const asked = [
      ['get', 'pods,builds,buildruns,builderpools', '-A', '-o', 'wide'],
      ['describe', 'builds,buildruns', '-n', TEAM],
      ['get', 'events', '-A'],
      ['logs', '-n', NAMESPACE, '-l', 'app.kubernetes.io/component=operator', '--tail=100'],
      ['logs', '-n', BUILDERS, '-l', 'app.kubernetes.io/component=builder', '--tail=100'],
    ];
    return (await Promise.all(asked.map((args) => cluster.kubectl(args)))).map(({ output }) => output).join('\n');
  };
  const waitFor = async (namespace: string, what: string, condition: string) => {
    const ran = await cluster.kubectl(['wait', '-n', namespace, `--for=${condition}`, '--timeout=240s', what]);
    if (ran.code !== 0) throw new Error(`${ran.output}\n${await told()}`);
  };

  const applyBuild = async (name: string, steps: readonly string[], spec: object = {}) => {
    const build = {
      apiVersion: 'slipway.build/v1alpha1',
      kind: 'Build',
      metadata: { name },
      spec: {
        source: { inline: { files: { 'word.txt': 'hello\n' } } },
        dockerfile: { inline: [`FROM ${cluster.registry}/base:1`, ...steps, ''].join('\n') },
        outputs: [{ image: name }],
        ...spec,
      },
    };
    const applied = await cluster.kubectl(['apply', '-n', TEAM, '-f', '-'], { input: JSON.stringify(build) });
    expect(applied.code, applied.output).toBe(0);
  };

  test('is installed by Helm, builds what is applied, and pods run what was built', async () => {
    const image = { registry: cluster.registry, repository: 'slipway', tag: 'e2e' };
    const values = path.join(work.path, 'values.json');
    writeFileSync(
      values,
      JSON.stringify({
        defaultRegistry: cluster.registry,
        operator: { image, replicas: 1 },
        builders: {
          image,
          config: `[registry."${cluster.registry}"]\nhttp = true\n`,
          resources: { requests: { cpu: '100m', memory: '256Mi' } },
        },
      }),
    );
    await helm('install', 'slipway', path.join(root, 'charts/slipway'), '--create-namespace', '--values', values);
    await waitFor(NAMESPACE, 'deployment/slipway-operator', 'condition=Available');
    await applyBuild('hello', ['COPY word.txt /word', 'RUN echo built >> /word', 'CMD ["cat", "/word"]']);
    await waitFor(TEAM, 'builds.slipway.build/hello', 'condition=Ready');
    const reported = await cluster.must([
      ...['get', 'builds.slipway.build/hello', '-n', TEAM, '-o', 'jsonpath={.status.outputs[0].digest}'],
    ]);
    const pushed = `docker://${cluster.registry}/hello`;
    const found = await must('skopeo', ['inspect', '--tls-verify=false', '--format', '{{.Digest}}', pushed]);
    expect(found.stdout.trim()).toBe(reported);

    const run = ['run', 'hello', '-n', TEAM, '--restart=Never', `--image=${cluster.registry}/hello@${reported}`];
    await cluster.must(run);
    await waitFor(TEAM, 'pod/hello', 'jsonpath={.status.phase}=Succeeded');
    expect(await cluster.must(['logs', '-n', TEAM, 'hello'])).toBe('hello\nbuilt\n');

    await waitFor(TEAM, 'apiservice/v1alpha1.logs.slipway.build', 'condition=Available');
    const log = `/apis/logs.slipway.build/v1alpha1/namespaces/${TEAM}/builds/hello/log`;
    expect(await cluster.must(['get', '--raw', log])).toMatch(/\[3\/3\] RUN echo built[\s\S]* Succeeded\n$/);
  });

  test('a build runs on, once, while its operator’s pod is killed and another takes over', async () => {
    // It ends once there is such a repository.
    const sought = `${cluster.ownName === undefined ? 'https' : 'http'}://${cluster.registry}/v2/sign/tags/list`;
    await applyBuild('waiting', [`RUN until wget -q -O /dev/null ${sought}; do sleep 0.5; done; echo went >> /went`]);
    await waitFor(TEAM, 'builds.slipway.build/waiting', 'jsonpath={.status.phase}=Running');
    const operators = ['pods', '-n', NAMESPACE, '-l', 'app.kubernetes.io/component=operator'];
    await cluster.must(['delete', ...operators, '--force', '--grace-period=0']);
    await cluster.must(['rollout', 'status', '-n', NAMESPACE, 'deployment/slipway-operator', '--timeout=240s']);
    await must('skopeo', [
      ...['copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false'],
      ...[`docker://${cluster.registry}/base:1`, `docker://${cluster.registry}/sign:1`],
    ]);
    await waitFor(TEAM, 'builds.slipway.build/waiting', 'condition=Ready');
    const attempts = ['get', 'buildruns', '-n', TEAM, '-o'];
    const field = '{range .items[?(@.spec.buildRef.name=="waiting")]}{.status.attempts[*].number} {end}';
    expect(await cluster.must([...attempts, `jsonpath=${field}`])).toBe('1 ');
  });

  test('a pool has a builder made when a run comes, replaces it without killing the run, and has none in the end', async () => {
    const managed = {
      replicas: { min: 0, max: 1 },
      scaleDownAfter: '1s',
      config: `[registry."${cluster.registry}"]\nhttp = true\n`,
    };
    const pool = (more: object = {}) => ({
      apiVersion: 'slipway.build/v1alpha1',
      kind: 'BuilderPool',
      metadata: { name: 'elastic' },
      spec: { managed: { ...managed, ...more } },
    });
    const applyPool = async (more: object = {}) => {
      const applied = await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(pool(more)) });
      expect(applied.code, applied.output).toBe(0);
    };
    await applyPool();
    await waitFor(BUILDERS, 'builderpool/elastic', 'condition=Ready');
    expect(await cluster.get('pod', 'elastic-0', BUILDERS)).toBeUndefined();
    const sought = `${cluster.ownName === undefined ? 'https' : 'http'}://${cluster.registry}/v2/rolled/tags/list`;
    const waits = `RUN until wget -q -O /dev/null ${sought}; do sleep 0.5; done; echo went >> /went`;
    await applyBuild('rolling', [waits], { poolRef: { name: 'elastic' } });
    await waitFor(TEAM, 'builds.slipway.build/rolling', 'jsonpath={.status.phase}=Running');
    await applyPool({ env: [{ name: 'CHANGED', value: 'yes' }] });
    await waitFor(
      BUILDERS,
      'pod/elastic-0',
      String.raw`jsonpath={.metadata.annotations.slipway\.build/cordon}=Rollout`,
    );
    await must('skopeo', [
      ...['copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false'],
      ...[`docker://${cluster.registry}/base:1`, `docker://${cluster.registry}/rolled:1`],
    ]);
    await waitFor(TEAM, 'builds.slipway.build/rolling', 'condition=Ready');
    const attempts = '{range .items[?(@.spec.buildRef.name=="rolling")]}{.status.attempts[*].pod} {end}';
    expect(await cluster.must(['get', 'buildruns', '-n', TEAM, '-o', `jsonpath=${attempts}`])).toBe('elastic-0 ');
    await waitFor(BUILDERS, 'pod/elastic-0', 'delete');
    await waitFor(BUILDERS, 'builderpool/elastic', 'jsonpath={.status.replicas}=0');

    // One that is deleted by hand is replaced.
    const uids = [
      'get',
      'pods',
      '-n',
      BUILDERS,
      '-l',
      'slipway.build/pool=default',
      '-o',
      'jsonpath={.items[*].metadata.uid}',
    ];
    const before = await cluster.must(uids);
    await cluster.must(['delete', 'pods', '-n', BUILDERS, '-l', 'slipway.build/pool=default', '--wait=true']);
    await expect.poll(async () => (await cluster.must(uids)) || before).not.toContain(before);
    await waitFor(BUILDERS, 'builderpool/default', 'condition=Ready');
    await cluster.must(['delete', 'builderpool', 'elastic']);
  });

  test('the operator calls for what its roles let it do, and for nothing else', async () => {
    if (cluster.auditLog === undefined) return;
    const account = { namespace: NAMESPACE, name: 'slipway-operator' };
    const { done, refused } = callsOf(cluster.auditLog, `system:serviceaccount:${NAMESPACE}:${account.name}`);
    expect(refused).toEqual([]);
    const unused = [...(await rightsOf(cluster, account))].filter((right) => !done.has(right));
    expect(unused.sort()).toEqual(Object.keys(NOT_CALLED_HERE).sort());
  });

  test('its end takes all that it brought, but for Builds', async () => {
    await helm('uninstall', 'slipway', '--wait');
    expect(await cluster.get('deployment', 'slipway-operator', NAMESPACE)).toBeUndefined();
    expect(await cluster.get('builds.slipway.build', 'hello', TEAM)).toBeDefined();
    await cluster.must(['delete', 'namespace', TEAM, NAMESPACE, '--wait=false']);
  });
});
