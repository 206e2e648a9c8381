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
}

export interface PoolView {
  /** Undefined when there is no such pool. */
  readonly builders: (pool: string) => readonly BuilderState[] | undefined;
  readonly allows: (pool: string, namespace: string) => boolean;
}

/**
 * Queues of runs by pool, and who holds which place. Places belong to run uids: taken when a run is granted one or is found running, given back when its
 * attempt is over. Nothing of it is stored: a new operator finds it all in the records.
 */
export class Dispatcher {
  readonly #pools: PoolView;
  readonly #onGrant: (key: KeyText) => void;
  readonly #queues = new Map<string, QueuedRun[]>();
  readonly #queued = new Map<string, QueuedRun>();
  readonly #held = new Map<string, Place>();
  #scheduled = false;

  constructor(pools: PoolView, onGrant: (key: KeyText) => void) {
    this.#pools = pools;
    this.#onGrant = onGrant;
  }

  enqueue(run: QueuedRun): void {
    const before = this.#queued.get(run.uid);
    if (this.#held.has(run.uid) || before !== undefined) return;
    this.#queued.set(run.uid, run);
    const queue = this.#queues.get(run.pool) ?? [];
    this.#queues.set(run.pool, queue);
    // From the end: most come last.
    let at = queue.length;
    while (at > 0 && order(run, queue[at - 1] as QueuedRun) < 0) at--;
    queue.splice(at, 0, run);
    this.schedule();
  }

  /** A run that runs already, as its record says. */
  occupy(uid: string, place: Place): void {
    this.#leave(uid);
    this.#held.set(uid, place);
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
    if (!builders.some(({ ready }) => ready))
      return { kind: 'impossible', reason: 'NoBuilderReady', message: `no builder of the BuilderPool ${pool} answers` };
    const at = this.#queues.get(pool)?.findIndex((run) => run.uid === uid) ?? -1;
    return at < 0 ? undefined : { kind: 'position', position: at + 1 };
  }

  /** How many wait, by pool. */
  lengths(): ReadonlyMap<string, number> {
    return new Map([...this.#queues].map(([pool, queue]) => [pool, queue.length]));
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

  #grant(pool: string, queue: QueuedRun[]): void {
    const builders = this.#pools.builders(pool)?.filter(({ ready }) => ready) ?? [];
    const used = new Map<string, number>();
    for (const { address } of this.#held.values()) used.set(address, (used.get(address) ?? 0) + 1);
    const free = builders
      .map(({ address, capacity }) => ({ address, free: capacity - (used.get(address) ?? 0) }))
      .filter((builder) => builder.free > 0);
    for (let at = 0; at < queue.length && free.length > 0; ) {
      const run = queue[at] as QueuedRun;
      if (!this.#pools.allows(pool, run.namespace)) {
        at++;
        continue;
      }
      queue.splice(at, 1);
      this.#queued.delete(run.uid);
      const chosen = choose(run, free);
      this.#held.set(run.uid, { address: chosen.address, pool });
      if (--chosen.free === 0) free.splice(free.indexOf(chosen), 1);
      this.#onGrant(run.key);
    }
  }

  #leave(uid: string): void {
    const run = this.#queued.get(uid);
    if (run === undefined) return;
    this.#queued.delete(uid);
    const queue = this.#queues.get(run.pool);
    queue?.splice(queue.indexOf(run), 1);
  }
}

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
