import { type AbortOptions, CodedError } from '../../base/index.ts';
import { type BuilderClient, openBuilderClient } from '../../builder-api/client/index.ts';
import { type Attempt, type BuilderPool, DEFAULT_POOL, type Endpoint, endpointsOf } from '../../resources/index.ts';
import { builderTarget, clientTls } from '../pool/client-tls.ts';
import type { PodSettings } from '../pool/pod.ts';
import type { Informer, KubeClient } from '../runtime/index.ts';

interface Opened {
  readonly client: Promise<BuilderClient>;
  users: number;
  /** Certificates may turn: who comes later has a connection of its own. */
  readonly until: number;
}

/** How pods that the operator runs are known. */
type ManagedTls = Pick<PodSettings, 'clientSecret' | 'serverName'>;

const FRESH_MS = 60_000;

/** Connections to the builders that attempts are on, made when they are wanted: an operator that does not lead has none else. */
export class RunBuilders implements AsyncDisposable {
  readonly #kube: Pick<KubeClient, 'get'>;
  readonly #pools: Informer<BuilderPool>;
  readonly #managed: ManagedTls | undefined;
  readonly #opened = new Map<string, Opened>();

  constructor(kube: Pick<KubeClient, 'get'>, pools: Informer<BuilderPool>, managed: ManagedTls | undefined) {
    this.#kube = kube;
    this.#pools = pools;
    this.#managed = managed;
  }

  /** @throws CodedError not_found for a builder that is in its pool no more */
  async open(
    attempt: Pick<Attempt, 'builder' | 'pool' | 'pod'>,
    options: AbortOptions,
  ): Promise<Disposable & { readonly client: BuilderClient }> {
    const { builder: address, pool: name = DEFAULT_POOL } = attempt;
    const endpoint = this.#endpointOf(attempt, this.#pools.get(name));
    if (endpoint === undefined)
      throw new CodedError('not_found', `the builder ${address} is not in the pool ${name} any more`, {
        fault: 'user',
      });
    const key = JSON.stringify(endpoint);
    const known = this.#opened.get(key);
    const opened = known !== undefined && known.until > performance.now() ? known : this.#open(endpoint, options);
    this.#opened.set(key, opened);
    opened.users++;
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      if (--opened.users > 0) return;
      if (this.#opened.get(key) === opened) this.#opened.delete(key);
      void close(opened);
    };
    try {
      return { client: await opened.client, [Symbol.dispose]: release };
    } catch (error) {
      if (this.#opened.get(key) === opened) this.#opened.delete(key);
      release();
      throw error;
    }
  }

  #endpointOf({ builder: address, pod }: Pick<Attempt, 'builder' | 'pod'>, pool: BuilderPool | undefined) {
    if (pool === undefined) return undefined;
    // A pod that is gone may have left its address to another, which then knows of no such run.
    if (pod !== undefined && pool.spec.managed !== undefined && this.#managed !== undefined) {
      const { clientSecret: tlsSecretRef, serverName } = this.#managed;
      return { address, tlsSecretRef, serverName };
    }
    return endpointsOf(pool).find((one) => one.address === address);
  }

  #open(endpoint: Endpoint, options: AbortOptions): Opened {
    const client = clientTls(this.#kube, endpoint, options).then((tls) =>
      openBuilderClient(builderTarget(endpoint), tls),
    );
    return { client, users: 0, until: performance.now() + FRESH_MS };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#opened.values()].map(close));
  }
}

async function close({ client }: Opened): Promise<void> {
  const opened = await client.catch(() => undefined);
  await opened?.[Symbol.asyncDispose]();
}
