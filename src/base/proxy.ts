import { BlockList, isIP } from 'node:net';
import { CodedError } from './errors.ts';
import { isLoopback } from './loopback.ts';

/** Through which proxy connections leave the machine, as the environment says; plain data, so that it can be handed to a thread. */
export interface ProxySettings {
  /** Proxy of http:// URLs. */
  readonly http?: string;
  /** Proxy of https:// URLs. */
  readonly https?: string;
  /** What is reached directly: `*`, hosts, `.domain`, addresses and networks, each with `:port` if it has one; comma-separated. */
  readonly noProxy: string;
}

/** How connections leave the machine. Whom TLS trusts Node reads by itself; processes of others must be told. */
export interface OutboundSettings {
  readonly proxies: ProxySettings;
  /** SSL_CERT_FILE: trusted certificates, in place of the system's file. */
  readonly certificateFile?: string;
  /** SSL_CERT_DIR: directories of them, with colons between. */
  readonly certificateDirectories?: string;
}

export const DIRECT: ProxySettings = { noProxy: '' };

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws CodedError invalid_argument that names the variable */
export function outboundSettings(env: Environment): OutboundSettings {
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: directories } = env;
  return {
    proxies: proxySettings(env),
    ...(file ? { certificateFile: file } : {}),
    ...(directories ? { certificateDirectories: directories } : {}),
  };
}

/**
 * HTTP_PROXY, HTTPS_PROXY, ALL_PROXY (for either where it has none of its own) and NO_PROXY, in capitals or small letters.
 * @throws CodedError invalid_argument that names the variable
 */
export function proxySettings(env: Environment): ProxySettings {
  const read = (name: string): string => env[name] || env[name.toLowerCase()] || '';
  const proxy = (name: string): string | undefined => {
    const given = read(name) === '' ? 'ALL_PROXY' : name;
    const value = read(given);
    if (value === '') return undefined;
    const text = value.includes('://') ? value : `http://${value}`;
    if (!URL.canParse(text) || !/^(?:https?|socks5h?):$/.test(new URL(text).protocol) || new URL(text).hostname === '')
      throw CodedError.of('PROXY', `the environment variable ${given} names no proxy`, {
        hint: 'give http://, https:// or socks5://, then [user:password@]host:port',
      });
    return text;
  };
  const http = proxy('HTTP_PROXY');
  const https = proxy('HTTPS_PROXY');
  return {
    noProxy: read('NO_PROXY'),
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
  };
}

/** The proxy that a URL is asked through; undefined for none. This machine itself is never asked through one. */
export function proxyFor(url: URL, settings: ProxySettings): URL | undefined {
  const proxy = url.protocol === 'https:' ? settings.https : settings.http;
  if (proxy === undefined) return undefined;
  const host = url.hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  if (isLoopback(host)) return undefined;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const direct = settings.noProxy.split(',').some((entry) => matches(entry.trim().toLowerCase(), host, port));
  return direct ? undefined : new URL(proxy);
}

/** Whether an entry of NO_PROXY names this host. */
function matches(entry: string, host: string, port: string): boolean {
  if (entry === '') return false;
  if (entry === '*') return true;
  const network = /^([0-9a-f.:]+)\/(\d{1,3})$/.exec(entry);
  if (network !== null) return isInNetwork(host, network[1]!, Number(network[2]));
  const [name, only] = splitPort(entry);
  if (only !== undefined && only !== port) return false;
  if (isIP(name) !== 0) return isInNetwork(host, name, isIP(name) === 4 ? 32 : 128);
  // `*.domain` and `.domain` are what lies below it, a bare name is that host as well.
  const domain = name.replace(/^\*(?=\.)/, '');
  return domain.startsWith('.') ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
}

/** `host:port`, `[v6]:port`, or either without a port. */
function splitPort(entry: string): readonly [string, string | undefined] {
  if (isIP(entry) === 6) return [entry, undefined];
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  return [bracketed ?? plain ?? entry, port];
}

function isInNetwork(host: string, address: string, prefix: number): boolean {
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || prefix > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(address, prefix, type);
  return list.check(host, type);
}
