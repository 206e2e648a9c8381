import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { type AbortOptions, type BuildTrust, toCodedError } from '../../base/index.ts';
import {
  Auth,
  clientOf,
  RepositoryAuth,
  type Session,
  type SessionRegistry,
  toNumber,
} from '../../builder-api/index.ts';
import type {
  CredentialOptions,
  CredentialProvider,
  Credentials,
  IssuedToken,
  TokenRequest,
} from '../../oci/registry-client/index.ts';
import { type SessionIds, withAnySession } from './group.ts';
import type { SessionTrusts } from './trusts.ts';

const TIMEOUT_MS = 60_000;
/** Tokens are short; some carry the groups of their user. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const CLIENT_ID = 'buildkit-client';
/** Names this process to clients that derive a key for it. */
const SALT = randomBytes(32);
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * Registry credentials from the clients of one build. A client that fetches tokens itself keeps its secrets to itself;
 * otherwise it tells user name and secret. Make one a build and keep it: tokens are shared among its users only.
 */
export class SessionCredentials implements CredentialProvider {
  readonly #registry: SessionRegistry;
  readonly #sessions: SessionIds;

  readonly #timeoutMs: number;
  readonly #trusts: Pick<SessionTrusts, 'of'> | undefined;

  /** `timeoutMs`: how long a client may take for each answer. */
  constructor(
    registry: SessionRegistry,
    sessions: SessionIds,
    timeoutMs = TIMEOUT_MS,
    trusts?: Pick<SessionTrusts, 'of'>,
  ) {
    this.#registry = registry;
    this.#sessions = sessions;
    this.#timeoutMs = timeoutMs;
    this.#trusts = trusts;
  }

  get trust(): BuildTrust | undefined {
    return this.#trusts?.of(this.#sessions());
  }

  async credentials(host: string, { signal, scopes }: CredentialOptions): Promise<Credentials> {
    if (this.#sessions().length === 0) return { kind: 'anonymous' };
    const repository = repositoryOf(scopes);
    return await withAnySession(
      this.#registry,
      this.#sessions,
      async (session) => {
        if (repository !== undefined && session.supports(RepositoryAuth, RepositoryAuth.methods.credentials)) {
          const answer = await clientOf(RepositoryAuth, session).credentials(
            { host, repository },
            { signal, timeoutMs: this.#timeoutMs, maxMessageBytes: MAX_ANSWER_BYTES },
          );
          if (answer.own) return credentialsIn(answer);
        }
        if (!session.supports(Auth, Auth.methods.credentials)) return { kind: 'anonymous' };
        const answer = await clientOf(Auth, session).credentials(
          { host },
          { signal, timeoutMs: this.#timeoutMs, maxMessageBytes: MAX_ANSWER_BYTES },
        );
        return credentialsIn(answer);
      },
      { signal },
    );
  }

  async fetchToken(request: TokenRequest, { signal }: AbortOptions): Promise<IssuedToken | undefined> {
    if (this.#sessions().length === 0) return undefined;
    return await withAnySession(
      this.#registry,
      this.#sessions,
      async (session) => {
        if (
          (await tokenAuthority(session, request.host, {
            signal,
            timeoutMs: this.#timeoutMs,
            maxMessageBytes: MAX_ANSWER_BYTES,
          })) === undefined
        )
          return undefined;
        const { host, realm, service, scopes } = request;
        const answer = await clientOf(Auth, session).fetchToken(
          { clientId: CLIENT_ID, host, realm, service, scopes: [...scopes] },
          { signal, timeoutMs: this.#timeoutMs, maxMessageBytes: MAX_ANSWER_BYTES },
        );
        return { token: answer.token, expiresIn: toNumber(answer.expiresIn), issuedAt: toNumber(answer.issuedAt) };
      },
      { signal },
    );
  }

  async identity(host: string, { signal }: AbortOptions): Promise<string | undefined> {
    if (this.#sessions().length === 0) return undefined;
    return await withAnySession(
      this.#registry,
      this.#sessions,
      (session) =>
        tokenAuthority(session, host, { signal, timeoutMs: this.#timeoutMs, maxMessageBytes: MAX_ANSWER_BYTES }),
      { signal },
    );
  }
}

function credentialsIn({ username, secret }: { readonly username: string; readonly secret: string }): Credentials {
  if (secret === '') return { kind: 'anonymous' };
  return username === '' ? { kind: 'identity-token', token: secret } : { kind: 'basic', username, secret };
}

/** Whose right a request needs: the repository that it writes to, else the one that it reads. What it mounts from is another's question. */
export function repositoryOf(scopes: readonly string[] = []): string | undefined {
  const named = scopes.flatMap((scope) => {
    const [, name, actions] = /^repository:(.+):([^:]*)$/.exec(scope) ?? [];
    return name === undefined ? [] : [{ name, writes: actions?.split(',').includes('push') === true }];
  });
  return (named.find(({ writes }) => writes) ?? named[0])?.name;
}

/** The public key for tokens of this host that the client derives from its secret, and proves to have. */
async function tokenAuthority(
  session: Session,
  host: string,
  options: AbortOptions & { readonly timeoutMs: number; readonly maxMessageBytes: number },
): Promise<string | undefined> {
  const { fetchToken, getTokenAuthority, verifyTokenAuthority } = Auth.methods;
  if (![fetchToken, getTokenAuthority, verifyTokenAuthority].every((method) => session.supports(Auth, method)))
    return undefined;
  const auth = clientOf(Auth, session);
  try {
    const { publicKey } = await auth.getTokenAuthority({ host, salt: SALT }, options);
    if (publicKey.length !== 32) return undefined;
    const payload = randomBytes(32);
    const { signed } = await auth.verifyTokenAuthority({ host, payload, salt: SALT }, options);
    // NaCl's sign: the signature, then the message.
    if (signed.length !== 64 + payload.length || !payload.equals(signed.subarray(64))) return undefined;
    const key = createPublicKey({ key: Buffer.concat([ED25519_PREFIX, publicKey]), format: 'der', type: 'spki' });
    return verify(null, payload, key, signed.subarray(0, 64)) ? Buffer.from(publicKey).toString('hex') : undefined;
  } catch (error) {
    const { code } = toCodedError(error);
    if (code === 'unavailable' || code === 'unimplemented') return undefined;
    throw error;
  }
}
