import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { tool } from '../../test/tools.ts';
import { isApiServerReady } from './api-server.ts';
import { makeAuthority } from './certificates.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type Kubectl, kubectlOf } from './kubectl.ts';
import { freePort } from './ports.ts';
import { must } from './run.ts';
import { type Service, startService } from './service.ts';

/** A control plane without nodes: etcd, kube-apiserver and kube-controller-manager, on loopback. Disposing ends all three. */
export interface Cluster extends Kubectl, AsyncDisposable {
  readonly url: string;
  /** Of a cluster admin. */
  readonly kubeconfig: string;
  /** A kubeconfig for a ServiceAccount, with a token of the API server. */
  serviceAccountKubeconfig(namespace: string, name: string): Promise<string>;
  /** Ends the API server and starts it again on the same port, after `downMs`. */
  restartApiServer(downMs?: number): Promise<void>;
  /** Drops history from etcd, so that old resourceVersions are Gone. */
  compact(): Promise<void>;
  log(component: 'etcd' | 'apiserver' | 'controller-manager'): string;
}

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
  // For APIs that others serve behind this one.
  const frontCa = await makeAuthority(pki, 'front-proxy');
  const front = await frontCa.issue('front-proxy-client');
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
        ...['--requestheader-client-ca-file', frontCa.cert, '--requestheader-allowed-names', 'front-proxy-client'],
        ...['--requestheader-username-headers', 'X-Remote-User', '--requestheader-group-headers', 'X-Remote-Group'],
        ...['--requestheader-extra-headers-prefix', 'X-Remote-Extra-'],
        ...['--proxy-client-cert-file', front.cert, '--proxy-client-key-file', front.key],
        ...['--etcd-compaction-interval', '0', '--v', '1'],
      ],
      { logFile: at('apiserver.log') },
    );
    await service.ready(() => isApiServerReady(url, ca));
    return service;
  };
  let apiServer = await startApiServer();
  // Nobody needs what it would wait for.
  opened.defer(() => apiServer.stop('SIGKILL').then(() => undefined));

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

  const admin = kubectlOf(kubeconfig, root);
  const cluster: Cluster = {
    ...admin,
    url,
    kubeconfig,
    serviceAccountKubeconfig: async (namespace, name) => {
      const token = (await cluster.must(['create', 'token', name, '-n', namespace, '--duration', '4h'])).trim();
      return writeKubeconfig(at(`${namespace}-${name}.kubeconfig`), url, ca, { token });
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
  await manager.ready(async () => (await admin.kubectl(['get', 'serviceaccount', 'default'])).code === 0);
  const owned = opened.move();
  return cluster;
}

async function post(url: string, body: object): Promise<unknown> {
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return await answer.json();
}
