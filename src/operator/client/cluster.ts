import type { Duplex } from 'node:stream';
import type { KubeConfig } from '@kubernetes/client-node';
import { type AbortOptions, CodedError, newId, type ProxySettings, toCodedError } from '../../base/index.ts';
import { type Build, type BuilderPool, type BuildRun, isOver, RERUN_ANNOTATION } from '../../resources/index.ts';
import { API_GROUP, API_VERSION, UPLOAD_PROTOCOL } from '../api/names.ts';
import { builderPoolType, buildRunType, buildType } from '../resource-types.ts';
import {
  KubeError,
  type KubeObject,
  type ObjectKey,
  openKubeClient,
  type ResourceType,
  type StreamingKubeClient,
  UNCOUNTED,
} from '../runtime/index.ts';

interface ClusterOptions {
  readonly config: KubeConfig;
  readonly proxies: ProxySettings;
  readonly namespace: string;
}

/** What a name may mean. */
type NameOf = 'any' | 'build' | 'run';

const FIELD_MANAGER = 'kubectl-slipway';
const PAGE = 500;
/** More are not shown. */
const MAX_LISTED = 10_000;

/** A cluster as its user sees it: with the rights of that user alone. */
export class Cluster implements Disposable {
  readonly namespace: string;
  readonly #kube: StreamingKubeClient & Disposable;

  constructor({ config, proxies, namespace }: ClusterOptions) {
    this.#kube = openKubeClient(config, UNCOUNTED, proxies);
    this.namespace = namespace;
  }

  /** The BuildRun of this name, or the newest of the Build. @throws CodedError not_found, failed_precondition for a Build that has not run */
  async run(name: string, of: NameOf, options: AbortOptions): Promise<BuildRun> {
    if (of !== 'build') {
      const run = await found(this.#kube.get(buildRunType, this.#key(name), options));
      if (run !== undefined) return run;
    }
    if (of === 'run')
      throw new CodedError('not_found', `there is no BuildRun ${this.namespace}/${name}`, { fault: 'user' });
    const { status } = await this.build(name, of, options);
    if (status?.lastRun === undefined)
      throw new CodedError('failed_precondition', `the Build ${this.namespace}/${name} has not run yet`, {
        fault: 'user',
      });
    return await this.#kube.get(buildRunType, this.#key(status.lastRun.name), options);
  }

  /** The Build of this name, or that of the BuildRun. @throws CodedError not_found */
  async build(name: string, of: NameOf, options: AbortOptions): Promise<Build> {
    if (of !== 'run') {
      const build = await found(this.#kube.get(buildType, this.#key(name), options));
      if (build !== undefined) return build;
    }
    const run = of === 'build' ? undefined : await found(this.#kube.get(buildRunType, this.#key(name), options));
    if (run === undefined) {
      const kinds = { any: 'neither a BuildRun nor a Build', build: 'no Build', run: 'no BuildRun' };
      throw new CodedError('not_found', `there is ${kinds[of]} ${this.namespace}/${name}`, { fault: 'user' });
    }
    return await this.#kube.get(buildType, this.#key(run.spec.buildRef.name), options);
  }

  builds(options: AbortOptions): Promise<readonly Build[]> {
    return this.#list(buildType, options);
  }

  /** Of a Build, the newest last. */
  async runs(build: string, options: AbortOptions): Promise<readonly BuildRun[]> {
    const all = await this.#list(buildRunType, options);
    return all.filter(({ spec }) => spec.buildRef.name === build).sort((a, b) => a.spec.number - b.spec.number);
  }

  pools(options: AbortOptions): Promise<readonly BuilderPool[]> {
    return this.#list(builderPoolType, options);
  }

  /** Ends the run; false for one that is over. */
  async cancel({ metadata, status }: BuildRun, message: string, options: AbortOptions): Promise<boolean> {
    if (isOver(status?.phase)) return false;
    const patch = { metadata: { uid: metadata.uid }, spec: { cancel: { reason: 'User', message } } };
    await this.#kube.patch(buildRunType, this.#key(metadata.name), patch, { ...options, fieldManager: FIELD_MANAGER });
    return true;
  }

  /** Has a Build run again though nothing of it has changed. */
  async rerun({ metadata }: Build, options: AbortOptions): Promise<void> {
    const patch = { metadata: { annotations: { [RERUN_ANNOTATION]: newId() } } };
    await this.#kube.patch(buildType, this.#key(metadata.name), patch, { ...options, fieldManager: FIELD_MANAGER });
  }

  /** The log of a run, as the query has it. @throws CodedError; `isNoApi` tells of a cluster that serves none */
  async *log(
    run: BuildRun,
    query: Readonly<Record<string, string | undefined>>,
    options: AbortOptions,
  ): AsyncGenerator<Uint8Array, void> {
    const { name } = run.metadata;
    const path = `/apis/${API_GROUP}/${API_VERSION}/namespaces/${this.namespace}/buildruns/${name}/log`;
    yield* this.#kube.stream(path, query, options);
  }

  /** Makes the Build what the manifest says, whatever others have made of those fields. */
  async apply(build: Build, options: AbortOptions): Promise<void> {
    const { apiVersion, kind, metadata, spec } = build;
    const { name, labels, annotations } = metadata;
    const object = { apiVersion, kind, metadata: { name, namespace: this.namespace, labels, annotations }, spec };
    await this.#kube.apply(buildType, object, { ...options, fieldManager: FIELD_MANAGER });
  }

  /** A stream over which a run's builder asks for its directories, once the run is on one. @throws CodedError out_of_range when it is over */
  async upload({ metadata, spec }: BuildRun, { signal }: AbortOptions): Promise<Duplex> {
    const path = `/apis/${API_GROUP}/${API_VERSION}/namespaces/${this.namespace}/builds/${spec.buildRef.name}/upload`;
    return await this.#kube.upgrade(path, { protocol: UPLOAD_PROTOCOL, query: { run: metadata.name }, signal });
  }

  async #list<T extends KubeObject>(type: ResourceType<T>, options: AbortOptions): Promise<readonly T[]> {
    const all: T[] = [];
    let next: string | undefined;
    do {
      const namespace = type.namespaced ? this.namespace : undefined;
      const page = await this.#kube.listPage(type, { ...options, limit: PAGE, continue: next, namespace });
      for (const item of page.items) all.push(type.parse(item));
      next = page.continue;
    } while (next !== undefined && all.length < MAX_LISTED);
    return all;
  }

  #key(name: string): ObjectKey {
    return { namespace: this.namespace, name };
  }

  [Symbol.dispose](): void {
    this.#kube[Symbol.dispose]();
  }
}

/** Whether the API server has nobody who serves logs: the API is not installed, or does not answer. */
export function isNoApi(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false;
  // Of what it does not have at all, the API server has other words than the API of what that does not have.
  return (
    (error.code === 'not_found' &&
      /could not find the requested resource|404 page not found|HTTP status 404/.test(error.message)) ||
    error.code === 'unavailable'
  );
}

/** Undefined for what the API server does not have. */
async function found<T>(object: Promise<T>): Promise<T | undefined> {
  try {
    return await object;
  } catch (error) {
    if (toCodedError(error).code !== 'not_found') throw error;
    return undefined;
  }
}
