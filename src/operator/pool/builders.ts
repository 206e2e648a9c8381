import { createHash } from 'node:crypto';
import { type AbortOptions, toCodedError } from '../../base/index.ts';
import { type BuilderClient, openBuilderClient } from '../../builder-api/client/index.ts';
import { toNumber, type wire } from '../../builder-api/index.ts';
import type { Endpoint } from '../../resources/index.ts';
import type { BuilderState } from '../dispatch/dispatcher.ts';
import type { KubeClient } from '../runtime/index.ts';
import { builderTarget, clientTls } from './client-tls.ts';
import { KnownKeys } from './known-keys.ts';

const PROBE_MS = 5000;
const UNWELL_FRESH_MS = 1000;
/** Certificates are read again so often, and at once when a builder does not answer. */
const TLS_FRESH_MS = 60_000;

/** A builder to keep in touch with. */
export interface Target extends Endpoint {
  /** Of one that is a pod. */
  readonly pod?: string | undefined;
  readonly node?: string | undefined;
  /** It ends what it has, and is given no more. */
  readonly cordoned?: boolean | undefined;
}

/** How a builder was when it was last asked. */
export interface Heard {
  readonly address: string;
  /** It takes builds. */
  readonly ready: boolean;
  readonly capacity?: number;
  readonly running?: number;
  readonly version?: string;
  readonly platforms?: string[];
  /** Limits of what it and its steps take together: bytes, and processors. */
  readonly memory?: number;
  readonly cpus?: number;
  /** Why it takes none. */
  readonly message?: string;
  /** Of the file system of its state. */
  readonly disk?: Disk;
}

interface Disk {
  readonly diskTotalBytes: number;
  readonly diskFreeBytes: number;
  readonly inodesTotal: number;
  readonly inodesFree: number;
}

interface Known {
  readonly target: Target;
  /** Undefined for one that has not been heard of yet. */
  readonly heard: Heard | undefined;
  /** By `performance.now()`. */
  readonly askedAt: number;
}

interface Connection {
  readonly client: BuilderClient;
  readonly hash: string;
}

/** Connections to the builders of all pools, by address, and how each was at its last probe. */
export class Builders implements AsyncDisposable {
  readonly #kube: KubeClient;
  readonly #connections = new Map<string, Connection>();
  readonly #tlsReadAt = new Map<string, number>();
  readonly #keys = new KnownKeys();
  #over = false;
  /** Of each pool, by address. */
  readonly #pools = new Map<string, Map<string, Known>>();

  readonly #inUse: () => ReadonlySet<string>;
  /** Why the builder of an address, in the pod of that name, will not answer again; undefined while it may. */
  readonly gone: (address: string, pod: string | undefined) => string | undefined;

  /** `inUse`: addresses on which runs are followed, also of builders that are in no pool any more. */
  constructor(kube: KubeClient, inUse: () => ReadonlySet<string>, gone: Builders['gone'] = () => undefined) {
    this.#kube = kube;
    this.#inUse = inUse;
    this.gone = gone;
  }

  /** The client of an address as it is now; undefined before its first probe, and once it is in no pool and no run is left on it. */
  client(address: string): BuilderClient | undefined {
    return this.#connections.get(address)?.client;
  }

  /** Builders of a pool, each as it was last heard of. */
  states(pool: string): readonly BuilderState[] {
    return [...(this.#pools.get(pool)?.values() ?? [])].flatMap(({ target, heard }) => {
      if (heard === undefined) return [];
      const { address, pod, node, cordoned } = target;
      const { ready, capacity = 0, platforms, memory, cpus } = heard;
      const holds = this.#keys.holds(address);
      return { address, pod, node, platforms, ready: ready && cordoned !== true, capacity, memory, cpus, holds };
    });
  }

  /** Whether the pool has a builder of this address, be it that nothing was heard of it yet. */
  has(pool: string, address: string): boolean {
    return this.#pools.get(pool)?.has(address) === true;
  }

  /** What was heard of the builder that the pool has at an address, and of which pod that is. */
  heard(
    pool: string,
    address: string,
  ): { readonly pod: string | undefined; readonly heard: Heard | undefined } | undefined {
    const known = this.#pools.get(pool)?.get(address);
    return known && { pod: known.target.pod, heard: known.heard };
  }

  /** A run that has just ended there needed these keys. */
  learn(address: string, sketch: Uint8Array): void {
    this.#keys.learn(address, sketch);
  }

  /** From now on it is given no runs, until {@link keep} says otherwise. */
  cordon(pool: string, address: string): void {
    const known = this.#pools.get(pool);
    const one = known?.get(address);
    if (one !== undefined) known?.set(address, { ...one, target: { ...one.target, cordoned: true } });
  }

  /** Which builders a pool has. What was heard of those that stay still counts; an address that is another pod's by now is as new. */
  keep(pool: string, targets: readonly Target[]): void {
    const before = this.#pools.get(pool);
    const now = new Map<string, Known>();
    for (const target of targets) {
      const known = before?.get(target.address);
      const same = known !== undefined && known.target.pod === target.pod;
      now.set(target.address, same ? { ...known, target } : { target, heard: undefined, askedAt: -Infinity });
    }
    this.#pools.set(pool, now);
  }

  /**
   * Asks the builders of a pool how they are, but for those that were well less than `freshMs` ago or not a second ago; connects to new ones. Each counts as soon as it is heard of, which
   * `onHeard` tells: one that hangs keeps nobody from the others.
   */
  async probe(
    pool: string,
    { signal, onHeard, freshMs = 0 }: AbortOptions & { readonly onHeard?: () => void; readonly freshMs?: number },
  ): Promise<readonly Heard[]> {
    const targets = [...(this.#pools.get(pool)?.values() ?? [])];
    const ask = async ({ target, heard, askedAt }: Known): Promise<Heard> => {
      const now = performance.now();
      if (heard !== undefined && now - askedAt < (heard.ready ? freshMs : Math.min(freshMs, UNWELL_FRESH_MS)))
        return heard;
      const told = await this.#probeOne(target, { signal });
      const known = this.#pools.get(pool);
      const one = known?.get(target.address);
      // Meanwhile it may have gone, or be another.
      if (one !== undefined && one.target.pod === target.pod) {
        known?.set(target.address, { ...one, heard: told, askedAt: now });
        onHeard?.();
      }
      return told;
    };
    const all = await Promise.all(targets.map(ask));
    await this.#closeUnused();
    return all;
  }

  async forget(pool: string): Promise<void> {
    this.#pools.delete(pool);
    await this.#closeUnused();
  }

  async #probeOne(endpoint: Endpoint, { signal }: AbortOptions): Promise<Heard> {
    const { address } = endpoint;
    try {
      const client = await this.#connect(endpoint, { signal });
      const load = await client.builder.load(
        { knownKeys: this.#keys.version(address) },
        { signal, timeoutMs: PROBE_MS },
      );
      this.#keys.heard(address, load);
      return {
        address,
        ready: !load.draining,
        running: load.running,
        capacity: Math.min(endpoint.capacity ?? load.capacity, load.capacity),
        ...(load.version === '' ? {} : { version: load.version.slice(0, 128) }),
        ...(load.platforms.length === 0 ? {} : { platforms: load.platforms.slice(0, 16) }),
        ...usageOf(load.usage),
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
    const used = new Set([...this.#pools.values()].flatMap((known) => [...known.keys()]));
    for (const address of this.#over ? [] : this.#inUse()) used.add(address);
    for (const [address, { client }] of this.#connections) {
      if (used.has(address)) continue;
      this.#connections.delete(address);
      this.#tlsReadAt.delete(address);
      this.#keys.forget(address);
      await client[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    this.#pools.clear();
    await this.#closeUnused();
  }
}

/** What its machine does not tell is left out. */
function usageOf(
  usage: wire.slipway.builder.v1.Usage.$Properties | null | undefined,
): Pick<Heard, 'disk' | 'memory' | 'cpus'> {
  if (usage == null) return {};
  const [memory, cpus] = [toNumber(usage.memoryLimit), toNumber(usage.cpuMillis) / 1000];
  const disk = {
    diskTotalBytes: toNumber(usage.diskTotal),
    diskFreeBytes: toNumber(usage.diskFree),
    inodesTotal: toNumber(usage.inodesTotal),
    inodesFree: toNumber(usage.inodesFree),
  };
  return {
    ...(disk.diskTotalBytes > 0 ? { disk } : {}),
    ...(memory > 0 ? { memory } : {}),
    ...(cpus > 0 ? { cpus } : {}),
  };
}
