import { createHash } from 'node:crypto';
import type { Place, Waiting } from '../run/decide.ts';
import type { KeyText } from '../runtime/index.ts';

export interface QueuedRun {
  readonly uid: string;
  readonly key: KeyText;
  readonly namespace: string;
  readonly pool: string;
  readonly priority: number;
  /** When it was first seen, ms since the epoch: who is first is served first. */
  readonly queuedAt: number;
  /** The Build, whose runs like to go where its last ones went. */
  readonly affinity: string;
  /** Builders on which an attempt failed for the platform's fault: the last to be tried again. */
  readonly avoid: readonly string[];
}

/** A builder as the dispatcher sees it. */
export interface BuilderState {
  readonly address: string;
  readonly ready: boolean;
  readonly capacity: number;
  /** Of one that is a pod. */
  readonly pod?: string | undefined;
  readonly node?: string | undefined;
  /** os/arch[/variant] that it builds for. */
  readonly platforms?: readonly string[];
}

interface PoolView {
  /** Undefined when there is no such pool. */
  readonly builders: (pool: string) => readonly BuilderState[] | undefined;
  readonly allows: (pool: string, namespace: string) => boolean;
  /** Share of a namespace beside others, from 1. */
  readonly weight: (pool: string, namespace: string) => number;
  /** Most places of one namespace at once. */
  readonly most: (pool: string) => number;
  /** Why a pool has no builder that answers, where more is known. */
  readonly why?: (pool: string) => { readonly reason: string; readonly message: string } | undefined;
}

/** Runs of a pool that wait, by namespace, each in its order. */
interface Queue {
  readonly namespaces: Map<string, QueuedRun[]>;
  /** Up to when each namespace has been served, in turns of weight 1; those behind the clock are as new. */
  readonly served: Map<string, number>;
  clock: number;
}

/**
 * Queues of runs by pool, and who holds which place. Places of a pool are shared by namespace: the next goes to the one that holds the fewest for its weight, among equals to the one
 * whose turn it is; within a namespace priority counts, then age. Places belong to run uids: taken when a run is granted one or is found running, given back when its
 * solve is over. Nothing of it is stored: a new operator finds it all in the records.
 */
export class Dispatcher {
  readonly #pools: PoolView;
  readonly #onGrant: (key: KeyText) => void;
  readonly #onWaiting: (pool: string) => void;
  readonly #queues = new Map<string, Queue>();
  readonly #queued = new Map<string, QueuedRun>();
  readonly #held = new Map<string, Place & { readonly namespace: string }>();
  #scheduled = false;

  /** `onWaiting`: runs of a pool have found no place. */
  constructor(pools: PoolView, onGrant: (key: KeyText) => void, onWaiting: (pool: string) => void = () => {}) {
    this.#pools = pools;
    this.#onGrant = onGrant;
    this.#onWaiting = onWaiting;
  }

  enqueue(run: QueuedRun): void {
    const before = this.#queued.get(run.uid);
    if (this.#held.has(run.uid) || before !== undefined) return;
    this.#queued.set(run.uid, run);
    const queue = this.#queues.get(run.pool) ?? { namespaces: new Map(), served: new Map(), clock: 0 };
    this.#queues.set(run.pool, queue);
    const runs = queue.namespaces.get(run.namespace) ?? [];
    queue.namespaces.set(run.namespace, runs);
    // From the end: most come last.
    let at = runs.length;
    while (at > 0 && order(run, runs[at - 1] as QueuedRun) < 0) at--;
    runs.splice(at, 0, run);
    this.schedule();
  }

  /** A run that runs already, as its record says. */
  occupy(uid: string, place: Place, namespace: string): void {
    this.#leave(uid);
    this.#held.set(uid, { ...place, namespace });
  }

  /** Neither queued nor running any more. */
  release(uid: string): void {
    this.#leave(uid);
    if (this.#held.delete(uid)) this.schedule();
  }

  placeOf(uid: string): Place | undefined {
    return this.#held.get(uid);
  }

  waiting({ pool, uid, namespace }: Pick<QueuedRun, 'pool' | 'uid' | 'namespace'>): Waiting | undefined {
    const builders = this.#pools.builders(pool);
    if (builders === undefined)
      return { kind: 'impossible', reason: 'PoolNotFound', message: `there is no BuilderPool ${pool}` };
    if (!this.#pools.allows(pool, namespace))
      return {
        kind: 'impossible',
        reason: 'PoolNotAllowed',
        message: `the BuilderPool ${pool} does not take builds of namespace ${namespace}`,
      };
    if (!builders.some(({ ready }) => ready)) {
      const none = { reason: 'NoBuilderReady', message: `no builder of the BuilderPool ${pool} answers` };
      return { kind: 'impossible', ...(this.#pools.why?.(pool) ?? none) };
    }
    return this.#position(pool, namespace, uid);
  }

  /** Its place in the queue of its namespace, and of each other one those that come before it when turns are taken by weight. */
  #position(pool: string, namespace: string, uid: string): Waiting | undefined {
    const namespaces = this.#queues.get(pool)?.namespaces ?? new Map<string, QueuedRun[]>();
    const own = (namespaces.get(namespace)?.findIndex((run) => run.uid === uid) ?? -1) + 1;
    if (own === 0) return undefined;
    const weight = this.#pools.weight(pool, namespace);
    let position = own;
    for (const [other, runs] of namespaces)
      if (other !== namespace)
        position += Math.min(runs.length, Math.floor(((own - 1) * this.#pools.weight(pool, other)) / weight));
    const held = this.#heldBy(pool).get(namespace) ?? 0;
    return { kind: 'position', position, ...(held >= this.#pools.most(pool) ? { limited: held } : {}) };
  }

  /** How many wait, by pool. */
  lengths(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#queues].map(([pool, { namespaces }]) => [
        pool,
        [...namespaces.values()].reduce((sum, runs) => sum + runs.length, 0),
      ]),
    );
  }

  /** How many of those that wait for a pool would be given a place if there were enough. */
  demand(pool: string): number {
    const held = this.#heldBy(pool);
    let demand = 0;
    for (const [namespace, runs] of this.#queues.get(pool)?.namespaces ?? [])
      if (this.#pools.allows(pool, namespace))
        demand += Math.max(0, Math.min(runs.length, this.#pools.most(pool) - (held.get(namespace) ?? 0)));
    return demand;
  }

  /** Places that are held, by builder. */
  held(): ReadonlyMap<string, number> {
    const held = new Map<string, number>();
    for (const { address } of this.#held.values()) held.set(address, (held.get(address) ?? 0) + 1);
    return held;
  }

  /** Grants what can be granted, soon. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const [pool, queue] of this.#queues) this.#grant(pool, queue);
    });
  }

  #grant(pool: string, queue: Queue): void {
    const builders = this.#pools.builders(pool)?.filter(({ ready }) => ready) ?? [];
    const used = this.held();
    const free = builders
      .map((builder) => ({ ...builder, free: builder.capacity - (used.get(builder.address) ?? 0) }))
      .filter((builder) => builder.free > 0);
    const held = this.#heldBy(pool);
    while (free.length > 0) {
      const namespace = this.#next(pool, queue, held);
      if (namespace === undefined) break;
      const run = (queue.namespaces.get(namespace) as QueuedRun[])[0] as QueuedRun;
      this.#leave(run.uid);
      const chosen = choose(run, free);
      const { address, pod, node } = chosen;
      this.#held.set(run.uid, { address, pool, pod, node, namespace });
      held.set(namespace, (held.get(namespace) ?? 0) + 1);
      queue.clock = turnOf(queue, namespace);
      queue.served.set(namespace, queue.clock + 1 / this.#pools.weight(pool, namespace));
      for (const [other, until] of queue.served) if (until <= queue.clock) queue.served.delete(other);
      if (--chosen.free === 0) free.splice(free.indexOf(chosen), 1);
      this.#onGrant(run.key);
    }
    if (queue.namespaces.size > 0) this.#onWaiting(pool);
  }

  /** The namespace that gets the next place. */
  #next(pool: string, queue: Queue, held: ReadonlyMap<string, number>): string | undefined {
    let best: { readonly namespace: string; readonly share: number; readonly turn: number } | undefined;
    for (const namespace of queue.namespaces.keys()) {
      const holds = held.get(namespace) ?? 0;
      if (!this.#pools.allows(pool, namespace) || holds >= this.#pools.most(pool)) continue;
      const share = holds / this.#pools.weight(pool, namespace);
      const turn = turnOf(queue, namespace);
      if (best === undefined || share < best.share || (share === best.share && turn < best.turn))
        best = { namespace, share, turn };
    }
    return best?.namespace;
  }

  #heldBy(pool: string): Map<string, number> {
    const held = new Map<string, number>();
    for (const place of this.#held.values())
      if (place.pool === pool) held.set(place.namespace, (held.get(place.namespace) ?? 0) + 1);
    return held;
  }

  #leave(uid: string): void {
    const run = this.#queued.get(uid);
    if (run === undefined) return;
    this.#queued.delete(uid);
    const namespaces = this.#queues.get(run.pool)?.namespaces;
    const runs = namespaces?.get(run.namespace);
    runs?.splice(runs.indexOf(run), 1);
    if (runs?.length === 0) namespaces?.delete(run.namespace);
    // Whoever may create Builds names pools as they like, also ones that there are not.
    if (namespaces?.size === 0) this.#queues.delete(run.pool);
  }
}

const turnOf = ({ served, clock }: Queue, namespace: string): number => Math.max(served.get(namespace) ?? 0, clock);

function order(a: QueuedRun, b: QueuedRun): number {
  return b.priority - a.priority || a.queuedAt - b.queuedAt || (a.key < b.key ? -1 : 1);
}

/**
 * Of the builders with a free place: one that did not fail it before; among those the one that this Build hashes to, so that it finds its own cache (rendezvous hashing: a new
 * builder takes only its share of Builds away).
 */
function choose<B extends { readonly address: string }>(run: QueuedRun, free: readonly B[]): B {
  const fresh = free.filter(({ address }) => !run.avoid.includes(address));
  const score = ({ address }: B) => createHash('sha256').update(`${run.affinity}\0${address}`).digest('hex');
  return (fresh.length > 0 ? fresh : free).reduce((best, one) => (score(one) > score(best) ? one : best));
}
