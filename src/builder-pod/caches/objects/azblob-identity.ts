import { DefaultAzureCredential, type TokenCredential } from '@azure/identity';
import type { OutboundAgents } from '../../../base/outbound-agents.ts';

/** What tokens are asked for: a store's answer may name something else, such as the account's keys. */
const STORAGE = 'https://storage.azure.com/.default';
/** Where machines are told who they are; never by way of a proxy. */
const LINK_LOCAL = /^169\.254\./;

/** Who the builder is in Azure: by its environment, the account of its pod, its machine, or the command `az` of whoever started it. */
export function builderIdentity(agents: OutboundAgents): TokenCredential {
  const identity = new DefaultAzureCredential({
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
  return { getToken: async (_scopes, options) => await identity.getToken(STORAGE, options) };
}
