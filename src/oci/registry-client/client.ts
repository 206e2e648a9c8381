import {
  type AbortOptions,
  type BuildTrust,
  type ImageReference,
  type Logger,
  type ProxySettings,
  RecentMap,
  silentLogger,
} from '../../base/index.ts';
import { OutboundAgents } from '../../base/outbound-agents.ts';
import { defaultRetryPolicy, type RetryPolicy, SegmentBudget } from '../blob-download/index.ts';
import type { Caller, CredentialProvider } from './credentials.ts';
import { Endpoint } from './endpoint.ts';
import type { RegistryHostOptions, RegistryHosts } from './hosts.ts';
import { Repository } from './repository.ts';
import { TagMemo } from './tag-memo.ts';
import { discard } from './transport.ts';

/** Hosts whose connections, limits and tokens are kept: their names come from whoever builds. */
const MAX_ENDPOINTS = 512;

interface RegistryClientOptions {
  readonly hosts?: RegistryHosts;
  /** The way out; direct when absent. */
  readonly proxies?: ProxySettings;
  readonly retry?: Partial<RetryPolicy>;
  /** A connection on which nothing moves for so long is given up and tried anew, in ms; 60,000 when absent. */
  readonly idleTimeoutMs?: number;
  /** How long what a tag named may be told without asking again, in ms; 0, which is never, when absent. */
  readonly tagMaxAgeMs?: number;
  readonly userAgent?: string;
  /** Told of the status of every answer; 0 where none came. */
  readonly answered?: ((status: number) => void) | undefined;
  readonly logger?: Logger;
}

/** Talks to registries. One a process: it holds the connections, the limits a registry and the tokens. */
export class RegistryClient implements Disposable {
  readonly #options: RegistryClientOptions;
  readonly #agents: OutboundAgents;
  readonly #tags: TagMemo;
  readonly #segments = new SegmentBudget();
  readonly #endpoints = new RecentMap<string, Endpoint>(MAX_ENDPOINTS);

  constructor(options: RegistryClientOptions = {}) {
    this.#options = options;
    this.#agents = new OutboundAgents(options.proxies);
    this.#tags = new TagMemo(options.tagMaxAgeMs ?? 0);
  }

  /**
   * The repository a name lies in, seen with these credentials. Cheap: make one whenever needed. `insecure` holds for this repository's host and
   * for who was given the repository alone.
   */
  repository(
    { domain, path }: Pick<ImageReference, 'domain' | 'path'>,
    credentials: CredentialProvider,
    { insecure = false, told }: { readonly insecure?: boolean; readonly told?: Caller['told'] } = {},
  ): Repository {
    const mirrors = this.#configOf(domain).mirrors ?? [];
    const { trust } = credentials;
    return new Repository({
      origin: this.#endpoint(domain, { insecure, trust }),
      mirrors: mirrors.map((mirror) => this.#endpoint(mirror, { mirrorOf: domain, trust })),
      path,
      caller: { credentials, told },
      insecure,
      trust: trust?.id,
      tags: this.#tags,
      segments: this.#segments,
    });
  }

  /** Whether the registry answers and takes the credentials (GET /v2/). */
  async ping(host: string, credentials: CredentialProvider, options: AbortOptions): Promise<void> {
    const call = { method: 'GET' as const, target: '', expect: [200], scopes: [] };
    discard(await this.#endpoint(host, { trust: credentials.trust }).request(call, { credentials }, options));
  }

  #configOf(host: string): RegistryHostOptions {
    const hosts = this.#options.hosts ?? {};
    return (Object.hasOwn(hosts, host) ? hosts[host] : undefined) ?? {};
  }

  /** `name` is a host, or for mirrors a host and a path below it. */
  #endpoint(
    name: string,
    {
      insecure = false,
      mirrorOf,
      trust,
    }: { readonly insecure?: boolean; readonly mirrorOf?: string; readonly trust: BuildTrust | undefined },
  ): Endpoint {
    return this.#endpoints.getOrMake(
      `${insecure ? 'insecure ' : ''}${name} ${mirrorOf ?? ''} ${trust?.id ?? ''}`,
      () => {
        const slash = name.indexOf('/');
        const host = slash < 0 ? name : name.slice(0, slash);
        return new Endpoint({
          host,
          mirrorOf,
          prefix: slash < 0 ? '' : `${name.slice(slash + 1).replace(/\/+$/, '')}/`,
          config: { ...this.#configOf(host), ...(insecure ? { insecure } : {}) },
          configOf: (other) => this.#configOf(other),
          agents: this.#agents,
          trust,
          retry: { ...defaultRetryPolicy, ...this.#options.retry },
          idleTimeoutMs: this.#options.idleTimeoutMs ?? 60_000,
          userAgent: this.#options.userAgent ?? 'slipway',
          answered: this.#options.answered,
          logger: this.#options.logger ?? silentLogger,
        });
      },
    );
  }

  [Symbol.dispose](): void {
    this.#agents[Symbol.dispose]();
  }
}
