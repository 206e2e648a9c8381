import { type AbortOptions, CodedError, invalidArgument } from '../../base/index.ts';

/** What a docker config holds for a registry; the forms are those of its entries. */
export type DockerCredentials =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'basic'; readonly username: string; readonly secret: string }
  /** A refresh token for the registry's token endpoint. */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** A bearer token ready for use. */
  | { readonly kind: 'registry-token'; readonly token: string };

/** Credentials by registry host as in image names; `registry-1.docker.io` is Docker Hub as well. */
export type DockerCredentialsOf = (host: string, options: AbortOptions) => Promise<DockerCredentials>;

interface AuthEntry {
  readonly auth?: unknown;
  readonly username?: unknown;
  readonly password?: unknown;
  readonly identitytoken?: unknown;
  readonly registrytoken?: unknown;
}

interface DockerConfig {
  readonly auths: Readonly<Record<string, AuthEntry>>;
  readonly credHelpers: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

/** Runs `docker-credential-<helper> get` with `server` on its standard input and returns what it printed. */
type CredentialHelper = (helper: string, server: string, options: AbortOptions) => Promise<string>;

/**
 * Credentials from the text of a docker `config.json` (auths, credHelpers, credsStore) or of a Kubernetes `.dockerconfigjson` secret.
 * Helpers are asked only when `runHelper` is given. @throws invalid_argument when the text is no such file.
 */
export function dockerConfigCredentials(text: string, runHelper?: CredentialHelper): DockerCredentialsOf {
  const config = parseConfig(text);
  return async (host, options) => {
    const keys = configKeys(host);
    const server = keys[0] ?? host;
    const helper = keys.map((key) => config.credHelpers[key]).find((name) => name !== undefined) ?? config.credsStore;
    if (helper !== undefined && runHelper !== undefined) {
      const found = parseHelperAnswer(await runHelper(helper, server, options), helper);
      if (found !== undefined) return found;
    }
    for (const key of keys) {
      const entry = config.auths[key];
      const found = entry === undefined ? undefined : entryCredentials(entry);
      if (found !== undefined) return found;
    }
    return { kind: 'anonymous' };
  };
}

function parseConfig(text: string): DockerConfig {
  let value: Partial<Record<keyof DockerConfig, unknown>> | null;
  try {
    value = JSON.parse(text) as Partial<Record<keyof DockerConfig, unknown>> | null;
  } catch (error) {
    // The parser's message may quote the text, which holds secrets.
    throw invalidArgument(`the docker config is no JSON (${(error as Error).name})`);
  }
  const record = <T>(part: unknown): Readonly<Record<string, T>> =>
    typeof part === 'object' && part !== null ? (part as Record<string, T>) : {};
  const auths: Record<string, AuthEntry> = {};
  for (const [key, entry] of Object.entries(record<AuthEntry>(value?.auths))) auths[normalizeKey(key)] ??= entry;
  return {
    auths: { ...auths, ...record<AuthEntry>(value?.auths) },
    credHelpers: record<string>(value?.credHelpers),
    ...(typeof value?.credsStore === 'string' && value.credsStore !== '' ? { credsStore: value.credsStore } : {}),
  };
}

/** `https://host/v1/` and `host/` are ways to write `host`. */
function normalizeKey(key: string): string {
  return key.replace(/^https?:\/\//, '').split('/')[0] ?? key;
}

function configKeys(host: string): readonly string[] {
  if (['docker.io', 'registry-1.docker.io', 'index.docker.io'].includes(host))
    return ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io'];
  return [host];
}

function entryCredentials(entry: AuthEntry): DockerCredentials | undefined {
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  const identity = text(entry.identitytoken);
  if (identity !== undefined) return { kind: 'identity-token', token: identity };
  const registry = text(entry.registrytoken);
  if (registry !== undefined) return { kind: 'registry-token', token: registry };
  const auth = text(entry.auth);
  if (auth !== undefined) {
    const plain = Buffer.from(auth, 'base64').toString().replace(/\0+$/, '');
    const colon = plain.indexOf(':');
    if (colon > 0) return { kind: 'basic', username: plain.slice(0, colon), secret: plain.slice(colon + 1) };
  }
  const username = text(entry.username);
  return username === undefined ? undefined : { kind: 'basic', username, secret: text(entry.password) ?? '' };
}

function parseHelperAnswer(output: string, helper: string): DockerCredentials | undefined {
  let answer: { Username?: unknown; Secret?: unknown };
  try {
    answer = JSON.parse(output) as typeof answer;
  } catch {
    if (/credentials not found/i.test(output)) return undefined;
    throw new CodedError('unavailable', `docker-credential-${helper} gave no valid answer`, {
      hint: `run docker-credential-${helper} get by hand`,
    });
  }
  if (typeof answer.Username !== 'string' || typeof answer.Secret !== 'string' || answer.Secret === '')
    return undefined;
  if (answer.Username === '<token>' || answer.Username === '') return { kind: 'identity-token', token: answer.Secret };
  return { kind: 'basic', username: answer.Username, secret: answer.Secret };
}
