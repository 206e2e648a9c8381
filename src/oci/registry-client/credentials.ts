import { type AbortOptions, type BuildTrust, digestOf } from '../../base/index.ts';

/** What one may show to a registry. */
export type Credentials =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'basic'; readonly username: string; readonly secret: string }
  /** A refresh token for the registry's token endpoint. */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** A bearer token ready for use. */
  | { readonly kind: 'registry-token'; readonly token: string };

export interface TokenRequest {
  readonly host: string;
  readonly realm: string;
  readonly service: string;
  readonly scopes: readonly string[];
}

/** `expiresIn` seconds (0: 60), `issuedAt` Unix seconds (0: now). */
export interface IssuedToken {
  readonly token: string;
  readonly expiresIn: number;
  readonly issuedAt: number;
}

export interface CredentialOptions extends AbortOptions {
  /** What they are for, as token endpoints are told: `repository:NAME:ACTIONS`. */
  readonly scopes?: readonly string[];
}

/**
 * Gives credentials for registry hosts. One object stands for one identity: tokens got with it are shared among its users and with no
 * other object, so make one a session and reuse it.
 */
export interface CredentialProvider {
  /** `host` as in image names, but `registry-1.docker.io` for Docker Hub. */
  credentials(host: string, options: CredentialOptions): Promise<Credentials>;
  /** Fetches a token so that the secret need not be told; undefined: use {@link credentials}. */
  fetchToken?(request: TokenRequest, options: AbortOptions): Promise<IssuedToken | undefined>;
  /** Where the secret is not told: something that two have in common only if they hold the same one, and can prove it. */
  identity?(host: string, options: CredentialOptions): Promise<string | undefined>;
  /** How connections with them leave the machine, where that is not how the client's do. */
  readonly trust?: BuildTrust | undefined;
}

/** Who wants something of a registry. */
export interface Caller {
  readonly credentials: CredentialProvider;
  /** Told, a line at a time, why it takes long: that the registry failed or asked to wait, and when it is asked again. */
  readonly told?: ((line: string) => void) | undefined;
}

/** What is shown to a host, as something to compare. */
export async function identityOf(
  provider: CredentialProvider,
  host: string,
  options: CredentialOptions,
): Promise<string> {
  const proven = await provider.identity?.(host, options);
  if (proven !== undefined) return `proven ${proven}`;
  return digestOf(JSON.stringify(await provider.credentials(host, options)));
}

export const anonymous: CredentialProvider = { credentials: async () => ({ kind: 'anonymous' }) };
