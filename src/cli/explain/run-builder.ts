import { KubeConfig } from '@kubernetes/client-node';
import { invalidArgument, proxySettings } from '../../base/index.ts';
import { openRunBuilder as openOnCluster, type RunBuilder } from '../../operator/index.ts';
import type { CliIo } from '../io.ts';

interface RunTarget {
  readonly namespace: string | undefined;
  readonly name: string;
  readonly kubeconfig: string | undefined;
}

/** The builder that has the record of a run of a cluster. @throws CodedError */
export async function openRunBuilder({ namespace, name, kubeconfig }: RunTarget, io: CliIo): Promise<RunBuilder> {
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (cause) {
    throw invalidArgument(`the kubeconfig cannot be used: ${(cause as Error).message}`, { cause });
  }
  const context = config.getContextObject(config.getCurrentContext());
  const key = { namespace: namespace ?? context?.namespace ?? 'default', name };
  return await openOnCluster({ config, proxies: proxySettings(io.env), key }, io);
}
