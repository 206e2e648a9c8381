import type { CredentialProvider } from '../credentials.ts';

/** The same user name and secret for every host. */
export function staticCredentials(username: string, secret: string): CredentialProvider {
  return { credentials: async () => ({ kind: 'basic', username, secret }) };
}
