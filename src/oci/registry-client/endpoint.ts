import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import {
  type AbortOptions,
  type BuildTrust,
  CodedError,
  isLoopback,
  type Logger,
  Semaphore,
  sleep,
} from '../../base/index.ts';
import type { OutboundAgents } from '../../base/outbound-agents.ts';
import type { RetryPolicy } from '../blob-download/index.ts';
import { Authorizer } from './authorizer.ts';
import { type Caller, type CredentialOptions, type CredentialProvider, identityOf } from './credentials.ts';
import { connectionError, errorFromResponse } from './errors.ts';
import { isLocalAddress, type RegistryHostOptions } from './hosts.ts';
import { withRetry } from './retry.ts';
import { discard, type RequestBody, send } from './transport.ts';

const MAX_REDIRECTS = 5;

/** Where an answer came from in the end: what its Location is relative to. */
export function urlOf(response: IncomingMessage): URL {
  return new URL(response.url ?? '');
}

/** One request to a registry. */
export interface RegistryCall {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below /v2/, or a whole URL that the registry gave. */
  readonly target: string | URL;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: RequestBody;
  /** Statuses that are answers; all others are thrown as {@link RegistryError}. */
  readonly expect: readonly number[];
  /** `repository:NAME:pull[,push]`. */
  readonly scopes: readonly string[];
}

interface EndpointOptions {
  /** As in image names. */
  readonly host: string;
  /** The host that this one stands in for, which a pull-through mirror of several must be told. */
  readonly mirrorOf?: string | undefined;
  /** Before the repository name, for mirrors below a path: '' or `prefix/`. */
  readonly prefix: string;
  readonly config: RegistryHostOptions;
  /** Options of hosts that redirects and token endpoints name. */
  readonly configOf: (host: string) => RegistryHostOptions;
  readonly agents: OutboundAgents;
  /** Of the builds that talk to it through this object. */
  readonly trust: BuildTrust | undefined;
  readonly retry: RetryPolicy;
  readonly idleTimeoutMs: number;
  readonly userAgent: string;
  /** Told of every answer's status; 0 where none came. */
  readonly answered: ((status: number) => void) | undefined;
  readonly logger: Logger;
}

/** What one user of an endpoint has of his own: others neither use his tokens nor wait for his blobs, however slowly they move. */
interface User {
  readonly authorizer: Authorizer;
  /** Blobs on their way; two semaphores, so that a copy that waits to push never blocks the pulls it waits for. */
  readonly pulls: Semaphore;
  readonly pushes: Semaphore;
  /** Until when the host asked him to wait (Retry-After), in ms since the epoch. */
  notBefore: number;
}

/** A registry host as it is talked to: addresses, connections, authorization, retries, limits. */
export class Endpoint {
  readonly options: EndpointOptions;
  readonly #realHost: string;
  readonly #users = new WeakMap<CredentialProvider, User>();
  #plain: boolean;

  constructor(options: EndpointOptions) {
    this.options = options;
    const { config, host } = options;
    this.#realHost = config.address ?? (host === 'docker.io' ? 'registry-1.docker.io' : host);
    const hostname = new URL(`http://${this.#realHost}`).hostname;
    const tlsAsked = config.insecure === true || config.ca !== undefined || config.client !== undefined;
    this.#plain = config.plainHttp ?? (isLoopback(hostname) && !tlsAsked);
  }

  /** The right to pull one blob more, until disposed. */
  async pull(credentials: CredentialProvider, options: AbortOptions): Promise<Disposable> {
    return await this.#user(credentials).pulls.acquire(options);
  }

  /** The right to push one blob more, until disposed. */
  async push(credentials: CredentialProvider, options: AbortOptions): Promise<Disposable> {
    return await this.#user(credentials).pushes.acquire(options);
  }

  get host(): string {
    return this.options.host;
  }

  /** What these credentials show to the host, as something to compare. */
  async identity(credentials: CredentialProvider, options: CredentialOptions): Promise<string> {
    return await identityOf(credentials, this.#realHost, options);
  }

  /** Whether the host wanted to know who asks. */
  isPrivate(credentials: CredentialProvider): boolean {
    return this.#user(credentials).authorizer.isChallenged;
  }

  /** Sends with authorization and, where the body can be sent again, with retries. */
  async request(call: RegistryCall, caller: Caller, { signal }: AbortOptions): Promise<IncomingMessage> {
    const replayable = isReplayable(call);
    const { told } = caller;
    const { retry, logger } = this.options;
    return await withRetry(retry, logger, { signal, replayable: () => replayable, told }, () =>
      this.requestOnce(call, caller, { signal }),
    );
  }

  /** One attempt: authorization, redirects, plain-HTTP fallback, but no waiting. */
  async requestOnce(call: RegistryCall, caller: Caller, options: AbortOptions): Promise<IncomingMessage> {
    const user = this.#user(caller.credentials);
    const { authorizer } = user;
    const replayable = isReplayable(call);
    const scopes = call.scopes.map((scope) => scope.replace(/^repository:/, `repository:${this.options.prefix}`));
    for (let attempt = 0; ; attempt++) {
      await waitUntil(user.notBefore, options);
      const url = this.#url(call.target);
      // Upload locations may lie on another host, which is not told our secrets.
      const authorization = this.#isOwn(url) ? await authorizer.header(scopes, options) : undefined;
      let response: IncomingMessage;
      try {
        response = await this.#follow(call, url, authorization, options);
      } catch (error) {
        options.signal.throwIfAborted();
        if (replayable && this.#fallBackToPlain(error, url)) continue;
        this.options.answered?.(0);
        throw connectionError(call.method, url, error);
      }
      const status = response.statusCode ?? 0;
      this.options.answered?.(status);
      if (call.expect.includes(status)) return response;
      if (status === 401 && attempt < 2 && replayable && this.#isOwn(url)) {
        const again = authorizer.challenged(response, authorization, scopes);
        if (again && (await authorizer.header(scopes, options)) !== undefined) {
          discard(response);
          continue;
        }
      }
      const refused = await errorFromResponse(call.method, url, response);
      // What else he has under way would only be refused as well; hosts that it leads to do not speak for it.
      const { retryAfterMs, status: said } = refused;
      const speaks = (said === 429 || said === 503) && this.#isOwn(urlOf(response));
      if (speaks && retryAfterMs !== undefined && retryAfterMs <= this.options.retry.maxRetryAfterMs)
        user.notBefore = Math.max(user.notBefore, Date.now() + retryAfterMs);
      throw refused;
    }
  }

  #user(provider: CredentialProvider): User {
    let user = this.#users.get(provider);
    if (user === undefined) {
      const { concurrency = 4 } = this.options.config;
      user = {
        authorizer: this.#authorizer(provider),
        pulls: new Semaphore(concurrency),
        pushes: new Semaphore(concurrency),
        notBefore: 0,
      };
      this.#users.set(provider, user);
    }
    return user;
  }

  #authorizer(provider: CredentialProvider): Authorizer {
    return new Authorizer({
      host: this.#realHost,
      provider,
      plainRealmAllowed: this.#plain || this.options.config.insecure === true,
      now: () => Date.now(),
      send: (call, options) =>
        send(
          { ...call, headers: { ...call.headers, 'user-agent': this.options.userAgent } },
          { ...options, agent: this.#agentFor(call.url), idleTimeoutMs: 60_000 },
        ),
    });
  }

  get #origin(): string {
    return `${this.#plain ? 'http' : 'https'}://${this.#realHost}`;
  }

  #url(target: string | URL): URL {
    if (target instanceof URL) return target;
    const url = new URL(`${this.#origin}/v2/${target === '' ? '' : `${this.options.prefix}${target}`}`);
    if (this.options.mirrorOf !== undefined) url.searchParams.set('ns', this.options.mirrorOf);
    return url;
  }

  #isOwn(url: URL): boolean {
    return url.origin === new URL(this.#origin).origin;
  }

  #agentFor(url: URL) {
    return this.options.agents.for(url, this.#configFor(url), this.options.trust);
  }

  #configFor(url: URL): RegistryHostOptions {
    return url.host === new URL(this.#origin).host ? this.options.config : this.options.configOf(url.host);
  }

  /** Resolves a Location (a redirect, or where an upload goes on) and refuses what would leak or leap. */
  locate(location: string | undefined, base: URL): URL {
    const url = location !== undefined && URL.canParse(location, base) ? new URL(location, base) : undefined;
    if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
      throw CodedError.of('REGISTRY_LOCATION', `${this.host} gave no valid Location`);
    // Registries behind a TLS proxy often name themselves by http.
    if (url.protocol === 'http:' && base.protocol === 'https:' && url.hostname === base.hostname) {
      url.protocol = 'https:';
      if (url.port === '80') url.port = base.port;
    }
    if (url.protocol === 'http:' && base.protocol === 'https:' && this.options.config.insecure !== true)
      throw CodedError.of('REGISTRY_LOCATION', `${this.host} redirects to plain HTTP at ${url.host}`, {
        code: 'permission_denied',
        hint: 'mark the registry as insecure if that is meant',
      });
    if (isLocalAddress(url.hostname) && !isLocalAddress(base.hostname))
      throw CodedError.of('REGISTRY_LOCATION', `${this.host} redirects to a local address (${url.host})`, {
        code: 'permission_denied',
      });
    url.username = '';
    url.password = '';
    return url;
  }

  async #follow(
    call: RegistryCall,
    first: URL,
    authorization: string | undefined,
    { signal }: AbortOptions,
  ): Promise<IncomingMessage> {
    let url = first;
    for (let hops = 0; ; hops++) {
      const headers: OutgoingHttpHeaders = { 'user-agent': this.options.userAgent, ...call.headers };
      if (authorization !== undefined && url.origin === first.origin) headers['authorization'] = authorization;
      const response = await send(
        { method: call.method, url, headers, body: call.body },
        {
          signal,
          agent: this.#agentFor(url),
          idleTimeoutMs: this.options.idleTimeoutMs,
        },
      );
      response.url = url.href;
      const status = response.statusCode ?? 0;
      // Who follows with the body must have it still: a stream is opened anew by its owner ({@link RegistryCall.expect}).
      const reads = call.method === 'GET' || call.method === 'HEAD';
      const again = (status === 307 || status === 308) && isReplayable(call);
      if (call.expect.includes(status) || !(again || (reads && [301, 302, 303].includes(status)))) return response;
      discard(response);
      if (hops === MAX_REDIRECTS) throw CodedError.of('REGISTRY_LOCATION', `${this.host} redirects in circles`);
      url = this.locate(response.headers.location, url);
    }
  }

  /** `insecure` hosts that speak no TLS are talked to in plain from now on. */
  #fallBackToPlain(error: unknown, { protocol }: URL): boolean {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    // Without a port in its name the host may serve port 80 alone.
    const refused = code === 'ECONNREFUSED' && !/:\d+$/.test(this.#realHost);
    const noTls = code === 'EPROTO' || code.startsWith('ERR_SSL_') || refused;
    // Another request may have found it out already: what counts is how this one was made.
    if (protocol !== 'https:' || this.options.config.insecure !== true || !noTls) return false;
    this.#plain = true;
    return true;
  }

  /** The URL a relative target stands for, to resolve Locations against. */
  urlOf(target: string | URL): URL {
    return this.#url(target);
  }
}

async function waitUntil(time: number, options: AbortOptions): Promise<void> {
  for (let wait = time - Date.now(); wait > 0; wait = time - Date.now()) await sleep(wait, options);
}

function isReplayable({ body }: RegistryCall): boolean {
  return body === undefined || body instanceof Uint8Array;
}
