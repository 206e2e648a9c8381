import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBuilder, type TestBuilder } from './builder.ts';
import { base64File, makeAuthority } from './certificates.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { makeContext } from './context.ts';
import { renderChart } from './helm.ts';
import { registerLogsApi } from './logs-api.ts';
import { root, slipway } from './paths.ts';
import { freePort } from './ports.ts';
import { type Service, startService } from './service.ts';

/** Namespace and account of the operator, as the chart has them. */
const NAMESPACE = 'slipway-system';
/** Of the pods that the operator makes, where it does. */
const BUILDERS = 'slipway-builders';
const ACCOUNT = 'slipway-operator';

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

interface Moved {
  readonly pushedBytes?: number;
  readonly mountedBytes?: number;
}

/** What tests read of a Build or BuildRun: JSON from the API server. */
export interface Resource {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly generation: number;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: {
    readonly phase?: string;
    readonly observedGeneration?: number;
    readonly conditions?: readonly Condition[];
    readonly outputs?: readonly ({
      readonly image: string;
      readonly digest: string;
      readonly size?: number;
      readonly images?: readonly { readonly platform: string; readonly digest: string }[];
    } & Moved)[];
    readonly resolved?: {
      readonly commit?: string;
      readonly baseImages?: readonly { readonly name: string; readonly digest: string }[];
    };
    readonly cache?: {
      readonly vertices: number;
      readonly hits: number;
      readonly exports?: readonly ({ readonly ref: string; readonly digest?: string } & Moved)[];
    };
    readonly pulled?: readonly { readonly source: string; readonly bytes: number }[];
    readonly slowestSteps?: readonly { readonly name: string }[];
    readonly attempts?: readonly { readonly number: number; readonly builder?: string; readonly reason?: string }[];
    readonly queue?: { readonly position: number };
    readonly lastRun?: { readonly name: string; readonly number: number; readonly hash: string };
    readonly failure?: {
      readonly class: string;
      readonly reason: string;
      readonly message: string;
      readonly exitCode?: number;
      readonly logTail?: string;
      readonly dockerfile?: {
        readonly path?: string;
        readonly startLine: number;
        readonly endLine: number;
        readonly snippet?: string;
      };
    };
  };
}

/** A control plane with Slipway's resources and RBAC, builder daemons with mutual TLS in a pool, and an operator under its own account. */
export interface OperatorWorld extends AsyncDisposable {
  readonly cluster: Cluster;
  /** As they run now. */
  readonly builders: readonly TestBuilder[];
  /** The operator that runs now. */
  readonly operator: Service;
  /** `http://127.0.0.1:port` of its probes and metrics. */
  readonly operatorUrl: string;
  startOperator(): Promise<void>;
  /** Another operator beside it, which waits for its turn. */
  startRival(): Promise<Service>;
  /** Kills a builder, and starts it again on its address and state. */
  restartBuilder(at: number): Promise<void>;
  /** Ends the operator; SIGKILL leaves it no time for anything. */
  stopOperator(signal?: NodeJS.Signals): Promise<void>;
  /** Builds `FROM scratch` with busybox and pushes it under this name, as a base with a shell. */
  pushBase(name: string): Promise<void>;
  build(name: string): Promise<Resource | undefined>;
  run(name: string): Promise<Resource | undefined>;
  /** The BuildRuns of a Build, oldest first. */
  runs(build: string): Promise<readonly Resource[]>;
  /** Waits until it holds, and returns the resource. @throws with the resource and the operator's log */
  until(
    kind: 'builds' | 'buildruns',
    name: string,
    holds: (resource: Resource) => boolean,
    timeoutMs?: number,
  ): Promise<Resource>;
  /** `kubectl wait --for=condition=Ready` of a Build. */
  waitReady(build: string, timeout?: string): Promise<void>;
  /** Sum of the samples of a metric whose labels have all of these. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

export interface WorldOptions {
  readonly builders?: number;
  /** Flags of every builder. */
  readonly builderFlags?: readonly string[];
  readonly operatorFlags?: readonly string[];
  /** Values of the chart that the operator's rights are rendered with. */
  readonly chart?: object;
  /** What each builder says that it builds for; without it what this machine does. */
  readonly platforms?: readonly string[];
  /** Whether the operator serves logs, behind the API server. */
  readonly logs?: boolean;
  /** The command that the operator is of; this checkout's when absent. */
  readonly command?: string;
}

export async function startOperatorWorld(folder: string, options: WorldOptions = {}): Promise<OperatorWorld> {
  await using opened = new AsyncDisposableStack();
  const cluster = opened.use(await startCluster(folder));
  await cluster.must(['apply', '--server-side', '-f', path.join(root, 'crds')]);
  await cluster.must(['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all']);
  for (const namespace of [NAMESPACE, BUILDERS]) await cluster.must(['create', 'namespace', namespace]);
  const rbac = await renderChart(path.join(folder, 'helm'), options.chart ?? {}, [
    '--show-only=templates/operator/rbac.yaml',
  ]);
  await cluster.must(['apply', '-f', '-'], { input: rbac });

  const pki = path.join(folder, 'builder-pki');
  mkdirSync(pki, { recursive: true });
  const ca = await makeAuthority(pki, 'builders');
  const certificate = await ca.issue('builder', { names: ['127.0.0.1', 'localhost'] });
  const builders: TestBuilder[] = [];
  opened.defer(async () => void (await Promise.all(builders.map((builder) => builder[Symbol.asyncDispose]()))));
  const addresses: string[] = [];
  const startTlsBuilder = async (at: number): Promise<TestBuilder> => {
    const state = path.join(folder, `builder-${at}`);
    mkdirSync(state, { recursive: true });
    const tls = ['--tlscacert', ca.cert, '--tlscert', certificate.cert, '--tlskey', certificate.key];
    const platform = options.platforms?.[at];
    const offers = platform === undefined ? [] : ['--oci-worker-platform', platform];
    const flags = ['--addr', `tcp://${addresses[at]}`, ...tls, ...offers, ...(options.builderFlags ?? [])];
    return await startBuilder(state, flags);
  };
  for (let at = 0; at < (options.builders ?? 1); at++) {
    addresses.push(`127.0.0.1:${await freePort()}`);
    builders.push(await startTlsBuilder(at));
  }
  const client = await ca.issue('slipway-operator');
  await cluster
    .apply(`apiVersion: v1
kind: Secret
metadata: { name: builder-tls, namespace: ${NAMESPACE} }
type: kubernetes.io/tls
data: { ca.crt: ${base64File(ca.cert)}, tls.crt: ${base64File(client.cert)}, tls.key: ${base64File(client.key)} }
---
apiVersion: slipway.build/v1alpha1
kind: BuilderPool
metadata: { name: default }
spec:
  endpoints: ${JSON.stringify(
    addresses.map((address) => ({ address, tlsSecretRef: { name: 'builder-tls', namespace: NAMESPACE } })),
  )}
`)
    .then((ran) => {
      if (ran.code !== 0) throw new Error(ran.output);
    });
  const kubeconfig = await cluster.serviceAccountKubeconfig(NAMESPACE, ACCOUNT);
  const logsFlags = options.logs === true ? await registerLogsApi(cluster, folder) : [];
  const port = await freePort();
  const operatorUrl = `http://127.0.0.1:${port}`;
  const startOne = async (metricsPort: number, log: string): Promise<Service> => {
    const metrics = `127.0.0.1:${metricsPort}`;
    const service = startService(
      options.command ?? slipway,
      [
        ...['operator', '--kubeconfig', kubeconfig, '--lease-namespace', NAMESPACE, '--metrics-addr', metrics],
        ...['--log-format', 'json', '--lease-duration', '3s', ...(options.operatorFlags ?? [])],
        // Of one operator alone: a rival has no port of its own for it.
        ...(log === 'operator.log' ? logsFlags : []),
      ],
      { logFile: path.join(folder, log) },
    );
    await service.ready(async () => (await fetch(`http://${metrics}/readyz`)).ok);
    return service;
  };
  let operator: Service | undefined;
  const current = (): Service => {
    if (operator === undefined) throw new Error('no operator was started');
    return operator;
  };
  const get = (kind: string, name: string) => cluster.get<Resource>(kind, name);
  const world: OperatorWorld = {
    cluster,
    builders,
    get operator() {
      return current();
    },
    operatorUrl,
    startOperator: async () => {
      operator = await startOne(port, 'operator.log');
    },
    startRival: async () => await startOne(await freePort(), 'rival.log'),
    restartBuilder: async (at) => {
      await builders[at]?.stop('SIGKILL');
      builders[at] = await startTlsBuilder(at);
    },
    stopOperator: async (signal) => void (await current().stop(signal)),
    pushBase: async (name) => {
      const context = makeContext(path.join(folder, 'base'), {
        Dockerfile: 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n',
      });
      const ran = await (builders[0] as TestBuilder).buildctl([
        ...['build', '--progress=plain', '--frontend', 'dockerfile.v0'],
        ...['--local', `context=${context}`, '--local', `dockerfile=${context}`],
        ...['--output', `type=image,name=${name},push=true`],
      ]);
      if (ran.code !== 0) throw new Error(ran.output);
    },
    build: (name) => get('builds.slipway.build', name),
    run: (name) => get('buildruns.slipway.build', name),
    runs: async (build) => {
      const list = JSON.parse(await cluster.must(['get', 'buildruns.slipway.build', '-o', 'json'])) as {
        items: readonly Resource[];
      };
      return list.items
        .filter((run) => (run.spec['buildRef'] as { name: string }).name === build)
        .sort((a, b) => Number(a.spec['number']) - Number(b.spec['number']));
    },
    until: async (kind, name, holds, timeoutMs = 240_000) => {
      const end = Date.now() + timeoutMs;
      while (true) {
        const resource = await get(`${kind}.slipway.build`, name);
        if (resource !== undefined && holds(resource)) return resource;
        if (Date.now() > end)
          throw new Error(
            `${kind} ${name} is not what was awaited:\n${JSON.stringify(resource, undefined, 1)}\n--- operator\n${current().log().slice(-5000)}`,
          );
        await sleep(250);
      }
    },
    waitReady: async (build, timeout = '240s') => {
      const ran = await cluster.kubectl([
        'wait',
        '--for=condition=Ready',
        `--timeout=${timeout}`,
        `builds.slipway.build/${build}`,
      ]);
      if (ran.code !== 0)
        throw new Error(
          `${ran.output}\n${JSON.stringify(await world.build(build), undefined, 1)}\n--- operator\n${current().log().slice(-5000)}`,
        );
    },
    metric: async (name, labels = {}) => {
      const text = await (await fetch(`${operatorUrl}/metrics`)).text();
      let sum = 0;
      for (const line of text.split('\n')) {
        const [, sample, given = '', value] = /^([a-zA-Z_:]+)(?:\{(.*)\})? ([^ ]+)/.exec(line) ?? [];
        if (sample !== name) continue;
        if (Object.entries(labels).every(([key, wanted]) => given.includes(`${key}="${wanted}"`))) sum += Number(value);
      }
      return sum;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  opened.defer(async () => void (await operator?.stop()));
  await world.startOperator();
  const owned = opened.move();
  return world;
}
