import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { z } from 'zod';
import { type AbortOptions, CodedError } from '../../base/index.ts';
import { configMapType } from '../resource-types.ts';
import type { KubeClient } from '../runtime/index.ts';

/** Who asks, as the API server has found out. */
export interface User {
  readonly name: string;
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** How the API server says for whom it asks (ConfigMap kube-system/extension-apiserver-authentication). */
export interface FrontProxy {
  /** Authorities, PEM, one of which has signed the API server's certificate. */
  readonly ca: string;
  /** Common names that it may have; any where empty. */
  readonly allowedNames: readonly string[];
  readonly userHeaders: readonly string[];
  readonly uidHeaders: readonly string[];
  readonly groupHeaders: readonly string[];
  readonly extraPrefixes: readonly string[];
}

const AT = { namespace: 'kube-system', name: 'extension-apiserver-authentication' };
const MAX_GROUPS = 500;
const MAX_EXTRA = 100;

const names = z.array(z.string().max(1024)).max(100);

/** @throws CodedError failed_precondition where the cluster has no aggregation layer */
export async function readFrontProxy(kube: Pick<KubeClient, 'get'>, options: AbortOptions): Promise<FrontProxy> {
  const { data = {} } = await kube.get(configMapType, AT, options);
  const ca = data['requestheader-client-ca-file'] ?? '';
  const list = (key: string): readonly string[] => {
    const text = data[key];
    if (text === undefined || text === '') return [];
    try {
      return names.parse(JSON.parse(text));
    } catch (cause) {
      throw new CodedError('failed_precondition', `ConfigMap ${AT.namespace}/${AT.name}: ${key} is no list of names`, {
        cause,
      });
    }
  };
  if (ca === '')
    throw new CodedError(
      'failed_precondition',
      `ConfigMap ${AT.namespace}/${AT.name} has no requestheader-client-ca-file`,
      {
        hint: 'the API server needs the flags of the aggregation layer, --requestheader-client-ca-file among them',
      },
    );
  const headers = (key: string) => list(key).map((name) => name.toLowerCase());
  return {
    ca,
    allowedNames: list('requestheader-allowed-names'),
    userHeaders: headers('requestheader-username-headers'),
    uidHeaders: headers('requestheader-uid-headers'),
    groupHeaders: headers('requestheader-group-headers'),
    extraPrefixes: headers('requestheader-extra-headers-prefix'),
  };
}

/** The user that the API server names; undefined for whoever is not the API server, or names nobody. Everything else in a request may be anybody's word. */
export function userOf(request: IncomingMessage, proxy: FrontProxy): User | undefined {
  const socket = request.socket as TLSSocket;
  if (!socket.authorized) return undefined;
  const name = socket.getPeerCertificate().subject?.CN;
  if (typeof name !== 'string' || (proxy.allowedNames.length > 0 && !proxy.allowedNames.includes(name)))
    return undefined;
  const headers = request.headersDistinct;
  const all = (of: readonly string[]): readonly string[] => of.flatMap((header) => headers[header] ?? []);
  const first = (of: readonly string[]) => all(of).find((value) => value !== '');
  const user = first(proxy.userHeaders);
  if (user === undefined) return undefined;
  const groups = all(proxy.groupHeaders);
  const extra: Record<string, readonly string[]> = Object.create(null);
  for (const [header, values] of Object.entries(headers))
    for (const prefix of proxy.extraPrefixes)
      if (header.startsWith(prefix)) extra[unescaped(header.slice(prefix.length))] = values ?? [];
  // Whoever has more can not be asked for: to leave some out could let them do more.
  if (groups.length > MAX_GROUPS || Object.keys(extra).length > MAX_EXTRA) return undefined;
  return { name: user, uid: first(proxy.uidHeaders), groups, extra };
}

/** Keys are percent-encoded, since headers have few characters. */
function unescaped(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
