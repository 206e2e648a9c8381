import { KubeConfig } from '@kubernetes/client-node';
import { invalidArgument, proxySettings } from '../../base/index.ts';
import { openRunBuilder as openOnCluster, type RunBuilder } from '../../operator/index.ts';
import type { ClusterTarget } from '../command-line.ts';
import type { CliIo } from '../io.ts';

/** The builder that has the record of a run of a cluster. @throws CodedError */
export async function openRunBuilder(
  { kind, namespace, name, kubeconfig }: ClusterTarget,
  io: CliIo,
): Promise<RunBuilder> {
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (cause) {
    throw invalidArgument(`the kubeconfig cannot be used: ${(cause as Error).message}`, { cause });
  }
  const context = config.getContextObject(config.getCurrentContext());
  const key = { namespace: namespace ?? context?.namespace ?? 'default', name };
  return await openOnCluster({ config, proxies: proxySettings(io.env), key, orBuild: kind === 'runOrBuild' }, io);
}
