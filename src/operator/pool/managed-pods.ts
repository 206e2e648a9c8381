import { type AbortOptions, type Logger, toCodedError } from '../../base/index.ts';
import type { BuilderPool } from '../../resources/index.ts';
import type { Fault } from '../conditions.ts';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { KnownRun } from '../known.ts';
import { FIELD_MANAGER } from '../resource-types.ts';
import { backoff, type EventRecorder, type Informer, type KubeClient } from '../runtime/index.ts';
import { isRefused } from '../status.ts';
import type { Builders, Target } from './builders.ts';
import { decidePool, isOpen, type Managed, type PodView, type PoolAction } from './decide.ts';
import { faultsOn } from './faults.ts';
import { Nodes } from './nodes.ts';
import * as pods from './pod.ts';

const FIRST_DELAY_MS = 2000;
const MAX_DELAY_MS = 300_000;

/** What of a pod only this life of the operator knows, by `performance.now()`. */
interface Seen {
  idleSince: number;
  silentSince: number | undefined;
  wasReady: boolean;
  /** It was deleted, be it that it does not show yet. */
  ending: boolean;
  /** What was told of it. */
  told: string;
}

interface Memory {
  readonly seen: Map<string, Seen>;
  /** Pods that ended by themselves since one was ready. */
  failures: number;
  holdUntil: number;
  /** Why no pod can be made. */
  refused: Fault | undefined;
  /** Of the last builder that told. */
  capacity: number | undefined;
}

/** A pod with what is decided on, for the status. */
export interface SeenPod {
  readonly pod: pods.Pod;
  readonly view: PodView;
  readonly address: string | undefined;
  readonly trouble: Fault | undefined;
}

/** How a pool's pods are, after what was to be done was done. */
export interface Managing {
  readonly pods: readonly SeenPod[];
  readonly wanted: number;
  readonly demand: number;
  readonly refused: Fault | undefined;
  readonly lookAgainMs: number | undefined;
}

interface ManagedPodsParts {
  readonly client: KubeClient;
  readonly pods: Informer<pods.Pod>;
  readonly runs: Pick<Informer<KnownRun>, 'list'>;
  readonly settings: pods.PodSettings;
  readonly builders: Builders;
  readonly dispatcher: Pick<Dispatcher, 'demand' | 'held'>;
  readonly events: EventRecorder;
  readonly log: Logger;
}

/** The pods of managed pools: reads how they are, lets {@link decidePool} say what is to become of them, and does it. All that it does can be done twice. */
export class ManagedPods {
  readonly #parts: ManagedPodsParts;
  readonly #nodes: Nodes;
  readonly #memories = new Map<string, Memory>();

  constructor(parts: ManagedPodsParts) {
    this.#parts = parts;
    this.#nodes = new Nodes(parts.client);
  }

  forget(pool: string): void {
    this.#memories.delete(pool);
  }

  /** The builders of a pool's pods that have started. */
  async targets(pool: BuilderPool, options: AbortOptions): Promise<readonly Target[]> {
    const { clientSecret, serverName } = this.#parts.settings;
    const own = this.#podsOf(pool);
    const held = this.#parts.dispatcher.held();
    await this.#nodes.look(
      own.flatMap(({ spec }) => spec?.nodeName ?? []),
      options,
    );
    return own.flatMap((pod) => {
      const address = pods.addressOf(pod);
      const started = pod.status?.containerStatuses?.some(({ started }) => started === true);
      if (address === undefined || started !== true || pod.status?.phase !== 'Running') return [];
      const { capacity } = pool.spec.managed ?? {};
      return {
        address,
        tlsSecretRef: clientSecret,
        serverName,
        ...(capacity === undefined ? {} : { capacity }),
        pod: pod.metadata.name,
        node: pod.spec?.nodeName,
        cordoned: !isOpen(this.#view(pool, pod, held)),
      };
    });
  }

  /** Does what is to be done now. */
  async manage(pool: BuilderPool, options: AbortOptions): Promise<Managing> {
    const { dispatcher, builders, runs } = this.#parts;
    const { name } = pool.metadata;
    const { managed } = pool.spec;
    const memory = this.#memoryOf(name);
    const own = this.#podsOf(pool);
    for (const uid of memory.seen.keys())
      if (!own.some(({ metadata }) => metadata.uid === uid)) memory.seen.delete(uid);
    const held = dispatcher.held();
    const faults = faultsOn(
      new Map(own.map(({ metadata }) => [metadata.name, Date.parse(metadata.creationTimestamp ?? '') || 0])),
      runs.list(),
    );
    const found: SeenPod[] = own.map((pod) => ({
      pod,
      view: this.#view(pool, pod, held, faults),
      address: pods.addressOf(pod),
      trouble: pods.troubleOf(pod),
    }));
    for (const { view } of found) if (view.capacity !== undefined) memory.capacity = view.capacity;
    const now = performance.now();
    if (found.some(({ view }) => view.state === 'ready')) memory.failures = 0;
    if (found.some(({ view }) => view.state === 'over')) {
      // The first is replaced at once.
      if (memory.failures > 0) memory.holdUntil = now + backoff(memory.failures, FIRST_DELAY_MS, MAX_DELAY_MS);
      memory.failures++;
    }
    this.#tell(pool, found, memory);
    const demand = dispatcher.demand(name).all;
    const decision = decidePool({
      managed,
      pods: found.map(({ view }) => view),
      hashOf: (ordinal) => (managed === undefined ? '' : pods.templateHash(managed, ordinal, this.#parts.settings)),
      demand,
      capacity: managed?.capacity ?? memory.capacity ?? 1,
      holdBack: now < memory.holdUntil,
    });
    memory.refused = undefined;
    for (const action of decision.actions) {
      const of = 'pod' in action ? found.find(({ view }) => view.name === action.pod) : undefined;
      // Before anything else: from here on no run comes to it.
      if (of?.address !== undefined && ['delete', 'cordon', 'quarantine'].includes(action.kind))
        builders.cordon(name, of.address);
      await this.#act(pool, action, of, options);
    }
    const heldMs = memory.holdUntil > now ? memory.holdUntil - now : undefined;
    const waits = [decision.lookAgainMs, heldMs].filter((ms) => ms !== undefined);
    return {
      pods: found,
      wanted: decision.wanted,
      demand,
      refused: memory.refused,
      lookAgainMs: waits.length === 0 ? undefined : Math.min(...waits),
    };
  }

  async #act(pool: BuilderPool, action: PoolAction, of: SeenPod | undefined, options: AbortOptions): Promise<void> {
    const { client, events, log } = this.#parts;
    const { name } = pool.metadata;
    if (action.kind === 'create')
      return await this.#create(pool, pool.spec.managed as Managed, action.ordinal, options);
    if (of === undefined) return;
    const { pod, view } = of;
    const seen = this.#seen(name, pod);
    const told = { pool: name, pod: view.name, ...('reason' in action ? { reason: action.reason } : {}) };
    switch (action.kind) {
      case 'delete': {
        seen.ending = true;
        log.info('a builder is taken away', told);
        const why = of.trouble === undefined ? action.message : `${action.message}: ${of.trouble.message}`;
        events.record(pool, view.state === 'over' ? 'Warning' : 'Normal', action.reason, `${view.name} goes: ${why}`);
        await this.#unlessGone(pod, () =>
          client.delete(pods.podType, pod.metadata, { ...options, uid: pod.metadata.uid }),
        );
        return;
      }
      case 'cordon':
        log.info('a builder takes no more runs', told);
        events.record(pool, 'Normal', action.reason, `${view.name} takes no more runs: ${action.message}`);
        return await this.#mark(pod, { annotations: { [pods.CORDON_ANNOTATION]: action.reason } }, options);
      case 'uncordon':
        log.info('a builder takes runs again', told);
        return await this.#mark(pod, { annotations: { [pods.CORDON_ANNOTATION]: null } }, options);
      case 'quarantine': {
        log.warn('a builder is set aside', told);
        events.record(pool, 'Warning', 'Quarantined', `${view.name} is set aside for looking at: ${action.message}`);
        const labels = { [pods.QUARANTINED_LABEL]: String(Math.floor(client.now() / 1000)) };
        return await this.#mark(pod, { labels, annotations: { [pods.CORDON_ANNOTATION]: action.reason } }, options);
      }
      case 'guard':
        return await this.#mark(pod, { annotations: pods.guardAnnotations(action.on) }, options);
    }
  }

  async #create(pool: BuilderPool, managed: Managed, ordinal: number, { signal }: AbortOptions): Promise<void> {
    const { client, events, log, settings } = this.#parts;
    const memory = this.#memoryOf(pool.metadata.name);
    const options = { signal, fieldManager: FIELD_MANAGER };
    const claim = pods.builderClaim(pool, managed, ordinal, settings);
    const pod = pods.builderPod(pool, managed, ordinal, settings);
    try {
      if (claim !== undefined) await unlessThere(client.create(pods.claimType, claim, options));
      const created = await unlessThere(client.create(pods.podType, pod, options));
      if (created === undefined) {
        // One of an earlier pool of the name goes by itself.
        const message = `there is a pod ${pod.metadata.namespace}/${pod.metadata.name} already that is not of this pool`;
        memory.refused = { reason: 'PodNameTaken', message };
        return;
      }
      this.#parts.pods.wrote(created);
      log.info('a builder is made', { pool: pool.metadata.name, pod: pod.metadata.name });
      events.record(pool, 'Normal', 'PodCreated', `made ${pod.metadata.name}`);
    } catch (error) {
      // The same would be refused again until somebody changes something.
      if (!isRefused(error) && toCodedError(error).code !== 'not_found') throw error;
      const { message } = toCodedError(error);
      memory.refused = { reason: 'PodRefused', message };
      events.record(pool, 'Warning', 'PodRefused', message);
    }
  }

  async #mark(
    pod: pods.Pod,
    metadata: { readonly labels?: object; readonly annotations?: object },
    { signal }: AbortOptions,
  ): Promise<void> {
    const { client } = this.#parts;
    await this.#unlessGone(pod, async () => {
      const options = { signal, fieldManager: FIELD_MANAGER };
      const uid = pod.metadata.uid;
      this.#parts.pods.wrote(
        await client.patch(pods.podType, pod.metadata, { metadata: { uid, ...metadata } }, options),
      );
    });
  }

  async #unlessGone({ metadata }: pods.Pod, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      const { code } = toCodedError(error);
      if (code !== 'not_found') throw error;
      this.#parts.pods.gone(`${metadata.namespace}/${metadata.name}`, metadata.uid);
    }
  }

  #podsOf({ metadata }: BuilderPool): readonly pods.Pod[] {
    return this.#parts.pods
      .list()
      .filter((pod) => pod.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) === true);
  }

  #memoryOf(pool: string): Memory {
    let memory = this.#memories.get(pool);
    if (memory === undefined) {
      memory = { seen: new Map(), failures: 0, holdUntil: 0, refused: undefined, capacity: undefined };
      this.#memories.set(pool, memory);
    }
    return memory;
  }

  #seen(pool: string, { metadata }: pods.Pod): Seen {
    const { seen } = this.#memoryOf(pool);
    const uid = metadata.uid as string;
    let one = seen.get(uid);
    if (one === undefined) {
      one = { idleSince: performance.now(), silentSince: undefined, wasReady: false, ending: false, told: '' };
      seen.set(uid, one);
    }
    return one;
  }

  #view(
    pool: BuilderPool,
    pod: pods.Pod,
    held: ReadonlyMap<string, number>,
    faults: ReadonlyMap<string, number> = new Map(),
  ): PodView {
    const { builders, client } = this.#parts;
    const { metadata, status } = pod;
    const address = pods.addressOf(pod);
    const known = address === undefined ? undefined : builders.heard(pool.metadata.name, address);
    const heard = known?.pod === metadata.name ? known.heard : undefined;
    const seen = this.#seen(pool.metadata.name, pod);
    const now = performance.now();
    const state =
      metadata.deletionTimestamp !== undefined || seen.ending
        ? 'ending'
        : status?.phase === 'Failed' || status?.phase === 'Succeeded'
          ? 'over'
          : heard?.ready === true
            ? 'ready'
            : heard !== undefined
              ? 'unready'
              : 'starting';
    const running = Math.max(held.get(address ?? '') ?? 0, heard?.running ?? 0);
    const restarted = status?.containerStatuses?.some(({ restartCount = 0 }) => restartCount > 0) === true;
    if (running > 0 || (state === 'ready' && !seen.wasReady)) seen.idleSince = now;
    if (state === 'ready') seen.wasReady = true;
    const silent = state === 'unready' || (state === 'starting' && (seen.wasReady || restarted));
    seen.silentSince = silent ? (seen.silentSince ?? now) : undefined;
    const quarantined = metadata.labels?.[pods.QUARANTINED_LABEL];
    return {
      name: metadata.name,
      ordinal: Number(metadata.labels?.[pods.ORDINAL_LABEL] ?? 0),
      hash: metadata.labels?.[pods.TEMPLATE_LABEL] ?? '',
      state,
      running,
      capacity: heard?.capacity,
      cordon: metadata.annotations?.[pods.CORDON_ANNOTATION],
      nodeGoes: this.#nodes.goes(pod.spec?.nodeName),
      quarantinedMs: quarantined === undefined ? undefined : Math.max(0, client.now() - Number(quarantined) * 1000),
      idleMs: now - seen.idleSince,
      silentMs: seen.silentSince === undefined ? 0 : now - seen.silentSince,
      faults: faults.get(metadata.name) ?? 0,
      guarded: pods.isGuarded(pod),
    };
  }

  /** What keeps pods from working, once for each. */
  #tell(pool: BuilderPool, found: readonly SeenPod[], memory: Memory): void {
    for (const { pod, trouble, view } of found) {
      const seen = memory.seen.get(pod.metadata.uid as string);
      if (seen === undefined || view.state === 'over' || seen.told === (trouble?.reason ?? '')) continue;
      seen.told = trouble?.reason ?? '';
      if (trouble !== undefined)
        this.#parts.events.record(pool, 'Warning', trouble.reason, `${pod.metadata.name}: ${trouble.message}`);
    }
  }
}

/** Undefined where there is one of that name already: the informer tells of it. */
async function unlessThere<T>(created: Promise<T>): Promise<T | undefined> {
  try {
    return await created;
  } catch (error) {
    if (toCodedError(error).code !== 'already_exists') throw error;
    return undefined;
  }
}
