import { mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import path from 'node:path';
import { type Authority, base64File, makeAuthority } from './certificates.ts';
import { cache } from './paths.ts';
import { freePort } from './ports.ts';
import { must, type Ran, type RunOptions, run } from './run.ts';
import { type Service, startService } from './service.ts';

/** A control plane without nodes: etcd, kube-apiserver and kube-controller-manager, on loopback. Disposing ends all three. */
export interface Cluster extends AsyncDisposable {
  readonly url: string;
  /** Of a cluster admin. */
  readonly kubeconfig: string;
  /** kubectl as the admin. */
  kubectl(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** kubectl that must succeed; what it printed. */
  must(args: readonly string[], options?: RunOptions): Promise<string>;
  /** `kubectl apply` of YAML text. */
  apply(yaml: string): Promise<Ran>;
  /** An object, undefined when there is none. */
  get<T = Readonly<Record<string, unknown>>>(kind: string, name: string, namespace?: string): Promise<T | undefined>;
  /** A kubeconfig for a ServiceAccount, with a token of the API server. */
  serviceAccountKubeconfig(namespace: string, name: string): Promise<string>;
  /** Ends the API server and starts it again on the same port, after `downMs`. */
  restartApiServer(downMs?: number): Promise<void>;
  /** Drops history from etcd, so that old resourceVersions are Gone. */
  compact(): Promise<void>;
  log(component: 'etcd' | 'apiserver' | 'controller-manager'): string;
}

const tool = (name: string) => path.join(cache, 'tools', name);

/** Starts a control plane with its state below `folder`. */
export async function startCluster(folder: string): Promise<Cluster> {
  const root = path.join(folder, 'cluster');
  const pki = path.join(root, 'pki');
  mkdirSync(pki, { recursive: true });
  const at = (name: string) => path.join(root, name);
  await using opened = new AsyncDisposableStack();

  const ca = await makeAuthority(pki, 'kubernetes');
  const server = await ca.issue('kube-apiserver', {
    names: ['127.0.0.1', 'localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', '10.96.0.1'],
  });
  const accounts = path.join(pki, 'service-accounts.key');
  await must('openssl', ['genrsa', '-out', accounts, '2048']);

  const etcdPorts = [await freePort(), await freePort()] as const;
  const etcdUrl = `http://127.0.0.1:${etcdPorts[0]}`;
  const etcd = opened.use(
    startService(
      tool('etcd'),
      [
        ...['--name', 'e2e', '--data-dir', at('etcd'), '--unsafe-no-fsync', '--log-level', 'warn'],
        ...['--listen-client-urls', etcdUrl, '--advertise-client-urls', etcdUrl],
        ...['--listen-peer-urls', `http://127.0.0.1:${etcdPorts[1]}`],
        ...['--initial-advertise-peer-urls', `http://127.0.0.1:${etcdPorts[1]}`],
        ...['--initial-cluster', `e2e=http://127.0.0.1:${etcdPorts[1]}`],
      ],
      { logFile: at('etcd.log') },
    ),
  );
  await etcd.ready(async () => (await fetch(`${etcdUrl}/health`)).ok);

  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const startApiServer = async (): Promise<Service> => {
    const service = startService(
      tool('kube-apiserver'),
      [
        ...['--etcd-servers', etcdUrl, '--bind-address', '127.0.0.1', '--advertise-address', '127.0.0.1'],
        ...['--secure-port', String(port), '--service-cluster-ip-range', '10.96.0.0/24'],
        ...['--tls-cert-file', server.cert, '--tls-private-key-file', server.key, '--client-ca-file', ca.cert],
        ...['--cert-dir', pki, '--authorization-mode', 'Node,RBAC', '--endpoint-reconciler-type', 'none'],
        ...['--service-account-issuer', 'https://kubernetes.default.svc', '--service-account-key-file', accounts],
        ...['--service-account-signing-key-file', accounts, '--allow-privileged=true', '--profiling=false'],
        ...['--etcd-compaction-interval', '0', '--v', '1'],
      ],
      { logFile: at('apiserver.log') },
    );
    await service.ready(() => answers(`${url}/readyz`, ca));
    return service;
  };
  let apiServer = await startApiServer();
  opened.defer(() => apiServer.stop('SIGTERM', 3000).then(() => undefined));

  const kubeconfigFor = async (name: string, organization: string) =>
    writeKubeconfig(at(`${name}.kubeconfig`), url, ca, await ca.issue(name, { organization }));
  const kubeconfig = await kubeconfigFor('admin', 'system:masters');
  const manager = opened.use(
    startService(
      tool('kube-controller-manager'),
      [
        ...['--kubeconfig', await kubeconfigFor('system:kube-controller-manager', 'system:masters')],
        ...[
          '--service-account-private-key-file',
          accounts,
          '--root-ca-file',
          ca.cert,
          '--use-service-account-credentials',
        ],
        ...[
          '--leader-elect=false',
          '--secure-port',
          '0',
          '--controllers',
          '*,-nodeipam,-nodelifecycle,-node-route-controller',
        ],
      ],
      { logFile: at('controller-manager.log') },
    ),
  );

  const kubectl = (args: readonly string[], options: RunOptions = {}) =>
    run(tool('kubectl'), args, { ...options, env: { KUBECONFIG: kubeconfig, HOME: root, ...options.env } });
  const cluster: Cluster = {
    url,
    kubeconfig,
    kubectl,
    must: async (args, options) => {
      const ran = await kubectl(args, options);
      if (ran.code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${ran.code}:\n${ran.output}`);
      return ran.stdout;
    },
    apply: (yaml) => kubectl(['apply', '-f', '-'], { input: yaml }),
    get: async <T>(kind: string, name: string, namespace = 'default') => {
      const ran = await kubectl(['get', kind, name, '-n', namespace, '-o', 'json', '--ignore-not-found']);
      if (ran.code !== 0) throw new Error(ran.output);
      return ran.stdout.trim() === '' ? undefined : (JSON.parse(ran.stdout) as T);
    },
    serviceAccountKubeconfig: async (namespace, name) => {
      const token = (await cluster.must(['create', 'token', name, '-n', namespace, '--duration', '4h'])).trim();
      const file = at(`${namespace}-${name}.kubeconfig`);
      writeFileSync(file, kubeconfigText(url, ca, `token: ${token}`), { mode: 0o600 });
      return file;
    },
    restartApiServer: async (downMs = 0) => {
      await apiServer.stop('SIGTERM', 3000);
      await new Promise((resolve) => setTimeout(resolve, downMs));
      apiServer = await startApiServer();
    },
    compact: async () => {
      const status = await post(`${etcdUrl}/v3/maintenance/status`, {});
      const revision = (status as { header: { revision: string } }).header.revision;
      await post(`${etcdUrl}/v3/kv/compaction`, { revision, physical: true });
    },
    log: (component) => ({ etcd, apiserver: apiServer, 'controller-manager': manager })[component].log(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  // Made by the controller manager: once it is there, so are the controllers.
  await manager.ready(async () => (await kubectl(['get', 'serviceaccount', 'default'])).code === 0);
  const owned = opened.move();
  return cluster;
}

function answers(url: string, ca: Authority): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { ca: Buffer.from(base64File(ca.cert), 'base64'), timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('error', () => resolve(false));
    request.once('timeout', () => request.destroy());
  });
}

async function post(url: string, body: object): Promise<unknown> {
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return await answer.json();
}

function writeKubeconfig(file: string, url: string, ca: Authority, user: { cert: string; key: string }): string {
  const text = `client-certificate-data: ${base64File(user.cert)}, client-key-data: ${base64File(user.key)}`;
  writeFileSync(file, kubeconfigText(url, ca, text), { mode: 0o600 });
  return file;
}

function kubeconfigText(url: string, ca: Authority, user: string): string {
  return `apiVersion: v1
kind: Config
clusters: [{ name: e2e, cluster: { server: "${url}", certificate-authority-data: ${base64File(ca.cert)} } }]
users: [{ name: user, user: { ${user} } }]
contexts: [{ name: e2e, context: { cluster: e2e, user: user, namespace: default } }]
current-context: e2e
`;
}
