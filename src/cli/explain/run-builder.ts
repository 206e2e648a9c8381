import { proxySettings } from '../../base/index.ts';
import { openRunBuilder as openOnCluster, type RunBuilder } from '../../operator/index.ts';
import { readKubeConfig } from '../cluster/kube-config.ts';
import type { ClusterTarget } from '../command-line.ts';
import type { CliIo } from '../io.ts';

/** The builder that has the record of a run of a cluster. @throws CodedError */
export async function openRunBuilder(
  { kind, namespace, name, kubeconfig }: ClusterTarget,
  io: CliIo,
): Promise<RunBuilder> {
  const { config, namespace: own } = readKubeConfig({ kubeconfig, context: undefined, namespace });
  const key = { namespace: own, name };
  return await openOnCluster({ config, proxies: proxySettings(io.env), key, orBuild: kind === 'runOrBuild' }, io);
}
