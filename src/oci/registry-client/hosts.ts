import { isLoopback } from '../../base/index.ts';
import type { TlsTrust } from '../../base/outbound-agents.ts';

/** How to reach one registry host. */
export interface RegistryHostOptions extends TlsTrust {
  /** `host:port` to connect to in place of the host that names it, e.g. for the embedded registry. */
  readonly address?: string;
  /** Plain HTTP. Default: true for loopback names and addresses for which no TLS option is set. */
  readonly plainHttp?: boolean;
  /** Also plain HTTP where the server speaks no TLS. */
  readonly insecure?: boolean;
  /** Hosts (`host[:port][/prefix]`) asked before this one when pulling, in order. */
  readonly mirrors?: readonly string[];
  /** Blobs that one user of the client moves at once in each direction, 4 when absent. */
  readonly concurrency?: number;
}

/** Options by host as in image names, e.g. `docker.io` or `registry.example.com:5000`. */
export type RegistryHosts = Readonly<Record<string, RegistryHostOptions>>;

/** Loopback and link-local (cloud metadata) literals: a public registry has no business sending us there. */
export function isLocalAddress(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return isLoopback(bare) || bare === '0.0.0.0' || bare === '::' || /^169\.254\.|^fe[89ab].:|^::ffff:/.test(bare);
}
