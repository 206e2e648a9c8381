import type { CredentialOptions, CredentialProvider } from '../../oci/registry-client/index.ts';
import { repositoryOf } from './credentials.ts';

/** What a client has answered once holds from then on, also when the client is gone. Tokens that it fetches itself last as long as they say. */
export function heldCredentials(from: CredentialProvider): CredentialProvider {
  const credentials = remembering(from.credentials.bind(from));
  const { fetchToken } = from;
  return {
    credentials,
    trust: from.trust,
    ...(fetchToken === undefined ? {} : { fetchToken: fetchToken.bind(from) }),
    ...(from.identity === undefined ? {} : { identity: remembering(from.identity.bind(from)) }),
  };
}

function remembering<T>(ask: (host: string, options: CredentialOptions) => Promise<T>): typeof ask {
  const known = new Map<string, T>();
  return async (host, options) => {
    const key = `${host} ${repositoryOf(options.scopes) ?? ''}`;
    const told = known.get(key);
    if (told !== undefined) return told;
    const answer = await ask(host, options);
    known.set(key, answer);
    return answer;
  };
}
