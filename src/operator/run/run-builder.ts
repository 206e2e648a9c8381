import type { KubeConfig } from '@kubernetes/client-node';
import { type AbortOptions, CodedError, type ProxySettings } from '../../base/index.ts';
import { type BuilderClient, openBuilderClient } from '../../builder-api/client/index.ts';
import { DEFAULT_POOL } from '../../resources/index.ts';
import { builderTarget, clientTls } from '../pool/client-tls.ts';
import { builderPoolType, buildRunType } from '../resource-types.ts';
import { type ObjectKey, openKubeClient } from '../runtime/index.ts';

/** The builder that a run was last on, and the name of its solve there. */
export interface RunBuilder extends AsyncDisposable {
  readonly client: BuilderClient;
  readonly run: { readonly runUid: string; readonly attempt: number; readonly part: string };
}

interface RunBuilderOptions {
  readonly config: KubeConfig;
  readonly proxies: ProxySettings;
  readonly key: ObjectKey;
}

/** Finds a BuildRun, and the endpoint of its pool that its last attempt was on. @throws CodedError */
export async function openRunBuilder(
  { config, proxies, key }: RunBuilderOptions,
  { signal }: AbortOptions,
): Promise<RunBuilder> {
  using kube = openKubeClient(config, { request: () => {} }, proxies);
  const run = await kube.get(buildRunType, key, { signal });
  const attempt = run.status?.attempts?.at(-1);
  const name = `${key.namespace}/${key.name}`;
  if (attempt === undefined || run.metadata.uid === undefined)
    throw new CodedError('failed_precondition', `the BuildRun ${name} has not been on a builder yet`, {
      fault: 'user',
      hint: 'ask again when it is over',
    });
  const pool = await kube.get(builderPoolType, { name: attempt.pool ?? DEFAULT_POOL }, { signal });
  const endpoint = pool.spec.endpoints.find(({ address }) => address === attempt.builder);
  if (endpoint === undefined)
    throw new CodedError(
      'not_found',
      `the builder ${attempt.builder} of the BuildRun ${name} is not in the pool ${pool.metadata.name} any more`,
      { fault: 'user', hint: 'what it knew of the run is not to be had' },
    );
  const client = openBuilderClient(builderTarget(endpoint), await clientTls(kube, endpoint, { signal }));
  return {
    client,
    run: { runUid: run.metadata.uid, attempt: attempt.number, part: '' },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}
