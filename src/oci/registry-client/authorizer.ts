import type { IncomingMessage } from 'node:http';
import { type AbortOptions, CodedError, KeyedMutex } from '../../base/index.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { CredentialProvider, Credentials, IssuedToken } from './credentials.ts';
import { connectionError, errorFromResponse, RegistryError } from './errors.ts';
import { discard, type HttpCall, readBody } from './transport.ts';

const CLIENT_ID = 'buildkit-client';
const TOKEN_RESPONSE_LIMIT = 1 << 20;

/** Sends a request to a token endpoint; not tried again on failure. */
type TokenTransport = (call: HttpCall, options: AbortOptions) => Promise<IncomingMessage>;

interface AuthorizerOptions {
  /** The name under which credentials are asked for. */
  readonly host: string;
  readonly provider: CredentialProvider;
  readonly send: TokenTransport;
  /** Whether a token endpoint on plain HTTP may be told secrets: only where the registry itself is reached so. */
  readonly plainRealmAllowed: boolean;
  readonly now: () => number;
}

interface CachedToken {
  readonly token: string;
  readonly expires: number;
}

/**
 * Makes Authorization headers for one registry and one identity. It learns the scheme from the first challenge and from then on brings
 * the header along unasked; tokens are kept by scope for 90 % of their life.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #tokens = new Map<string, CachedToken>();
  readonly #fetching = new KeyedMutex();
  #challenge: Challenge | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** Whether the registry wants to know who asks. */
  get isChallenged(): boolean {
    return this.#challenge !== undefined;
  }

  /** The header for these scopes, or undefined while nothing has asked for one. */
  async header(scopes: readonly string[], options: AbortOptions): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    if (challenge.scheme === 'basic') return await this.#basic(scopes, options);
    const token = await this.#token(challenge, normalizeScopes(scopes), options);
    return token === '' ? undefined : `Bearer ${token}`;
  }

  /**
   * Takes in a 401. True when another attempt can succeed: `used` is the header that was refused, and a second refusal of fresh
   * credentials is final.
   */
  challenged(response: IncomingMessage, used: string | undefined, scopes: readonly string[]): boolean {
    const challenges = parseChallenges(response.headers['www-authenticate'] ?? '');
    const challenge =
      challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters['realm'] !== undefined) ??
      challenges.find(({ scheme }) => scheme === 'basic');
    if (challenge === undefined) return false;
    const known = this.#challenge;
    this.#challenge = challenge;
    if (challenge.scheme === 'basic') return used === undefined || known?.scheme !== 'basic';
    const key = normalizeScopes(scopes).join(' ');
    const cached = this.#tokens.get(key);
    if (cached !== undefined && used === `Bearer ${cached.token}`) this.#tokens.delete(key);
    return true;
  }

  async #basic(scopes: readonly string[], options: AbortOptions): Promise<string | undefined> {
    const credentials = await this.#options.provider.credentials(this.#options.host, { ...options, scopes });
    if (credentials.kind === 'basic')
      return `Basic ${Buffer.from(`${credentials.username}:${credentials.secret}`).toString('base64')}`;
    return credentials.kind === 'registry-token' ? `Bearer ${credentials.token}` : undefined;
  }

  async #token(challenge: Challenge, scopes: readonly string[], options: AbortOptions): Promise<string> {
    const key = scopes.join(' ');
    // One fetch a scope at a time; who waited finds the token.
    using _turn = await this.#fetching.acquire(key, options);
    const cached = this.#tokens.get(key);
    if (cached !== undefined && cached.expires > this.#options.now()) return cached.token;
    const issued = await this.#fetch(challenge, scopes, options);
    const lifetime = issued.expiresIn > 0 ? issued.expiresIn : 60;
    const now = this.#options.now();
    const from = issued.issuedAt > 0 ? Math.min(issued.issuedAt * 1000, now) : now;
    for (const [old, token] of this.#tokens) if (token.expires <= now) this.#tokens.delete(old);
    this.#tokens.set(key, { token: issued.token, expires: from + lifetime * 900 });
    return issued.token;
  }

  async #fetch(challenge: Challenge, scopes: readonly string[], options: AbortOptions): Promise<IssuedToken> {
    const { host, provider } = this.#options;
    const realm = this.#realm(challenge);
    const service = challenge.parameters['service'] ?? '';
    const wanted = normalizeScopes([...scopes, ...(challenge.parameters['scope'] ?? '').split(' ')].filter(Boolean));
    // A challenge of an earlier request names another repository; only what this request needs is asked for.
    const asked = scopes.length > 0 ? scopes : wanted;
    const told = await provider.fetchToken?.({ host, realm: realm.href, service, scopes: asked }, options);
    if (told !== undefined) return told;
    const credentials = await provider.credentials(host, { ...options, scopes: asked });
    if (credentials.kind === 'registry-token') return { token: credentials.token, expiresIn: 60, issuedAt: 0 };
    if (credentials.kind === 'identity-token') return await this.#post(realm, service, asked, credentials, options);
    return await this.#get(realm, service, asked, credentials, options);
  }

  #realm(challenge: Challenge): URL {
    const text = challenge.parameters['realm'] ?? '';
    const realm = URL.canParse(text) ? new URL(text) : undefined;
    if (realm === undefined || (realm.protocol !== 'https:' && realm.protocol !== 'http:'))
      throw CodedError.of('REGISTRY_REALM', `${this.#options.host} names an invalid token endpoint`);
    if (realm.protocol === 'http:' && !this.#options.plainRealmAllowed)
      throw CodedError.of(
        'REGISTRY_REALM',
        `${this.#options.host} names a token endpoint without TLS (${realm.host})`,
        { code: 'permission_denied', hint: 'mark the registry as insecure if that is meant' },
      );
    return realm;
  }

  /** GET with basic authentication; POST is tried where the endpoint has no GET (401, 404, 405) and there is a secret. */
  async #get(
    realm: URL,
    service: string,
    scopes: readonly string[],
    credentials: Credentials,
    options: AbortOptions,
  ): Promise<IssuedToken> {
    const url = new URL(realm);
    if (service !== '') url.searchParams.set('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    const headers: Record<string, string> = { accept: 'application/json' };
    if (credentials.kind === 'basic') {
      headers['authorization'] =
        `Basic ${Buffer.from(`${credentials.username}:${credentials.secret}`).toString('base64')}`;
      url.searchParams.set('account', credentials.username);
    }
    const response = await this.#send({ method: 'GET', url, headers }, credentials, options);
    if (credentials.kind === 'basic' && [401, 404, 405].includes(response.statusCode ?? 0)) {
      discard(response);
      return await this.#post(realm, service, scopes, credentials, options);
    }
    return await this.#parse('GET', url, response, options);
  }

  async #post(
    realm: URL,
    service: string,
    scopes: readonly string[],
    credentials: Credentials,
    options: AbortOptions,
  ): Promise<IssuedToken> {
    const form = new URLSearchParams({ service, client_id: CLIENT_ID, scope: scopes.join(' ') });
    if (credentials.kind === 'identity-token') {
      form.set('grant_type', 'refresh_token');
      form.set('refresh_token', credentials.token);
    } else if (credentials.kind === 'basic') {
      form.set('grant_type', 'password');
      form.set('username', credentials.username);
      form.set('password', credentials.secret);
    }
    const headers = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' };
    const body = Buffer.from(form.toString());
    const response = await this.#send({ method: 'POST', url: realm, headers, body }, credentials, options);
    return await this.#parse('POST', realm, response, options);
  }

  async #send(call: HttpCall, credentials: Credentials, options: AbortOptions): Promise<IncomingMessage> {
    try {
      return await this.#options.send(call, options);
    } catch (error) {
      options.signal.throwIfAborted();
      const kind = credentials.kind === 'anonymous' ? 'anonymous' : 'oauth';
      throw connectionError(call.method, call.url, error, `failed to authorize: failed to fetch ${kind} token`);
    }
  }

  async #parse(method: string, url: URL, response: IncomingMessage, options: AbortOptions): Promise<IssuedToken> {
    if (response.statusCode !== 200) {
      const cause = await errorFromResponse(method, url, response);
      // 5xx of a token endpoint is not tried again either: the registry request around it would be.
      throw new RegistryError(
        cause.code === 'failed_precondition' ? 'unauthenticated' : cause.code,
        `no token from ${url.host} for ${this.#options.host}: ${cause.message}`,
        {
          status: cause.status < 500 && cause.status !== 429 ? cause.status : 401,
          url: cause.url,
          diagnostics: cause.diagnostics,
          reason: 'REGISTRY_TOKEN',
          hint: 'check the credentials for this registry',
        },
      );
    }
    const text = (await readBody(response, TOKEN_RESPONSE_LIMIT, 'the token answer', options)).toString();
    let answer: { token?: unknown; access_token?: unknown; expires_in?: unknown; issued_at?: unknown };
    try {
      answer = JSON.parse(text) as typeof answer;
    } catch {
      answer = {};
    }
    const token = answer.token || answer.access_token;
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
      throw CodedError.of('REGISTRY_TOKEN', `${url.host} gave no token for ${this.#options.host}`, {
        code: 'unavailable',
      });
    const issuedAt = typeof answer.issued_at === 'string' ? Date.parse(answer.issued_at) / 1000 : 0;
    return {
      token,
      expiresIn: typeof answer.expires_in === 'number' ? answer.expires_in : 0,
      issuedAt: Number.isNaN(issuedAt) ? 0 : issuedAt,
    };
  }
}

/** `repository:NAME:pull[,push]` for every repository once, in order. */
function normalizeScopes(scopes: readonly string[]): readonly string[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const colon = scope.lastIndexOf(':');
    const set = actions.get(scope.slice(0, colon)) ?? new Set();
    for (const action of scope.slice(colon + 1).split(',')) set.add(action);
    actions.set(scope.slice(0, colon), set);
  }
  return [...actions].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, set]) => `${name}:${[...set].sort().join(',')}`);
}
