import { formatPlatform, invalidArgument, type Platform, parsePlatform } from '../base/index.ts';
import { type Build, type BuildSpec, parseDuration } from '../resources/index.ts';
import { attestationAttrs } from './attestations.ts';
import { cacheSecrets, planCaches } from './caches.ts';
import { type ContextPlan, planContext, planNamedContext } from './context.ts';
import {
  argumentsFor,
  artifactDefinition,
  checkedDefinition,
  compileGraph,
  GraphContexts,
  imageConfig,
} from './graph/index.ts';
import { inlineDefinition } from './inline.ts';
import { outputExporters } from './outputs.ts';
import { indexPlan, platformPlan } from './parts.ts';
import type { ClusterValues, PlanOptions, SolvePlan } from './solve-plan.ts';
import { planTrust, proxyArgs } from './trust.ts';

/**
 * Turns a Build's spec into one canonical solve request: a pure function, the same for operator and command.
 * @throws CodedError invalid_argument | unimplemented, naming the field.
 */
export function planBuild(build: Pick<Build, 'spec'>, options: PlanOptions): SolvePlan {
  const { part } = options;
  if (part?.kind === 'platform') return platformPlan(planWhole({ ...build.spec, platforms: [part.platform] }, options));
  const whole = planWhole(build.spec, options);
  return part === undefined ? whole : indexPlan(whole, part);
}

function planWhole(spec: BuildSpec, options: PlanOptions): SolvePlan {
  const contexts: ContextPlan = { attrs: {}, inputs: {}, uploads: [], gitAuth: [], httpAuth: [], ssh: [] };
  const { attrs } = contexts;
  for (const trigger of ['git', 'baseImage'] as const)
    if (spec.triggers?.[trigger] === true)
      throw invalidArgument(`spec.triggers.${trigger} is not built yet`, {
        hint: 'give spec.triggers.schedule, or a source of Flux, whose new revisions start a run',
      });
  const trust = planTrust(spec, options.values);
  const llb = spec.llb === undefined ? undefined : planGraph(spec, spec.llb, contexts, options.values);
  const frontend = spec.llb === undefined ? planDockerfile(spec, contexts, options.values) : 'llb.v0';
  if (spec.llb === undefined) Object.assign(attrs, proxyArgs(trust, spec.args));
  Object.assign(attrs, attestationAttrs(spec));
  const { imports: cacheImports, exports: cacheExports } = planCaches(spec, options);
  if (spec.llb === undefined && cacheImports.length > 0)
    attrs['cache-imports'] = JSON.stringify(cacheImports.map(({ type, attrs }) => ({ Type: type, Attrs: attrs })));
  return {
    frontend,
    frontendAttrs: attrs,
    frontendInputs: contexts.inputs,
    llb,
    exporters: outputExporters(spec, options),
    cacheImports,
    cacheExports,
    entitlements: [...(spec.entitlements ?? [])].sort(),
    trust,
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

/** Graphs as inputs of `llb.v0`, and how their images start; returns what they are made of, where that is known here. */
function planGraph(
  spec: BuildSpec,
  { graph, definition, ref, image }: NonNullable<BuildSpec['llb']>,
  plan: ContextPlan,
  values: ClusterValues | undefined,
): SolvePlan['llb'] {
  const { attrs, inputs } = plan;
  const args = new Map((spec.args ?? []).map((arg) => [arg.name, argValue(arg, values)]));
  const platforms = spec.platforms?.length ? spec.platforms.map((text) => parsePlatform(text)) : [undefined];
  const idOf = (platform: Platform | undefined) => (platform === undefined ? 'graph' : formatPlatform(platform));
  let summary: SolvePlan['llb'];
  if (graph !== undefined) {
    const contexts = new GraphContexts(spec, plan, values);
    const context: GraphContexts['files'] = (step, field, options) => contexts.files(step, field, options);
    const compiled = compileGraph(graph, { spec, platforms, args, context });
    for (const { platform, definition: one } of compiled.graphs) inputs[idOf(platform)] = one;
    summary = compiled.summary;
  } else if (ref !== undefined)
    for (const platform of platforms) {
      const { definition: files, file } = artifactDefinition(ref, platform);
      inputs[idOf(platform)] = files;
      attrs['file'] = file;
    }
  else {
    if (platforms.length > 1)
      throw invalidArgument('spec.platforms: a definition is of one platform; a graph is made for each');
    const bytes = decodeDefinitionField(definition ?? '');
    summary = checkedDefinition(bytes, 'spec.llb.definition', spec.entitlements).summary;
    inputs[idOf(platforms[0])] = bytes;
  }
  if (spec.platforms?.length) attrs['platform'] = Object.keys(inputs).join(',');
  if (image !== undefined)
    for (const platform of platforms)
      attrs[`containerimage.config/${idOf(platform)}`] = imageConfig(image, platform, argumentsFor(platform, args));
  return summary;
}

function decodeDefinitionField(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || bytes.toString('base64').replace(/=+$/, '') !== text.replace(/\s|=+$/g, ''))
    throw invalidArgument('spec.llb.definition: not base64');
  return bytes;
}
