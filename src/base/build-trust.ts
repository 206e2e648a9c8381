import { X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { digestOf } from './digest.ts';
import { CodedError, invalidArgument } from './errors.ts';
import { isLinkLocal, linkLocal } from './link-local.ts';
import type { ProxySettings } from './proxy.ts';
import { type AbortOptions, onAbort } from './signals.ts';

/** How the connections of one build leave the machine, where that is not how the builder's own do. */
export interface BuildTrust {
  /** Of all the rest: connections, and what was told over them, are shared among those that have it in common, and with nobody else. */
  readonly id: string;
  /** Trusted beside the machine's, PEM. */
  readonly ca: readonly string[];
  /** In place of the builder's own; those when absent. */
  readonly proxies?: ProxySettings;
}

/** As it is asked for; each may be empty. */
interface TrustRequest {
  /** PEM certificates. */
  readonly caBundle: string;
  /** Of http and https URLs alike. */
  readonly proxy: string;
  /** As NO_PROXY. */
  readonly noProxy: string;
}

/** Who says how connections of a session's builds leave the machine, for as long as it is held. */
export interface SessionTrust {
  /** Of no session, or with nothing to say, it holds nothing. @throws CodedError where the session has other trust already */
  hold(session: string, trust: BuildTrust | undefined): Disposable | undefined;
}

const MAX_CA_BUNDLE = 262_144;
const MAX_CERTIFICATES = 300;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Undefined where nothing is asked for. @throws CodedError invalid_argument: `field` and the member that is wrong */
export function readTrust({ caBundle, proxy, noProxy }: TrustRequest, field = 'trust'): BuildTrust | undefined {
  if (caBundle === '' && proxy === '') {
    if (noProxy !== '') throw invalidArgument(`${field}.noProxy: there is no proxy`);
    return undefined;
  }
  const ca = caBundle === '' ? [] : readBundle(caBundle, `${field}.caBundle`);
  const through = proxy === '' ? undefined : readProxy(proxy, `${field}.proxy`);
  return trustOf(ca, through === undefined ? undefined : { http: through, https: through, noProxy });
}

function trustOf(ca: readonly string[], proxies: ProxySettings | undefined): BuildTrust {
  const all = { ca, ...(proxies === undefined ? {} : { proxies }) };
  return { id: digestOf(JSON.stringify(all)), ...all };
}

function readBundle(text: string, field: string): readonly string[] {
  if (text.length > MAX_CA_BUNDLE) throw invalidArgument(`${field}: longer than ${MAX_CA_BUNDLE} characters`);
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length === 0 || found.length > MAX_CERTIFICATES)
    throw invalidArgument(`${field}: from 1 to ${MAX_CERTIFICATES} PEM certificates are expected, not ${found.length}`);
  for (const [at, pem] of found.entries())
    try {
      new X509Certificate(pem);
    } catch (error) {
      throw invalidArgument(`${field}: certificate ${at + 1} cannot be read`, { cause: error });
    }
  return found;
}

function readProxy(text: string, field: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^(?:http|socks5h?):$/.test(url.protocol) || url.hostname === '')
    throw invalidArgument(`${field} names no proxy`, {
      hint: 'give http:// or socks5://, then [user:password@]host:port',
    });
  return text;
}

/**
 * The same with its proxy by address. Whoever asks for a build names its proxy: where that leads is looked up once, so that it cannot lead to the cloud's metadata service later.
 * @throws CodedError where it does, and where there is no such host
 */
export async function withProxyAddress(trust: BuildTrust, { signal }: AbortOptions): Promise<BuildTrust> {
  const { proxies } = trust;
  if (proxies?.http === undefined) return trust;
  const url = new URL(proxies.http);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const address = isIP(host) === 0 ? await addressOf(host, { signal }) : host;
  if (isLinkLocal(address)) throw linkLocal(address);
  url.hostname = isIP(address) === 6 ? `[${address}]` : address;
  return trustOf(trust.ca, { ...proxies, http: url.href, https: url.href });
}

async function addressOf(host: string, { signal }: AbortOptions): Promise<string> {
  using aborted = onAbort(signal);
  const asked = lookup(host);
  asked.catch(() => {});
  try {
    return (await Promise.race([asked, aborted.promise])).address;
  } catch (error) {
    signal.throwIfAborted();
    throw CodedError.of('PROXY', `trust.proxy: there is no host ${host}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
