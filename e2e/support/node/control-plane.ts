import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { tool } from '../../../test/tools.ts';
import { isApiServerReady } from '../api-server.ts';
import type { Authority } from '../certificates.ts';
import { writeKubeconfig } from '../kubeconfig.ts';
import { must } from '../run.ts';
import type { Namespaces } from './namespaces.ts';

export interface ControlPlane {
  /** Of a cluster admin. */
  readonly kubeconfig: string;
  /** What service accounts asked for: an audit event a line. */
  readonly auditLog: string;
  /** Writes the kubeconfig of a component. */
  kubeconfigOf(user: string, organization?: string): Promise<string>;
}

/** Starts etcd, the API server, the controllers and the scheduler in a node's namespaces, with their state below `folder`. */
export async function startControlPlane(folder: string, namespaces: Namespaces, ca: Authority): Promise<ControlPlane> {
  const { node, apiService, services, pods } = namespaces.addresses;
  const [etcd, peers] = ['http://127.0.0.1:2379', 'http://127.0.0.1:2380'];
  namespaces.start('etcd', tool('etcd'), [
    // In memory, with the rest of that folder.
    ...['--name', NAME, '--data-dir', '/var/lib/etcd', '--unsafe-no-fsync', '--log-level', 'warn'],
    ...['--listen-client-urls', etcd, '--advertise-client-urls', etcd],
    ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers, '--initial-cluster', `${NAME}=${peers}`],
  ]);
  const host = 'kubernetes.default.svc';
  const serving = await ca.issue('kube-apiserver', {
    names: ['kubernetes', 'kubernetes.default', host, `${host}.cluster.local`, node, apiService, '127.0.0.1'],
  });
  const towardsKubelet = await ca.issue('kube-apiserver-kubelet-client', { organization: 'system:masters' });
  const towardsExtensions = await ca.issue('front-proxy-client');
  const accounts = path.join(folder, 'service-accounts.key');
  await must('openssl', ['genrsa', '-out', accounts, '2048']);
  const auditLog = path.join(folder, 'audit.log');
  const auditPolicy = path.join(folder, 'audit-policy.json');
  writeFileSync(auditPolicy, JSON.stringify(AUDIT_POLICY));
  const api = namespaces.start('apiserver', tool('kube-apiserver'), [
    ...['--etcd-servers', etcd, '--bind-address', node, '--advertise-address', node, '--secure-port', '6443'],
    ...['--service-cluster-ip-range', services, '--client-ca-file', ca.cert, '--cert-dir', folder],
    ...['--tls-cert-file', serving.cert, '--tls-private-key-file', serving.key],
    ...[
      '--authorization-mode',
      'Node,RBAC',
      '--enable-admission-plugins',
      'NodeRestriction',
      '--allow-privileged=true',
    ],
    ...['--service-account-issuer', `https://${host}`, '--service-account-key-file', accounts],
    ...['--service-account-signing-key-file', accounts],
    ...['--kubelet-certificate-authority', ca.cert, '--kubelet-preferred-address-types', 'InternalIP'],
    ...['--kubelet-client-certificate', towardsKubelet.cert, '--kubelet-client-key', towardsKubelet.key],
    ...['--requestheader-client-ca-file', ca.cert, '--requestheader-allowed-names', 'front-proxy-client'],
    ...['--requestheader-username-headers', 'X-Remote-User', '--requestheader-group-headers', 'X-Remote-Group'],
    ...['--requestheader-extra-headers-prefix', 'X-Remote-Extra-', '--enable-aggregator-routing=true'],
    ...['--proxy-client-cert-file', towardsExtensions.cert, '--proxy-client-key-file', towardsExtensions.key],
    ...['--audit-policy-file', auditPolicy, '--audit-log-path', auditLog, '--audit-log-mode', 'blocking'],
    ...['--profiling=false'],
  ]);
  const url = `https://${node}:6443`;
  const kubeconfigOf = async (user: string, organization?: string) =>
    writeKubeconfig(
      path.join(folder, `${user.replaceAll(':', '-')}.kubeconfig`),
      url,
      ca,
      await ca.issue(user, organization === undefined ? {} : { organization }),
    );
  const kubeconfig = await kubeconfigOf('admin', 'system:masters');
  const [manager, scheduler] = [
    await kubeconfigOf('system:kube-controller-manager'),
    await kubeconfigOf('system:kube-scheduler'),
  ];
  await api.ready(() => isApiServerReady(url, ca));
  const asUser = (file: string) => [
    ...['--kubeconfig', file, '--authentication-kubeconfig', file, '--authorization-kubeconfig', file],
    ...['--leader-elect=false', '--bind-address', '127.0.0.1', '--profiling=false'],
  ];
  namespaces.start('controller-manager', tool('kube-controller-manager'), [
    ...asUser(manager),
    ...['--service-account-private-key-file', accounts, '--root-ca-file', ca.cert, '--use-service-account-credentials'],
    ...['--cluster-signing-cert-file', ca.cert, '--cluster-signing-key-file', ca.key, '--allocate-node-cidrs=false'],
    ...['--cluster-cidr', pods, '--service-cluster-ip-range', services, '--enable-hostpath-provisioner=true'],
  ]);
  namespaces.start('scheduler', tool('kube-scheduler'), asUser(scheduler));
  return { kubeconfig, auditLog, kubeconfigOf };
}

const NAME = 'e2e';

/** Each call of an account once, when it is answered. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted', 'Panic'],
  rules: [
    { level: 'None', userGroups: ['system:nodes'] },
    { level: 'None', namespaces: ['kube-system'], userGroups: ['system:serviceaccounts:kube-system'] },
    { level: 'Metadata', userGroups: ['system:serviceaccounts'] },
  ],
};
