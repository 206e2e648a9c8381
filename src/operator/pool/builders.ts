import { createHash } from 'node:crypto';
import { type AbortOptions, toCodedError } from '../../base/index.ts';
import { type BuilderClient, openBuilderClient } from '../../builder-api/client/index.ts';
import type { BuilderPool, BuilderPoolStatus, Endpoint } from '../../resources/index.ts';
import type { BuilderState } from '../dispatch/dispatcher.ts';
import type { KubeClient } from '../runtime/index.ts';
import { builderTarget, clientTls } from './client-tls.ts';

const PROBE_MS = 5000;
/** Certificates are read again so often, and at once when a builder does not answer. */
const TLS_FRESH_MS = 60_000;

export type EndpointStatus = NonNullable<BuilderPoolStatus['endpoints']>[number];

interface Connection {
  readonly client: BuilderClient;
  readonly hash: string;
}

/** Connections to the builders of all pools, by address, and how each was at its last probe. */
export class Builders implements AsyncDisposable {
  readonly #kube: KubeClient;
  readonly #connections = new Map<string, Connection>();
  readonly #tlsReadAt = new Map<string, number>();
  #over = false;
  /** Of the endpoints of each pool; undefined for one that has not been heard of yet. */
  readonly #states = new Map<string, ReadonlyMap<string, EndpointStatus | undefined>>();

  readonly #inUse: () => ReadonlySet<string>;

  /** `inUse`: addresses on which runs are followed, also of builders that are in no pool any more. */
  constructor(kube: KubeClient, inUse: () => ReadonlySet<string>) {
    this.#kube = kube;
    this.#inUse = inUse;
  }

  /** The client of an address as it is now; undefined before its first probe, and once it is in no pool and no run is left on it. */
  client(address: string): BuilderClient | undefined {
    return this.#connections.get(address)?.client;
  }

  /** Builders of a pool, each as it was last heard of. */
  states(pool: string): readonly BuilderState[] {
    return [...(this.#states.get(pool)?.values() ?? [])]
      .filter((state) => state !== undefined)
      .map(({ address, ready, capacity }) => ({ address, ready, capacity: capacity ?? 0 }));
  }

  /** Asks every endpoint of a pool how it is; connects to new ones. Each counts as soon as it is heard of, which `onHeard` tells: one that hangs keeps nobody from the others. */
  async probe(
    pool: BuilderPool,
    { signal, onHeard }: AbortOptions & { readonly onHeard?: () => void },
  ): Promise<readonly EndpointStatus[]> {
    const { name } = pool.metadata;
    const before = this.#states.get(name);
    const states = new Map(pool.spec.endpoints.map(({ address }) => [address, before?.get(address)]));
    // Before any is asked: from now on their connections are in use.
    this.#states.set(name, states);
    const ask = async (endpoint: Endpoint): Promise<EndpointStatus> => {
      const state = await this.#probeOne(endpoint, { signal });
      states.set(endpoint.address, state);
      onHeard?.();
      return state;
    };
    const all = await Promise.all(pool.spec.endpoints.map(ask));
    await this.#closeUnused();
    return all;
  }

  async forget(pool: string): Promise<void> {
    this.#states.delete(pool);
    await this.#closeUnused();
  }

  async #probeOne(endpoint: Endpoint, { signal }: AbortOptions): Promise<EndpointStatus> {
    const { address } = endpoint;
    try {
      const client = await this.#connect(endpoint, { signal });
      const load = await client.builder.load({}, { signal, timeoutMs: PROBE_MS });
      return {
        address,
        ready: !load.draining,
        capacity: Math.min(endpoint.capacity ?? load.capacity, load.capacity),
        ...(load.version === '' ? {} : { version: load.version.slice(0, 128) }),
        ...(load.platforms.length === 0 ? {} : { platforms: load.platforms.slice(0, 16) }),
        ...(load.draining ? { message: 'it takes no new builds: it is about to end' } : {}),
      };
    } catch (error) {
      signal.throwIfAborted();
      this.#tlsReadAt.delete(address);
      return { address, ready: false, message: toCodedError(error).message.slice(0, 1024) };
    }
  }

  async #connect(endpoint: Endpoint, options: AbortOptions): Promise<BuilderClient> {
    const { address } = endpoint;
    const known = this.#connections.get(address);
    const readAt = this.#tlsReadAt.get(address);
    if (known !== undefined && readAt !== undefined && performance.now() - readAt < TLS_FRESH_MS) return known.client;
    const tls = await clientTls(this.#kube, endpoint, options);
    this.#tlsReadAt.set(address, performance.now());
    const hash = createHash('sha256')
      .update(
        JSON.stringify(
          tls === undefined ? null : Object.values(tls).map((part) => Buffer.from(part).toString('base64')),
        ),
      )
      .digest('hex');
    if (known?.hash === hash) return known.client;
    const client = openBuilderClient(builderTarget(endpoint), tls);
    this.#connections.set(address, { client, hash });
    // Calls on the old one are cut and made again on the new one.
    await known?.client[Symbol.asyncDispose]();
    return client;
  }

  async #closeUnused(): Promise<void> {
    const used = new Set([...this.#states.values()].flatMap((states) => [...states.keys()]));
    for (const address of this.#over ? [] : this.#inUse()) used.add(address);
    for (const [address, { client }] of this.#connections) {
      if (used.has(address)) continue;
      this.#connections.delete(address);
      this.#tlsReadAt.delete(address);
      await client[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    this.#states.clear();
    await this.#closeUnused();
  }
}
