import { invalidArgument } from '../base/index.ts';
import type { Build, BuildSpec, NamedContext, Source } from '../resources/index.ts';
import { inlineDefinition } from './inline.ts';
import { outputExporters } from './outputs.ts';
import { refuseUnbuilt } from './unbuilt.ts';

/** What a builder is asked to do for a Build: one solve request without ids, sessions and secret values. Wire form of BuildKit's Control.Solve. */
export interface SolvePlan {
  readonly frontend: 'dockerfile.v0' | 'gateway.v0' | undefined;
  readonly frontendAttrs: Readonly<Record<string, string>>;
  /** Serialized Definitions by input name. */
  readonly frontendInputs: Readonly<Record<string, Uint8Array>>;
  /** A serialized Definition where the spec gives the graph itself. */
  readonly definition: Uint8Array | undefined;
  readonly exporters: readonly PlannedExporter[];
  readonly cacheImports: readonly { readonly type: string; readonly attrs: Readonly<Record<string, string>> }[];
  readonly cacheExports: readonly { readonly type: string; readonly attrs: Readonly<Record<string, string>> }[];
  readonly entitlements: readonly string[];
  /** Local sources that the session must serve: names as the frontend asks for them. */
  readonly uploads: readonly string[];
  /** Secrets that the session must serve by id, and where they come from. */
  readonly secrets: readonly PlannedSecret[];
  readonly ssh: readonly PlannedSecret[];
  readonly registryAuth: readonly string[];
  readonly timeoutMs: number | undefined;
}

export interface PlannedExporter {
  readonly type: string;
  readonly attrs: Readonly<Record<string, string>>;
}

export interface PlannedSecret {
  readonly id: string;
  readonly secretRef: { readonly name: string; readonly key?: string | undefined };
}

export interface PlanOptions {
  /** Registry host for output names that have none, e.g. `slipway.localhost`. */
  readonly defaultRegistry: string;
}

/**
 * Turns a Build's spec into one canonical solve request: a pure function, the same for operator and command.
 * @throws CodedError invalid_argument | unimplemented, naming the field.
 */
export function planBuild(build: Build, options: PlanOptions): SolvePlan {
  const { spec } = build;
  refuseUnbuilt(spec);
  const inputs: Record<string, Uint8Array> = {};
  const uploads: string[] = [];
  const secrets: PlannedSecret[] = (spec.secrets ?? []).map(({ id, secretRef }) => ({ id, secretRef }));
  const attrs: Record<string, string> = {};
  const frontend = spec.llb === undefined ? planDockerfile(spec, attrs, inputs, uploads, secrets) : undefined;
  const cacheImports = (spec.cache?.from ?? []).map(({ ref }) => ({ type: 'registry', attrs: { ref } }));
  if (frontend !== undefined && cacheImports.length > 0)
    attrs['cache-imports'] = JSON.stringify(cacheImports.map(({ type, attrs }) => ({ Type: type, Attrs: attrs })));
  return {
    frontend,
    frontendAttrs: attrs,
    frontendInputs: inputs,
    definition: spec.llb?.definition === undefined ? undefined : decodeDefinitionField(spec.llb.definition),
    exporters: outputExporters(spec, options),
    cacheImports,
    cacheExports: (spec.cache?.to ?? []).map(({ ref, mode }) => ({
      type: 'registry',
      attrs: { ref, mode: mode ?? 'min' },
    })),
    entitlements: [...(spec.entitlements ?? [])].sort(),
    uploads,
    secrets,
    ssh: (spec.ssh ?? []).map(({ id, secretRef }) => ({ id, secretRef })),
    registryAuth: (spec.registryAuth ?? []).map(({ secretRef }) => secretRef.name),
    timeoutMs: spec.timeout === undefined ? undefined : parseDuration(spec.timeout),
  };
}

function planDockerfile(
  spec: BuildSpec,
  attrs: Record<string, string>,
  inputs: Record<string, Uint8Array>,
  uploads: string[],
  secrets: PlannedSecret[],
): 'dockerfile.v0' | 'gateway.v0' {
  const { dockerfile } = spec;
  if (spec.source !== undefined) planContext(spec.source, attrs, inputs, uploads, secrets);
  else inputs['context'] = inlineDefinition({});
  if (dockerfile?.inline !== undefined) inputs['dockerfile'] = inlineDefinition({ Dockerfile: dockerfile.inline });
  else if (dockerfile?.path !== undefined) attrs['filename'] = dockerfile.path;
  if (dockerfile?.target !== undefined) attrs['target'] = dockerfile.target;
  for (const context of spec.contexts ?? []) planNamedContext(context, attrs, inputs, uploads);
  for (const { name, value, valueFrom } of spec.args ?? []) {
    if (valueFrom !== undefined)
      throw invalidArgument(`spec.args: the value of ${name} comes from a ConfigMap, which only a cluster has`);
    attrs[`build-arg:${name}`] = value ?? '';
  }
  if (spec.platforms?.length) attrs['platform'] = spec.platforms.join(',');
  if (spec.cache?.noCache) attrs['no-cache'] = '';
  if (spec.network === 'none' || spec.network === 'host') attrs['force-network-mode'] = spec.network;
  if (spec.sourceDateEpoch !== undefined) attrs['build-arg:SOURCE_DATE_EPOCH'] = String(spec.sourceDateEpoch);
  if (dockerfile?.frontend === undefined) return 'dockerfile.v0';
  attrs['source'] = dockerfile.frontend;
  return 'gateway.v0';
}

/** The main context: attribute `context` for what the builder fetches, input or local `context` else. */
function planContext(
  source: Source,
  attrs: Record<string, string>,
  inputs: Record<string, Uint8Array>,
  uploads: string[],
  secrets: PlannedSecret[],
): void {
  if (source.inline !== undefined) {
    const files = inlineDefinition(source.inline.files);
    inputs['context'] = files;
    // Without a Dockerfile given apart, it is one of the files.
    inputs['dockerfile'] = files;
  } else if (source.upload !== undefined) {
    uploads.push('context', 'dockerfile');
  } else if (source.git !== undefined) {
    attrs['context'] = gitContext(source.git);
    if (source.git.secretRef !== undefined) secrets.push({ id: 'GIT_AUTH_TOKEN', secretRef: source.git.secretRef });
  } else if (source.http !== undefined) {
    attrs['context'] = source.http.url;
  } else if (source.oci !== undefined) {
    throw invalidArgument(
      'spec.source.oci: an image as the main context is not supported yet; name it in spec.contexts',
    );
  } else {
    throw invalidArgument('spec.source.configMap: only a cluster has ConfigMaps');
  }
}

function planNamedContext(
  context: NamedContext,
  attrs: Record<string, string>,
  inputs: Record<string, Uint8Array>,
  uploads: string[],
): void {
  const key = `context:${context.name}`;
  if (context.oci !== undefined) attrs[key] = `docker-image://${context.oci.image}`;
  else if (context.git !== undefined) attrs[key] = gitContext(context.git);
  else if (context.http !== undefined) attrs[key] = context.http.url;
  else if (context.inline !== undefined) {
    inputs[context.name] = inlineDefinition(context.inline.files);
    attrs[key] = `input:${context.name}`;
  } else if (context.upload !== undefined) {
    uploads.push(context.name);
    attrs[key] = `local:${context.name}`;
  } else throw invalidArgument(`spec.contexts[${context.name}].configMap: only a cluster has ConfigMaps`);
}

/** `url#ref:subPath`, the form that contexts and LLB git sources share. */
function gitContext(git: NonNullable<Source['git']>): string {
  if (/[#\s]/.test(git.url))
    throw invalidArgument(`git url ${JSON.stringify(git.url)}: give ref and subPath as fields of their own`);
  const url = git.submodules === false ? `${git.url}${git.url.includes('?') ? '&' : '?'}submodules=false` : git.url;
  const fragment = `${git.ref ?? ''}${git.subPath === undefined ? '' : `:${git.subPath}`}`;
  return fragment === '' && /\.git$/.test(url) ? url : `${url}#${fragment}`;
}

function decodeDefinitionField(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || bytes.toString('base64').replace(/=+$/, '') !== text.replace(/\s|=+$/g, ''))
    throw invalidArgument('spec.llb.definition: not base64');
  return bytes;
}

/** Milliseconds of a duration that the schema has accepted. */
export function parseDuration(text: string): number {
  const unit: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let total = 0;
  for (const [, amount, name] of text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)/g))
    total += Number(amount) * (unit[name as string] as number);
  return total;
}
