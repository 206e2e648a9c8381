import { KubeConfig } from '@kubernetes/client-node';
import { invalidArgument } from '../../base/index.ts';
import type { ClusterFlags } from './command.ts';

/** The kubeconfig with its context, and the namespace that is meant. @throws CodedError invalid_argument */
export function readKubeConfig({ kubeconfig, context, namespace }: ClusterFlags): {
  readonly config: KubeConfig;
  readonly namespace: string;
} {
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (cause) {
    throw invalidArgument(`the kubeconfig cannot be used: ${(cause as Error).message}`, { cause });
  }
  if (context !== undefined) {
    if (config.getContextObject(context) === null)
      throw invalidArgument(`the kubeconfig has no context ${JSON.stringify(context)}`, {
        hint: `it has ${
          config
            .getContexts()
            .map(({ name }) => name)
            .join(', ') || 'none'
        }`,
      });
    config.setCurrentContext(context);
  }
  const current = config.getContextObject(config.getCurrentContext());
  return { config, namespace: namespace ?? current?.namespace ?? 'default' };
}
