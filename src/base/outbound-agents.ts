import { createPrivateKey } from 'node:crypto';
import { type AgentOptions, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions as HttpsAgentOptions } from 'node:https';
import { getCACertificates } from 'node:tls';
import { SocksProxyAgent } from 'socks-proxy-agent';
import type { BuildTrust } from './build-trust.ts';
import { DIRECT, type ProxySettings, proxyFor } from './proxy.ts';
import { RecentMap } from './recent-map.ts';

const MAX_BUILD_AGENTS = 128;
const IDLE_MS = 30_000;

/** Whom a TLS connection trusts, and as whom it shows itself. */
export interface TlsTrust {
  /** No verification. */
  readonly insecure?: boolean;
  /** Certificates trusted beside the machine's, PEM. */
  readonly ca?: readonly string[];
  /** Certificates of a client with their keys, PEM: the first of each kind of key is shown to servers that take it. */
  readonly client?: readonly KeyPair[];
}

interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/**
 * Where connections to the outside begin: kept-alive ones, a pool for each way out (direct, or a proxy) and kind of trust. The machine's own
 * certificates count since Node is started with `--use-system-ca` (bin/slipway-node), SSL_CERT_FILE and SSL_CERT_DIR with them.
 */
export class OutboundAgents implements Disposable {
  readonly #proxies: ProxySettings;
  readonly #options: AgentOptions;
  readonly #agents = new Map<string, HttpAgent>();
  /** Builds come with any number of kinds of trust. One that is forgotten closes its idle connections by itself. */
  readonly #ofBuilds = new RecentMap<string, HttpAgent>(MAX_BUILD_AGENTS);

  constructor(proxies: ProxySettings = DIRECT, options: AgentOptions = {}) {
    this.#proxies = proxies;
    this.#options = { keepAlive: true, maxFreeSockets: 16, scheduling: 'lifo', ...options };
  }

  /** `build` is what one build has of its own beside `trust`, which is the machine's. */
  for(url: URL, trust: TlsTrust = {}, build?: BuildTrust): HttpAgent {
    const proxy = proxyFor(url, build?.proxies ?? this.#proxies);
    const secure = url.protocol === 'https:';
    const key = `${url.protocol} ${proxy?.href} ${secure ? JSON.stringify([trust.insecure, trust.ca, trust.client]) : ''}`;
    if (build !== undefined)
      return this.#ofBuilds.getOrMake(`${build.id} ${key}`, () => {
        const own = { ...trust, ...(build.ca.length === 0 ? {} : { ca: [...(trust.ca ?? []), ...build.ca] }) };
        return openAgent(proxy, secure, { ...this.#options, timeout: IDLE_MS, ...(secure ? tlsOptions(own) : {}) });
      });
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      agent = openAgent(proxy, secure, secure ? { ...this.#options, ...tlsOptions(trust) } : this.#options);
      this.#agents.set(key, agent);
    }
    return agent;
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}

/** An agent whose connections go through `proxy`, which speaks http, https or socks; `secure` when they carry TLS to the end. */
export function openAgent(proxy: URL | undefined, secure: boolean, options: HttpsAgentOptions): HttpAgent {
  if (proxy?.protocol.startsWith('socks')) return new SocksProxyAgent(proxy, options);
  const through = proxy === undefined ? {} : { proxyEnv: { HTTP_PROXY: proxy.href, HTTPS_PROXY: proxy.href } };
  return secure ? new HttpsAgent({ ...options, ...through }) : new HttpAgent({ ...options, ...through });
}

function tlsOptions({ insecure, ca, client }: TlsTrust): HttpsAgentOptions {
  return {
    rejectUnauthorized: insecure !== true,
    ...(ca === undefined ? {} : { ca: [...new Set([...getCACertificates('default'), ...ca])] }),
    ...(client === undefined ? {} : shown(client)),
  };
}

/** A context has room for one of each kind. */
function shown(pairs: readonly KeyPair[]): Pick<HttpsAgentOptions, 'cert' | 'key'> {
  const first = new Map<string | undefined, KeyPair>();
  for (const pair of pairs) {
    const { asymmetricKeyType } = createPrivateKey(pair.key);
    if (!first.has(asymmetricKeyType)) first.set(asymmetricKeyType, pair);
  }
  return { cert: [...first.values()].map(({ cert }) => cert), key: [...first.values()].map(({ key }) => key) };
}
