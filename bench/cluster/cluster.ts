import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { startBuilder } from '../../e2e/support/builder.ts';
import { BASE, building, makeContext } from '../../e2e/support/context.ts';
import { root } from '../../e2e/support/paths.ts';
import { openPodCluster, type PodCluster } from '../../e2e/support/pod-cluster.ts';
import { copyProgram } from '../../e2e/support/program.ts';
import { must } from '../../e2e/support/run.ts';
import { pushSlipwayImage } from '../../e2e/support/slipway-image.ts';
import { type KubeObject, openKubeClient, type ResourceType, uncheckedType } from '../../src/operator/runtime/index.ts';
import { tool } from '../../test/tools.ts';

const NAMESPACE = 'bench';
const SYSTEM = 'slipway-system';
const BUILDERS = 'slipway-builders';

interface Conditioned extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** A cluster of one node with Slipway installed, and what the peers need. */
export interface BenchCluster extends AsyncDisposable {
  readonly registry: string;
  /** Has `buildkitd`, `buildctl`, runc and a shell. */
  readonly peerImage: string;
  readonly kubectl: PodCluster;
  /** Makes an object and waits until its condition `Ready` or `Complete` holds. @throws when `Stalled` or `Failed` does */
  applied(type: Omit<ResourceType, 'parse' | 'namespaced'>, object: object): Promise<void>;
  /** Has so many builders, all of them new, and waits until they answer. */
  freshBuilders(count: number): Promise<void>;
  /** Flags of `buildctl` for the pool's first builder. */
  builderFlags(): Promise<readonly string[]>;
  /** CPU seconds of all pods since the start. */
  podCpu(): number;
  /** Bytes of blobs that the registry has given out. */
  pulledBytes(): number;
}

export async function openBenchCluster(folder: string): Promise<BenchCluster> {
  await using opened = new AsyncDisposableStack();
  const cluster = opened.use(await openPodCluster(folder));
  if (cluster.ownName === undefined) throw new Error('the figures are of a cluster of this machine’s own');
  const { registry, ownName } = cluster;
  const peerImage = `${registry}/buildkit:bench`;
  {
    await using builder = await startBuilder(folder);
    await pushSlipwayImage(path.join(folder, 'slipway'), builder, `${registry}/slipway:bench`);
    await pushPeerImage(path.join(folder, 'peer'), builder, peerImage);
    const base = makeContext(path.join(folder, 'base'), { Dockerfile: BASE });
    const output = `type=image,name=${registry}/base:1,push=true,registry.insecure=true`;
    await building(() => builder).succeeds(base, ['--output', output]);
  }
  await cluster.must(['create', 'namespace', NAMESPACE]);
  const values = path.join(folder, 'values.json');
  const helm = (command: readonly string[]) => {
    const image = { registry, repository: 'slipway', tag: 'bench' };
    writeFileSync(
      values,
      JSON.stringify({
        operator: { image, replicas: 1 },
        builders: {
          image,
          maxReplicas: 1,
          config: `[registry."${registry}"]\nhttp = true\n`,
          resources: { requests: { cpu: '100m', memory: '256Mi' } },
        },
      }),
    );
    return must(tool('helm'), [...command, '--namespace', SYSTEM, '--values', values], {
      env: { KUBECONFIG: cluster.kubeconfig, HOME: path.join(folder, 'kubectl') },
    });
  };
  const chart = path.join(root, 'charts/slipway');
  await helm(['install', 'slipway', chart, '--create-namespace']);
  await cluster.must([
    'wait',
    '-n',
    SYSTEM,
    '--for=condition=Available',
    '--timeout=240s',
    'deployment/slipway-operator',
  ]);

  const config = new KubeConfig();
  config.loadFromFile(cluster.kubeconfig);
  const client = opened.use(openKubeClient(config, { request: () => {} }));
  const poolType = uncheckedType<KubeObject & { readonly status?: { readonly ready?: number } }>({
    ...{ group: 'slipway.build', version: 'v1alpha1', plural: 'builderpools', kind: 'BuilderPool', namespaced: false },
  });
  const whenReady = async (count: number) => {
    for (;;) {
      const pool = await client
        .get(poolType, { name: 'default' }, { signal: AbortSignal.timeout(5000) })
        .catch(() => undefined);
      if (pool?.status?.ready === count) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  await whenReady(1);
  const owned = opened.move();
  return {
    registry,
    peerImage,
    kubectl: cluster,
    applied: async (names, object) => {
      const type = uncheckedType<Conditioned>({ ...names, namespaced: true });
      const version = names.group === '' ? names.version : `${names.group}/${names.version}`;
      const given = object as { readonly metadata: { readonly name: string } };
      const whole = {
        apiVersion: version,
        kind: names.kind,
        ...given,
        metadata: { ...given.metadata, namespace: NAMESPACE },
      };
      const over = new AbortController();
      const signal = AbortSignal.any([over.signal, AbortSignal.timeout(600_000)]);
      const made = await client.create(type, whole, { signal, fieldManager: 'bench' });
      try {
        const events = client.watch(type, { signal, resourceVersion: made.metadata.resourceVersion as string });
        for await (const { object: seen } of events) {
          const one = seen as Conditioned;
          if (one.metadata.name !== given.metadata.name) continue;
          const holds = (...types: readonly string[]) =>
            one.status?.conditions?.some(({ type: what, status }) => types.includes(what) && status === 'True') ===
            true;
          if (holds('Ready', 'Complete')) return;
          if (!holds('Stalled', 'Failed')) continue;
          const about = `${names.plural}.${names.group}/${given.metadata.name}`;
          const { output } = await cluster.kubectl(['logs', '-n', NAMESPACE, '--tail=40', about]);
          throw new Error(`${about}: ${JSON.stringify(one.status)}\n${output}`);
        }
        throw new Error(`the watch of ${names.kind} ended`);
      } finally {
        over.abort();
      }
    },
    freshBuilders: async (count) => {
      const replicas = { spec: { managed: { replicas: { min: count, max: count } } } };
      await cluster.must(['patch', 'builderpool', 'default', '--type=merge', '-p', JSON.stringify(replicas)]);
      await cluster.must(['delete', '-n', BUILDERS, ...BUILDER_PODS]);
      // Deleted ones are told of no more.
      await whenReady(count);
    },
    builderFlags: async () => {
      const pods = await cluster.must([
        'get',
        '-n',
        BUILDERS,
        ...BUILDER_PODS,
        '-o',
        'jsonpath={.items[0].status.podIP}',
      ]);
      const secret = await cluster.get<{ data?: Record<string, string> }>('secret', 'slipway-builder-client', SYSTEM);
      const pki = path.join(folder, 'client');
      mkdirSync(pki, { recursive: true });
      for (const [name, text] of Object.entries(secret?.data ?? {}))
        writeFileSync(path.join(pki, name), Buffer.from(text, 'base64'));
      const flag = (name: string, file: string) => [name, path.join(pki, file)];
      return [
        ...['--addr', `tcp://${pods}:8443`, '--tlsservername', `slipway-builder.${BUILDERS}.svc`],
        ...[...flag('--tlscacert', 'ca.crt'), ...flag('--tlscert', 'tls.crt'), ...flag('--tlskey', 'tls.key')],
      ];
    },
    podCpu: () => {
      const unified = `/sys/fs/cgroup/${ownName}/cpu.stat`;
      if (!existsSync(unified))
        return Number(readFileSync(`/sys/fs/cgroup/cpuacct/${ownName}/cpuacct.usage`, 'utf8')) / 1e9;
      return Number(/usage_usec (\d+)/.exec(readFileSync(unified, 'utf8'))?.[1]) / 1e6;
    },
    pulledBytes: () =>
      readFileSync(path.join(folder, 'registry.log'), 'utf8')
        .matchAll(
          /http\.request\.method=GET .*http\.request\.uri="?\/v2\/[^ ]*\/blobs\/.*http\.response\.written=(\d+)/g,
        )
        .reduce((sum, [, bytes]) => sum + Number(bytes), 0),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const BUILDER_PODS = ['pods', '-l', 'app.kubernetes.io/component=builder'];

async function pushPeerImage(
  folder: string,
  builder: Awaited<ReturnType<typeof startBuilder>>,
  name: string,
): Promise<void> {
  const context = makeContext(folder, { Dockerfile: `${BASE}COPY root /\nENV PATH=/usr/bin:/usr/sbin:/bin\n` });
  const tree = path.join(context, 'root');
  mkdirSync(path.join(tree, 'usr/bin'), { recursive: true });
  for (const program of ['buildkitd', 'buildctl']) copyFileSync(tool(program), path.join(tree, 'usr/bin', program));
  await copyProgram('runc', tree);
  await building(() => builder).succeeds(context, [
    ...['--output', `type=image,name=${name},push=true,registry.insecure=true,compression=uncompressed`],
  ]);
}
