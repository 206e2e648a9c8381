import type { CredentialProvider } from '../../oci/registry-client/index.ts';

/** What a client has answered once holds from then on, also when the client is gone. Tokens that it fetches itself last as long as they say. */
export function heldCredentials(from: CredentialProvider): CredentialProvider {
  const credentials = remembering(from.credentials.bind(from));
  const { fetchToken } = from;
  return {
    credentials,
    ...(fetchToken === undefined ? {} : { fetchToken: fetchToken.bind(from) }),
    ...(from.identity === undefined ? {} : { identity: remembering(from.identity.bind(from)) }),
  };
}

function remembering<O, T>(ask: (host: string, options: O) => Promise<T>): typeof ask {
  const known = new Map<string, T>();
  return async (host, options) => {
    const told = known.get(host);
    if (told !== undefined) return told;
    const answer = await ask(host, options);
    known.set(host, answer);
    return answer;
  };
}
