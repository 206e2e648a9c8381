import { type AbortOptions, CodedError, invalidArgument, readTrust, withProxyAddress } from '../../base/index.ts';
import { toNumber, type wire } from '../../builder-api/index.ts';
import { decodeDefinitionInSlices } from '../../llb/index.ts';
import type { CacheScope } from '../../solver/index.ts';
import type { SolveRequest } from '../engine/index.ts';
import { decodeInputs } from './inputs.ts';

const COMPATIBILITY_VERSIONS: ReadonlySet<number> = new Set([0, 10, 20, 30]);

type SolveMessage = wire.moby.buildkit.v1.SolveRequest.$Properties;

/** A client's request as the engine takes it. @throws CodedError for what is malformed, and for what is not built and would mislead if it were ignored. */
export async function solveRequest(
  message: SolveMessage,
  scope: CacheScope,
  options: AbortOptions,
): Promise<SolveRequest> {
  const version = toNumber(message.compatibilityVersion);
  if (!COMPATIBILITY_VERSIONS.has(version)) throw invalidArgument(`unsupported compatibility version ${version}`);
  refuse((message.sourcePolicy?.rules ?? []).length > 0, 'source policies');
  refuse((message.sourcePolicySession ?? '') !== '', 'source policies of a session');
  refuse(message.proxyNetwork === true, 'proxied networking');
  const cache = message.cache ?? {};
  const { definition, exporterDeprecated } = message;
  const exporters =
    (message.exporters ?? []).length > 0
      ? (message.exporters ?? []).map(({ type, attrs }) => ({ type: type ?? '', attrs: attrs ?? {} }))
      : exporterDeprecated
        ? [{ type: exporterDeprecated, attrs: message.exporterAttrsDeprecated ?? {} }]
        : [];
  return {
    ref: message.ref ?? '',
    session: message.session ?? '',
    ...(definition != null && definition.length > 0
      ? { definition: await decodeDefinitionInSlices(definition, options), encodedDefinition: definition }
      : {}),
    frontend: message.frontend ?? '',
    frontendAttrs: new Map(Object.entries(message.frontendAttrs ?? {})),
    frontendInputs: await decodeInputs(message.frontendInputs, options),
    exporters,
    ...(message.enableSessionExporter === true ? { sessionExporters: true } : {}),
    entitlements: message.entitlements ?? [],
    cacheExports: [
      ...(cache.exports ?? []).map(({ type, attrs }) => ({ type: type ?? '', attrs: attrs ?? {} })),
      ...(cache.exportRefDeprecated
        ? [{ type: 'registry', attrs: { ...cache.exportAttrsDeprecated, ref: cache.exportRefDeprecated } }]
        : []),
    ],
    cacheImports: [
      ...(cache.imports ?? []).map(({ type, attrs }) => ({ type: type ?? '', attrs: attrs ?? {} })),
      ...(cache.importRefsDeprecated ?? []).map((ref) => ({ type: 'registry', attrs: { ref } })),
    ],
    scope,
    ...(await trustOf(message, options)),
    ...(message.internal === true ? { recorded: 'not' as const } : {}),
  };
}

async function trustOf({ trust, session }: SolveMessage, options: AbortOptions): Promise<Pick<SolveRequest, 'trust'>> {
  const { caBundle = '', proxy = '', noProxy = '' } = trust ?? {};
  const read = readTrust({ caBundle: caBundle ?? '', proxy: proxy ?? '', noProxy: noProxy ?? '' });
  if (read === undefined) return {};
  if (!session) throw invalidArgument('trust: it holds for a session, and the request names none');
  return { trust: await withProxyAddress(read, options) };
}

function refuse(asked: boolean, what: string): void {
  if (asked) throw CodedError.of('NOT_BUILT', `${what} are not supported by this builder yet`);
}
