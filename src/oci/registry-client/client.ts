import { type AbortOptions, type ImageReference, type Logger, silentLogger } from '../../base/index.ts';
import type { CredentialProvider } from './credentials.ts';
import { Endpoint } from './endpoint.ts';
import { AgentPool, type RegistryHostOptions, type RegistryHosts } from './hosts.ts';
import { Repository } from './repository.ts';
import { defaultRetryPolicy, type RetryPolicy } from './retry.ts';
import { discard } from './transport.ts';

export interface RegistryClientOptions {
  readonly hosts?: RegistryHosts;
  readonly retry?: Partial<RetryPolicy>;
  /** A connection on which nothing moves for so long is given up and tried anew, in ms; 60,000 when absent. */
  readonly idleTimeoutMs?: number;
  readonly userAgent?: string;
  readonly logger?: Logger;
}

/** Talks to registries. One a process: it holds the connections, the limits a registry and the tokens. */
export class RegistryClient implements Disposable {
  readonly #options: RegistryClientOptions;
  readonly #agents = new AgentPool();
  readonly #endpoints = new Map<string, Endpoint>();

  constructor(options: RegistryClientOptions = {}) {
    this.#options = options;
  }

  /** The repository a name lies in, seen with these credentials. Cheap: make one whenever needed. */
  repository(reference: Pick<ImageReference, 'domain' | 'path'>, credentials: CredentialProvider): Repository {
    const mirrors = this.#configOf(reference.domain).mirrors ?? [];
    return new Repository(
      this.#endpoint(reference.domain),
      mirrors.map((mirror) => this.#endpoint(mirror)),
      reference.path,
      credentials,
    );
  }

  /** Whether the registry answers and takes the credentials (GET /v2/). */
  async ping(host: string, credentials: CredentialProvider, options: AbortOptions): Promise<void> {
    const call = { method: 'GET' as const, target: '', expect: [200], scopes: [] };
    discard(await this.#endpoint(host).request(call, credentials, options));
  }

  #configOf(host: string): RegistryHostOptions {
    const hosts = this.#options.hosts ?? {};
    return (Object.hasOwn(hosts, host) ? hosts[host] : undefined) ?? {};
  }

  /** `name` is a host, or for mirrors a host and a path below it. */
  #endpoint(name: string): Endpoint {
    let endpoint = this.#endpoints.get(name);
    if (endpoint === undefined) {
      const slash = name.indexOf('/');
      const host = slash < 0 ? name : name.slice(0, slash);
      endpoint = new Endpoint({
        host,
        prefix: slash < 0 ? '' : `${name.slice(slash + 1).replace(/\/+$/, '')}/`,
        config: this.#configOf(host),
        configOf: (other) => this.#configOf(other),
        agents: this.#agents,
        retry: { ...defaultRetryPolicy, ...this.#options.retry },
        idleTimeoutMs: this.#options.idleTimeoutMs ?? 60_000,
        userAgent: this.#options.userAgent ?? 'slipway',
        logger: this.#options.logger ?? silentLogger,
      });
      this.#endpoints.set(name, endpoint);
    }
    return endpoint;
  }

  [Symbol.dispose](): void {
    this.#agents[Symbol.dispose]();
  }
}
