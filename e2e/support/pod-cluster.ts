import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Kubectl, kubectlOf } from './kubectl.ts';
import { startNodeCluster } from './node/node.ts';

/** A cluster that runs pods. */
export interface PodCluster extends Kubectl, AsyncDisposable {
  /** Of a cluster admin. */
  readonly kubeconfig: string;
  /** `host:port` of a registry, for pods, nodes and tests alike; without TLS when the cluster is of this machine's own. */
  readonly registry: string;
  /** What service accounts asked the API server for, an audit event a line; undefined when tests did not start it. */
  readonly auditLog: string | undefined;
  /** What the cluster has of the machine is named so; undefined when tests did not start it. */
  readonly ownName: string | undefined;
}

/**
 * The cluster that `SLIPWAY_E2E_KUBECONFIG` names, with the registry that `SLIPWAY_E2E_REGISTRY` names; else one of this machine's own, with its state below
 * `folder`.
 */
export async function openPodCluster(folder: string): Promise<PodCluster> {
  const home = path.join(folder, 'kubectl');
  mkdirSync(home, { recursive: true });
  const kubeconfig = process.env['SLIPWAY_E2E_KUBECONFIG'];
  if (kubeconfig !== undefined && kubeconfig !== '') {
    const registry = process.env['SLIPWAY_E2E_REGISTRY'];
    if (registry === undefined || registry === '')
      throw new Error('SLIPWAY_E2E_REGISTRY must name a registry that the cluster and this machine reach');
    return {
      ...kubectlOf(kubeconfig, home),
      kubeconfig,
      registry,
      auditLog: undefined,
      ownName: undefined,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const node = await startNodeCluster(folder);
  return {
    ...kubectlOf(node.kubeconfig, home),
    kubeconfig: node.kubeconfig,
    registry: node.registry,
    auditLog: node.auditLog,
    ownName: node.name,
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  };
}
