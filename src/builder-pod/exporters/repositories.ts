import {
  type CredentialProvider,
  RegistryClient,
  type RegistryClientOptions,
} from '../../oci/registry-client/index.ts';
import type { ExporterDeps } from './ports.ts';

export interface PushRepositoriesOptions {
  /** The builder's client, for all that is not insecure; it stays the caller's. */
  readonly client: RegistryClient;
  /** How that client was made: the insecure ones differ in one host only. */
  readonly clientOptions: RegistryClientOptions;
  /** One provider for each set of sessions, kept by the callee: tokens are shared among its users. */
  readonly credentials: (sessions: () => readonly string[]) => CredentialProvider;
}

/** Opens repositories to push to; what `registry.insecure` allows is allowed for that output's host alone. */
export class PushRepositories implements Disposable {
  readonly #options: PushRepositoriesOptions;
  readonly #insecure = new Map<string, RegistryClient>();

  constructor(options: PushRepositoriesOptions) {
    this.#options = options;
  }

  readonly open: ExporterDeps['openRepository'] = (reference, { insecure, sessions }) => {
    const client = insecure ? this.#insecureClient(reference.domain) : this.#options.client;
    return client.repository(reference, this.#options.credentials(sessions));
  };

  #insecureClient(domain: string): RegistryClient {
    const known = this.#insecure.get(domain);
    if (known !== undefined) return known;
    const { clientOptions } = this.#options;
    const hosts = clientOptions.hosts ?? {};
    const client = new RegistryClient({
      ...clientOptions,
      hosts: { ...hosts, [domain]: { ...(Object.hasOwn(hosts, domain) ? hosts[domain] : {}), insecure: true } },
    });
    this.#insecure.set(domain, client);
    return client;
  }

  [Symbol.dispose](): void {
    for (const client of this.#insecure.values()) client[Symbol.dispose]();
    this.#insecure.clear();
  }
}
