import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP } from 'node:net';
import { getCACertificates } from 'node:tls';

/** How to reach one registry host. */
export interface RegistryHostOptions {
  /** `host:port` to connect to in place of the host that names it, e.g. for the embedded registry. */
  readonly address?: string;
  /** Plain HTTP. Default: true for loopback names and addresses for which no TLS option is set. */
  readonly plainHttp?: boolean;
  /** TLS without verification, and plain HTTP where the server speaks no TLS. */
  readonly insecure?: boolean;
  /** Additional trusted certificates, PEM. */
  readonly ca?: readonly string[];
  /** PEM client certificate and key. */
  readonly client?: { readonly cert: string; readonly key: string };
  /** Hosts (`host[:port][/prefix]`) asked before this one when pulling, in order. */
  readonly mirrors?: readonly string[];
  /** Blobs moved at once in each direction, 4 when absent. */
  readonly concurrency?: number;
}

/** Options by host as in image names, e.g. `docker.io` or `registry.example.com:5000`. */
export type RegistryHosts = Readonly<Record<string, RegistryHostOptions>>;

export function isLoopback(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '');
  return (
    bare === 'localhost' ||
    bare.endsWith('.localhost') ||
    bare === '::1' ||
    (isIP(bare) === 4 && bare.startsWith('127.'))
  );
}

/** Loopback and link-local (cloud metadata) literals: a public registry has no business sending us there. */
export function isLocalAddress(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return isLoopback(bare) || bare === '0.0.0.0' || bare === '::' || /^169\.254\.|^fe[89ab].:|^::ffff:/.test(bare);
}

/** Kept-alive connections, one pool a kind of trust. */
export class AgentPool implements Disposable {
  readonly #agents = new Map<string, HttpAgent>();

  /** The agent for a URL under the options of its host. */
  for(url: URL, options: RegistryHostOptions): HttpAgent {
    const key = url.protocol === 'http:' ? 'http' : JSON.stringify([options.insecure, options.ca, options.client]);
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      const common = { keepAlive: true, maxFreeSockets: 16, scheduling: 'lifo' as const };
      agent =
        url.protocol === 'http:'
          ? new HttpAgent(common)
          : new HttpsAgent({
              ...common,
              rejectUnauthorized: options.insecure !== true,
              ...(options.ca === undefined ? {} : { ca: [...defaultCertificates(), ...options.ca] }),
              ...options.client,
            });
      this.#agents.set(key, agent);
    }
    return agent;
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}

function defaultCertificates(): readonly string[] {
  return getCACertificates('default');
}
