import type { KubeConfig } from '@kubernetes/client-node';
import { type AbortOptions, CodedError, type ProxySettings, toCodedError } from '../../base/index.ts';
import { type BuilderClient, openBuilderClient } from '../../builder-api/client/index.ts';
import { type BuildRun, DEFAULT_POOL, endpointsOf } from '../../resources/index.ts';
import { builderTarget, clientTls } from '../pool/client-tls.ts';
import { builderPoolType, buildRunType, buildType } from '../resource-types.ts';
import { type KubeClient, type ObjectKey, openKubeClient, UNCOUNTED } from '../runtime/index.ts';

/** The builder that a run was last on, and the name of its solve there. */
export interface RunBuilder extends AsyncDisposable {
  /** Of the BuildRun, with its namespace. */
  readonly name: string;
  readonly client: BuilderClient;
  readonly run: { readonly runUid: string; readonly attempt: number; readonly part: string };
}

interface RunBuilderOptions {
  readonly config: KubeConfig;
  readonly proxies: ProxySettings;
  readonly key: ObjectKey;
  /** Where there is no such run the key is that of a Build, and its newest run is meant. */
  readonly orBuild: boolean;
}

/** Finds a BuildRun, and the endpoint of its pool that its last attempt was on. @throws CodedError */
export async function openRunBuilder(
  { config, proxies, key, orBuild }: RunBuilderOptions,
  { signal }: AbortOptions,
): Promise<RunBuilder> {
  using kube = openKubeClient(config, UNCOUNTED, proxies);
  const run = orBuild ? await runOrNewestOf(kube, key, { signal }) : await kube.get(buildRunType, key, { signal });
  const attempt = run.status?.attempts?.at(-1);
  const name = nameOf({ ...key, name: run.metadata.name });
  if (attempt === undefined || run.metadata.uid === undefined)
    throw new CodedError('failed_precondition', `the BuildRun ${name} has not been on a builder yet`, {
      fault: 'user',
      hint: 'ask again when it is over',
    });
  const pool = await kube.get(builderPoolType, { name: attempt.pool ?? DEFAULT_POOL }, { signal });
  const endpoint = endpointsOf(pool).find(({ address }) => address === attempt.builder);
  if (endpoint === undefined)
    throw new CodedError(
      'not_found',
      `the builder ${attempt.builder} of the BuildRun ${name} is not in the pool ${pool.metadata.name} any more`,
      { fault: 'user', hint: 'what it knew of the run is not to be had' },
    );
  const client = openBuilderClient(builderTarget(endpoint), await clientTls(kube, endpoint, { signal }));
  return {
    name,
    client,
    run: { runUid: run.metadata.uid, attempt: attempt.number, part: '' },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

async function runOrNewestOf(kube: KubeClient, key: ObjectKey, options: AbortOptions): Promise<BuildRun> {
  const run = await found(kube.get(buildRunType, key, options));
  if (run !== undefined) return run;
  const build = await found(kube.get(buildType, key, options));
  if (build === undefined)
    throw new CodedError('not_found', `there is neither a BuildRun nor a Build ${nameOf(key)}`, { fault: 'user' });
  const { lastRun } = build.status ?? {};
  if (lastRun === undefined)
    throw new CodedError('failed_precondition', `the Build ${nameOf(key)} has not run yet`, { fault: 'user' });
  return await kube.get(buildRunType, { ...key, name: lastRun.name }, options);
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

function nameOf({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}
