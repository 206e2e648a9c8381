import { formatPlatform, invalidArgument } from '../base/index.ts';
import { type Build, type BuildSpec, parseDuration } from '../resources/index.ts';
import { attestationAttrs } from './attestations.ts';
import { cacheSecrets, planCaches } from './caches.ts';
import { type ContextPlan, planContext, planNamedContext } from './context.ts';
import { checkedDefinition, compileGraph, GraphContexts } from './graph/index.ts';
import { inlineDefinition } from './inline.ts';
import { outputExporters } from './outputs.ts';
import type { ClusterValues, PlanOptions, SolvePlan } from './solve-plan.ts';
import { refuseUnbuilt } from './unbuilt.ts';

/**
 * Turns a Build's spec into one canonical solve request: a pure function, the same for operator and command.
 * @throws CodedError invalid_argument | unimplemented, naming the field.
 */
export function planBuild(build: Pick<Build, 'spec'>, options: PlanOptions): SolvePlan {
  const { spec } = build;
  refuseUnbuilt(spec);
  const contexts: ContextPlan = { attrs: {}, inputs: {}, uploads: [], gitAuth: [], httpAuth: [], ssh: [] };
  const { attrs } = contexts;
  const graph = spec.llb === undefined ? undefined : planGraph(spec, spec.llb, contexts, options.values);
  const frontend = graph === undefined ? planDockerfile(spec, contexts, options.values) : graph.frontend;
  Object.assign(attrs, attestationAttrs(spec));
  const { imports: cacheImports, exports: cacheExports } = planCaches(spec, options);
  if (graph === undefined && cacheImports.length > 0)
    attrs['cache-imports'] = JSON.stringify(cacheImports.map(({ type, attrs }) => ({ Type: type, Attrs: attrs })));
  return {
    frontend,
    frontendAttrs: attrs,
    frontendInputs: contexts.inputs,
    definition: graph?.definition,
    llb: graph?.summary,
    exporters: outputExporters(spec, options),
    cacheImports,
    cacheExports,
    entitlements: [...(spec.entitlements ?? [])].sort(),
    uploads: contexts.uploads,
    secrets: (spec.secrets ?? []).map(({ id, secretRef }) => ({ id, secretRef, field: `spec.secrets[${id}]` })),
    cacheSecrets: cacheSecrets(spec),
    gitAuth: contexts.gitAuth,
    httpAuth: contexts.httpAuth,
    ssh: [
      ...(spec.ssh ?? []).map(({ id, secretRef }) => ({ id, secretRef, field: `spec.ssh[${id}]` })),
      ...contexts.ssh,
    ],
    signing: plannedSigning(spec.sign),
    timeoutMs: spec.timeout === undefined ? undefined : parseDuration(spec.timeout),
  };
}

function plannedSigning(sign: BuildSpec['sign']): SolvePlan['signing'] {
  if (sign?.secretRef !== undefined) return { by: 'key', secretRef: sign.secretRef, field: 'spec.sign.secretRef' };
  if (sign?.keyless === undefined) return undefined;
  return { by: 'token', secretRef: sign.keyless.tokenSecretRef, field: 'spec.sign.keyless.tokenSecretRef' };
}

function planDockerfile(
  spec: BuildSpec,
  plan: ContextPlan,
  values: ClusterValues | undefined,
): 'dockerfile.v0' | 'gateway.v0' {
  const { attrs, inputs } = plan;
  const { dockerfile } = spec;
  // First: contexts look at them.
  for (const arg of spec.args ?? []) attrs[`build-arg:${arg.name}`] = argValue(arg, values);
  const around = { plan, values, platforms: spec.platforms };
  if (spec.source !== undefined) planContext(spec.source, around);
  else inputs['context'] = inlineDefinition({}, 'spec.source');
  if (dockerfile?.inline !== undefined)
    inputs['dockerfile'] = inlineDefinition({ Dockerfile: dockerfile.inline }, 'spec.dockerfile.inline');
  else if (dockerfile?.path !== undefined) attrs['filename'] = dockerfile.path;
  if (dockerfile?.target !== undefined) attrs['target'] = dockerfile.target;
  for (const context of spec.contexts ?? []) planNamedContext(context, around);
  if (spec.platforms?.length) attrs['platform'] = spec.platforms.join(',');
  if (spec.cache?.noCache) attrs['no-cache'] = '';
  if (spec.network === 'none' || spec.network === 'host') attrs['force-network-mode'] = spec.network;
  if (spec.sourceDateEpoch !== undefined) attrs['build-arg:SOURCE_DATE_EPOCH'] = String(spec.sourceDateEpoch);
  if (dockerfile?.frontend === undefined) return 'dockerfile.v0';
  attrs['source'] = dockerfile.frontend;
  return 'gateway.v0';
}

function argValue(
  { name, value, valueFrom }: NonNullable<BuildSpec['args']>[number],
  values: ClusterValues | undefined,
): string {
  if (valueFrom === undefined) return value ?? '';
  if (values === undefined)
    throw invalidArgument(`spec.args: the value of ${name} comes from a ConfigMap, which only a cluster has`);
  const { name: configMap, key } = valueFrom.configMapKeyRef;
  const found = values.configMaps.get(configMap)?.get(key);
  if (found === undefined)
    throw invalidArgument(`spec.args: the value of ${name}: there is no key ${key} in a ConfigMap ${configMap}`);
  return Buffer.from(found).toString('utf8');
}

/** What of a plan a graph makes. */
interface GraphPlan {
  readonly frontend: 'llb.v0' | undefined;
  readonly definition: Uint8Array | undefined;
  readonly summary: SolvePlan['llb'];
}

function planGraph(
  spec: BuildSpec,
  { graph, definition }: NonNullable<BuildSpec['llb']>,
  plan: ContextPlan,
  values: ClusterValues | undefined,
): GraphPlan {
  if (graph === undefined) {
    if ((spec.platforms?.length ?? 0) > 1)
      throw invalidArgument('spec.platforms: a definition is of one platform; a graph is made for each');
    const field = 'spec.llb.definition';
    const bytes = decodeDefinitionField(definition ?? '');
    const { summary } = checkedDefinition(bytes, field, spec.entitlements);
    return { frontend: undefined, definition: bytes, summary };
  }
  const contexts = new GraphContexts(spec, plan, values);
  const args = new Map((spec.args ?? []).map((arg) => [arg.name, argValue(arg, values)]));
  const { graphs, summary } = compileGraph(graph, {
    spec,
    args,
    context: (step, field, options) => contexts.files(step, field, options),
  });
  for (const { platform, definition: one, config } of graphs) {
    const id = platform === undefined ? 'graph' : formatPlatform(platform);
    plan.inputs[id] = one;
    if (config !== undefined) plan.attrs[`containerimage.config/${id}`] = config;
  }
  if (spec.platforms?.length) plan.attrs['platform'] = Object.keys(plan.inputs).join(',');
  return { frontend: 'llb.v0', definition: undefined, summary };
}

function decodeDefinitionField(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || bytes.toString('base64').replace(/=+$/, '') !== text.replace(/\s|=+$/g, ''))
    throw invalidArgument('spec.llb.definition: not base64');
  return bytes;
}
