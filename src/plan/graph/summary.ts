import {
  type CodedError,
  formatPlatform,
  invalidArgument,
  toCodedError,
  withoutCredentials,
} from '../../base/index.ts';
import { type Definition, decodeDefinition, decodeOp, loadDefinition, type Op } from '../../llb/index.ts';
import type { LlbSummary } from '../../resources/index.ts';

const MOST = 16;
const LONGEST = 200;

/** What graphs are made of: those of a Build for its platforms. */
export function summaryOf(definitions: readonly Definition[]): LlbSummary {
  const ops = new Map<string, number>();
  const sources = new Set<string>();
  const platforms = new Set<string>();
  const entitlements = new Set<string>();
  const seen = new Set<string>();
  let vertices = 0;
  for (const { ops: all } of definitions)
    for (const bytes of all) {
      const key = Buffer.from(bytes).toString('latin1');
      if (seen.has(key)) continue;
      seen.add(key);
      const op = decodeOp(bytes);
      if (op.body.kind === 'pointer') continue;
      vertices++;
      ops.set(op.body.kind, (ops.get(op.body.kind) ?? 0) + 1);
      if (op.body.kind === 'source') sources.add(withoutCredentials(op.body.source.identifier).slice(0, LONGEST));
      if (op.platform !== undefined) platforms.add(formatPlatform(op.platform));
      for (const entitlement of entitlementsOf(op)) entitlements.add(entitlement);
    }
  return {
    vertices,
    ops: Object.fromEntries([...ops].sort(([a], [b]) => (a < b ? -1 : 1))),
    ...listed('sources', sources),
    ...listed('platforms', platforms),
    ...listed('entitlements', entitlements),
  };
}

const listed = (name: string, all: ReadonlySet<string>) =>
  all.size === 0 ? {} : { [name]: [...all].sort().slice(0, MOST) };

/** What a builder must be let do for an op. */
function entitlementsOf({ body }: Op): string[] {
  if (body.kind !== 'exec') return [];
  const { network, security, cdiDevices } = body.exec;
  return [
    ...(network === 'host' ? ['network.host'] : []),
    ...(security === 'insecure' ? ['security.insecure'] : []),
    ...(cdiDevices.length === 0 ? [] : ['device']),
  ];
}

/** Checks a graph that was made elsewhere as builders do. @throws CodedError that names the field, and the vertex where it is one's */
export function checkedDefinition(
  bytes: Uint8Array,
  field: string,
  allowed: readonly string[] = [],
): { readonly definition: Definition; readonly summary: LlbSummary } {
  const named = (error: unknown): CodedError => {
    const { message, hint } = toCodedError(error);
    return invalidArgument(`${field}: ${message}`, { cause: error, ...(hint === undefined ? {} : { hint }) });
  };
  let definition: Definition;
  try {
    definition = decodeDefinition(bytes);
    const graph = loadDefinition(definition);
    if (graph === undefined) throw invalidArgument('it has no vertices');
    for (const { name, digest, op } of graph.vertices)
      for (const entitlement of entitlementsOf(op.op))
        if (!allowed.includes(entitlement))
          throw invalidArgument(
            `vertex ${digest} (${name.slice(0, LONGEST)}) needs the entitlement ${entitlement}: name it in spec.entitlements`,
          );
  } catch (error) {
    throw named(error);
  }
  return { definition, summary: summaryOf([definition]) };
}
