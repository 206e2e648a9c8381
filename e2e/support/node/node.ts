import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { tool } from '../../../test/tools.ts';
import { makeAuthority } from '../certificates.ts';
import { kubectlOf } from '../kubectl.ts';
import { must } from '../run.ts';
import { makeCgroups } from './cgroups.ts';
import { NODE, PAUSE, writeConfiguration } from './configuration.ts';
import { startControlPlane } from './control-plane.ts';
import { startNameServer } from './name-server.ts';
import { openNamespaces } from './namespaces.ts';
import { makePauseImage } from './pause.ts';
import { startRegistry } from './registry.ts';

/** A cluster of one node that runs pods. */
export interface NodeCluster extends AsyncDisposable {
  /** Of its link and its cgroups on the machine. */
  readonly name: string;
  /** Of a cluster admin. */
  readonly kubeconfig: string;
  /** What service accounts asked the API server for: an audit event a line. */
  readonly auditLog: string;
  /** `host:port` of a registry without TLS, for pods, the node and tests alike. */
  readonly registry: string;
}

/** Starts control plane, node and registry, with their state below `folder`, and waits until pods can run. */
export async function startNodeCluster(folder: string): Promise<NodeCluster> {
  await using opened = new AsyncDisposableStack();
  const at = (name: string) => path.join(folder, name);
  mkdirSync(at('pki'));
  // Processes end before their groups go.
  const groups = opened.use(new AsyncDisposableStack());
  const namespaces = opened.use(await openNamespaces(folder));
  const { name, node } = namespaces.addresses;
  groups.use(await makeCgroups(name));
  const registry = await startRegistry(folder, namespaces);

  const ca = await makeAuthority(at('pki'), 'kubernetes');
  const plane = await startControlPlane(at('pki'), namespaces, ca);
  const serving = await ca.issue(`system:node:${NODE}`, { organization: 'system:nodes', names: [NODE, node] });
  const files = writeConfiguration(folder, namespaces.addresses, {
    registry,
    clientCa: ca.cert,
    serving,
    proxyKubeconfig: await plane.kubeconfigOf('system:kube-proxy'),
  });
  const containerd = namespaces.start('containerd', 'containerd', ['--config', files.containerd]);
  const ctr = (...args: string[]) =>
    must('ctr', ['--address', files.containerdSocket, '--namespace', 'k8s.io', ...args]);
  const pause = await makePauseImage(folder, PAUSE);
  await containerd.ready(async () => (await ctr('version')).code === 0);
  await ctr('images', 'import', '--base-name', PAUSE.split(':')[0] as string, pause);
  namespaces.start('proxy', tool('kube-proxy'), ['--config', files.proxy]);
  const kubelet = namespaces.start('kubelet', tool('kubelet'), [
    ...['--config', files.kubelet, '--kubeconfig', await plane.kubeconfigOf(`system:node:${NODE}`, 'system:nodes')],
    ...['--hostname-override', NODE, '--node-ip', node],
  ]);
  await startNameServer(folder, namespaces, plane);
  const admin = kubectlOf(plane.kubeconfig, folder);
  await kubelet.ready(async () => {
    const found = await admin.get<{ status: { conditions: { type: string; status: string }[] } }>('node', NODE);
    return found?.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
  });
  await admin.must(['wait', '--for=create', '--timeout=240s', 'serviceaccount/default']);
  const owned = opened.move();
  return {
    name,
    kubeconfig: plane.kubeconfig,
    auditLog: plane.auditLog,
    registry,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
