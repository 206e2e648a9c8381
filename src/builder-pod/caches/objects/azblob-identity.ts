import { DefaultAzureCredential, type TokenCredential } from '@azure/identity';
import type { OutboundAgents } from '../../../base/outbound-agents.ts';

/** Where machines are told who they are; never by way of a proxy. */
const LINK_LOCAL = /^169\.254\./;

/** Who the builder is in Azure: by its environment, the account of its pod, its machine, or the command `az` of whoever started it. */
export function builderIdentity(agents: OutboundAgents): TokenCredential {
  return new DefaultAzureCredential({
    additionalPolicies: [
      {
        position: 'perCall',
        policy: {
          name: 'outbound-agents',
          sendRequest: async (request, next) => {
            const url = new URL(request.url);
            if (!LINK_LOCAL.test(url.hostname)) request.agent = agents.for(url);
            return await next(request);
          },
        },
      },
    ],
  });
}
