import { digestOf } from '../base/index.ts';
import { type FluxReference, fluxReferences } from '../plan/index.ts';
import {
  type BuildRun,
  type BuildRunSpec,
  type BuildRunStatus,
  type BuildSpec,
  type BuildStatus,
  buildHash,
  buildRunSpec,
  buildRunStatus,
  buildSpec,
  buildStatus,
  overLimit,
  PAUSED_ANNOTATION,
  parseStored,
  RERUN_ANNOTATION,
  storedBytes,
} from '../resources/index.ts';
import type { Fault } from './conditions.ts';
import { buildRunType, buildType } from './resource-types.ts';
import { isDivisible } from './run/parts.ts';
import type { KubeObject, ObjectMeta, ResourceType } from './runtime/index.ts';

/**
 * Builds and BuildRuns as the informers keep them: what decisions are made of, and nothing of what is built. That is the tenants' to make large, and got from the API server when a run is made or
 * planned. What does not fit its schema is kept too, with what is wrong with it, so that somebody says so.
 */
export interface KnownBuild extends KubeObject {
  readonly spec: Pick<BuildSpec, 'historyLimit'> & { readonly schedule?: string | undefined };
  /** What holds back new runs. */
  readonly held?: 'spec' | 'annotation' | undefined;
  /** Sources of Flux that it is built from. */
  readonly flux?: readonly FluxReference[];
  /** Of what is to be built; undefined when the spec is at fault. */
  readonly hash?: string;
  readonly fault?: Fault;
  readonly status?: BuildStatus | undefined;
}

/** Hands the admission of a Build's runs to Kueue. */
export const QUEUE_NAME_LABEL = 'kueue.x-k8s.io/queue-name';

export interface KnownRun extends KubeObject {
  readonly spec: Omit<BuildRunSpec, 'buildSpec'> & {
    readonly buildSpec: Pick<
      BuildSpec,
      'poolRef' | 'platforms' | 'priority' | 'timeout' | 'queueTimeout' | 'retry' | 'cache' | 'resources'
    >;
  };
  /** What its spec takes where it is stored. */
  readonly bytes?: number;
  /** The queue of Kueue that admits it. */
  readonly queueName?: string | undefined;
  /** What Builds of one source have in common. */
  readonly alike?: string | undefined;
  /** Its platforms may be built apart. */
  readonly divisible?: boolean;
  readonly fault?: Fault;
  readonly status?: BuildRunStatus | undefined;
}

export const knownBuildType: ResourceType<KnownBuild> = {
  ...buildType,
  parse: (value) => {
    const { metadata, spec, status, ...head } = value as Stored;
    const known = { ...head, metadata: knownMeta(metadata), ...knownStatus(buildStatus, status) };
    const checked = check(() => parseStored(buildSpec, spec), spec);
    const paused = metadata.annotations?.[PAUSED_ANNOTATION] === 'true' ? 'annotation' : undefined;
    if ('fault' in checked) return { ...known, spec: {}, held: paused, fault: checked.fault };
    const { suspend, historyLimit, triggers } = checked.spec;
    const flux = fluxReferences(checked.spec);
    const hash = buildHash({
      ...knownStatus(buildStatus, status),
      spec: checked.spec,
      metadata: { annotations: { [RERUN_ANNOTATION]: metadata.annotations?.[RERUN_ANNOTATION] ?? '' } },
    });
    const held = suspend === true ? 'spec' : paused;
    return { ...known, spec: { historyLimit, schedule: triggers?.schedule }, held, flux, hash };
  },
};

export const knownRunType: ResourceType<KnownRun> = {
  ...buildRunType,
  parse: (value) => {
    const { metadata, spec, status, ...head } = value as Stored;
    const known = { ...head, metadata: knownMeta(metadata), ...knownStatus(buildRunStatus, status) };
    const { buildSpec: what, ...others } = spec as BuildRun['spec'];
    const checked = check(() => parseStored(buildRunSpec, spec), what);
    if ('fault' in checked) return { ...known, spec: { ...others, buildSpec: {} }, fault: checked.fault };
    const { buildSpec: parsed, ...of } = checked.spec;
    const { poolRef, platforms, priority, timeout, queueTimeout, retry, resources, cache } = parsed;
    const scope = cache?.scope === undefined ? undefined : { scope: cache.scope };
    const kept = {
      ...of,
      buildSpec: { poolRef, platforms, priority, timeout, queueTimeout, retry, cache: scope, resources },
    };
    return {
      ...known,
      spec: kept,
      bytes: storedBytes(what),
      alike: sourceName(parsed.source),
      divisible: isDivisible(parsed),
      queueName: metadata.labels?.[QUEUE_NAME_LABEL],
    };
  },
};

interface Stored extends KubeObject {
  readonly spec: unknown;
  readonly status?: unknown;
}

function knownMeta(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp } = metadata;
  const ownerReferences = metadata.ownerReferences?.filter(({ controller }) => controller === true);
  return { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp, ownerReferences };
}

/** A status that does not fit is of another version: the object is better left alone. @throws CodedError */
function knownStatus<S extends Parameters<typeof parseStored>[0]>(schema: S, status: unknown) {
  return status === undefined ? {} : { status: parseStored(schema, status) };
}

function check<S>(parse: () => S, what: unknown): { readonly spec: S } | { readonly fault: Fault } {
  const over = overLimit(what);
  if (over !== undefined) return { fault: over };
  try {
    return { spec: parse() };
  } catch (error) {
    return { fault: { reason: 'SpecInvalid', message: (error as Error).message } };
  }
}

/** A short name of where a source is, whatever revision of it; undefined for what is written in the resource itself. */
function sourceName(source: BuildSpec['source']): string | undefined {
  const { git, http, oci, configMap } = source ?? {};
  const place = git?.url ?? http?.url ?? oci?.image ?? configMap?.name;
  return place === undefined ? undefined : digestOf(place).slice('sha256:'.length).slice(0, 16);
}

/** The scope of the cache that a run writes. */
export function writeScope({ metadata, spec }: Pick<KnownRun, 'metadata' | 'spec'>): string {
  const { scope } = spec.buildSpec.cache ?? {};
  return scope === undefined ? (metadata.namespace as string) : `${metadata.namespace}/${scope}`;
}
