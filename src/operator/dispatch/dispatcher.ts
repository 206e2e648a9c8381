import { RecentMap } from '../../base/index.ts';
import type { Place, Waiting } from '../run/decide.ts';
import type { KeyText } from '../runtime/index.ts';
import { NOTHING_TAKEN, overrun, type Room, type Taken, withUse } from './admission.ts';
import { type Candidate, choose } from './choose.ts';
import { matchesPlatform } from './platforms.ts';
import { PoolQueue, placeId, type QueuedRun } from './queue.ts';

export { placeId, type QueuedRun } from './queue.ts';

/** A builder as the dispatcher sees it. */
export interface BuilderState extends Room {
  readonly address: string;
  readonly ready: boolean;
  /** Of one that is a pod. */
  readonly pod?: string | undefined;
  readonly node?: string | undefined;
  /** Undefined where it does not tell: it is taken to have them all. */
  readonly platforms?: readonly string[] | undefined;
  /** How much of a sketch of keys it holds, 0 to 1. */
  readonly holds?: ((needs: Uint8Array) => number) | undefined;
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
  /** Another value whenever one of the three before may give another one. */
  readonly revision?: (pool: string) => unknown;
}

interface Pool {
  readonly queue: PoolQueue;
  revision: unknown;
}

interface Held extends Place {
  readonly run: QueuedRun;
}

/** Works of which it is remembered where they were begun. */
const WORKS = 10_000;

/** What is held on one builder. */
interface Busy {
  taken: Taken;
  readonly works: Map<string, number>;
}

/** A ready builder in one round of grants. */
interface Open extends BuilderState {
  free: number;
}

/**
 * Who holds which place, and who gets the next: {@link PoolQueue} says whose turn it is, {@link choose} which builder, {@link overrun} whether it has the room. Places belong to runs, or to parts of them:
 * taken when a run is granted one or is found running, given back when its solve is over. Nothing of it is stored: a new operator finds it all in the records.
 */
export class Dispatcher {
  readonly #view: PoolView;
  readonly #onGrant: (key: KeyText) => void;
  readonly #onWaiting: (pool: string) => void;
  readonly #pools = new Map<string, Pool>();
  readonly #queued = new Map<string, QueuedRun>();
  readonly #held = new Map<string, Held>();
  readonly #busy = new Map<string, Busy>();
  /** Where work was begun last: that builder has it, whatever else is known. */
  readonly #begun = new RecentMap<string, string>(WORKS);
  /** Why a run that had its turn has no place yet. */
  readonly #heldBack = new Map<string, { readonly reason: string; readonly message: string }>();
  #scheduled = false;

  /** `onWaiting`: runs of a pool have found no place. */
  constructor(view: PoolView, onGrant: (key: KeyText) => void, onWaiting: (pool: string) => void = () => {}) {
    this.#view = view;
    this.#onGrant = onGrant;
    this.#onWaiting = onWaiting;
  }

  enqueue(run: QueuedRun): void {
    const id = placeId(run);
    if (this.#held.has(id) || this.#queued.has(id)) return;
    this.#queued.set(id, run);
    this.#pool(run.pool).queue.add(run);
    this.schedule();
  }

  /** A run that runs already, as its record says. */
  occupy(run: QueuedRun, place: Place): void {
    const id = placeId(run);
    const held = this.#held.get(id);
    if (held?.address === place.address && held.pool === place.pool) return;
    this.#leave(id);
    this.#drop(id);
    this.#hold(run, place, { turn: false });
  }

  /** Neither queued nor running any more; `id` as {@link placeId} has it. */
  release(id: string): void {
    this.#leave(id);
    if (this.#drop(id)) this.schedule();
  }

  placeOf(id: string): Place | undefined {
    return this.#held.get(id);
  }

  /** Places that are taken on a builder. */
  placesOn(address: string): number {
    return this.#busy.get(address)?.taken.runs ?? 0;
  }

  /** How many of those that wait for a pool would be given a place if there were enough; by the platform that they ask for (`''` for any), as if each were alone. */
  demand(pool: string): { readonly all: number; readonly byPlatform: ReadonlyMap<string, number> } {
    return this.#pools.get(pool)?.queue.demand() ?? { all: 0, byPlatform: new Map() };
  }

  /** Places that are held, by builder. */
  held(): ReadonlyMap<string, number> {
    return new Map([...this.#busy].map(([address, { taken }]) => [address, taken.runs]));
  }

  waiting(asked: Pick<QueuedRun, 'pool' | 'uid' | 'part' | 'namespace' | 'platform'>): Waiting | undefined {
    const { pool, namespace, platform } = asked;
    const builders = this.#view.builders(pool);
    if (builders === undefined)
      return { kind: 'impossible', reason: 'PoolNotFound', message: `there is no BuilderPool ${pool}` };
    if (!this.#view.allows(pool, namespace))
      return {
        kind: 'impossible',
        reason: 'PoolNotAllowed',
        message: `the BuilderPool ${pool} does not take builds of namespace ${namespace}`,
      };
    if (!builders.some(({ ready }) => ready)) {
      const none = { reason: 'NoBuilderReady', message: `no builder of the BuilderPool ${pool} answers` };
      return { kind: 'impossible', ...(this.#view.why?.(pool) ?? none) };
    }
    if (!builders.some((one) => one.ready && has(one, platform)))
      return {
        kind: 'impossible',
        reason: 'NoBuilderForPlatform',
        message: `no builder of the BuilderPool ${pool} that answers builds for ${platform}`,
      };
    const id = placeId(asked);
    const run = this.#queued.get(id);
    if (run === undefined) return undefined;
    const { queue } = this.#pool(pool);
    const position = queue.position(run);
    if (position === undefined) return undefined;
    const held = queue.heldBy(namespace);
    if (held >= this.#view.most(pool)) return { kind: 'position', position, limited: held };
    const because = this.#heldBack.get(run.work ?? id) ?? this.#heldBack.get(id);
    return { kind: 'position', position, ...(because === undefined ? {} : { because }) };
  }

  /** How many wait, by pool. */
  lengths(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#pools].map(([pool, { queue }]) => [pool, queue.waiting] as const).filter(([, count]) => count > 0),
    );
  }

  /** Grants what can be granted, soon. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const [name, pool] of this.#pools) this.#grant(name, pool);
    });
  }

  #grant(name: string, pool: Pool): void {
    const { queue } = pool;
    const revision = this.#view.revision?.(name);
    if (revision !== pool.revision || revision === undefined) queue.rulesChanged();
    pool.revision = revision;
    const ready = (this.#view.builders(name) ?? [])
      .filter(({ ready }) => ready)
      .map((one): Open => ({ ...one, free: one.capacity - this.placesOn(one.address) }));
    const open = new Map(ready.filter(({ free }) => free > 0).map((one) => [one.address, one]));
    for (const work of [...queue.parked]) {
      const { here, open: joinable } = this.#doing(work, ready);
      if (here.length > 0 && joinable.length === 0) continue;
      this.#heldBack.delete(work);
      queue.unpark(work);
    }
    const tooLarge: QueuedRun[] = [];
    while (open.size > 0) {
      const run = queue.next((platform) => [...open.values()].some((one) => has(one, platform)));
      if (run === undefined) break;
      const able = [...open.values()].filter((one) => has(one, run.platform));
      const { here, open: joinable } = run.work === undefined ? NOWHERE : this.#doing(run.work, ready);
      const wanted = here.filter(({ address }) => !run.avoid.includes(address));
      if (wanted.length > 0) {
        const join = joinable.find(({ address }) => !run.avoid.includes(address));
        if (join === undefined) this.#park(queue, run.work as string, wanted[0] as Open);
        else this.#give(queue, run, join, open);
        continue;
      }
      const fitting = able.filter((one) => this.#overrun(one, run) === 0);
      if (fitting.length === 0) {
        // The builder that needs the least to become free for it is kept for it: small runs must not starve a large one.
        const kept = able.reduce((best, one) => (this.#overrun(one, run) < this.#overrun(best, run) ? one : best));
        open.delete(kept.address);
        tooLarge.push(run);
        queue.setAside(run);
        this.#heldBack.set(placeId(run), {
          reason: 'WaitsForResources',
          message: `waits until ${kept.address} has the memory and CPU free that it needs`,
        });
        continue;
      }
      const fresh = fitting.filter(({ address }) => !run.avoid.includes(address));
      const candidates = (fresh.length > 0 ? fresh : fitting).map((one) => this.#candidate(one, run));
      this.#give(queue, run, open.get(choose(run.affinity, candidates).address) as Open, open);
    }
    for (const run of tooLarge) queue.resume(run);
    if (queue.waiting > 0) this.#onWaiting(name);
    this.#forgetIdle(name);
  }

  /** Gives the run a place, and those that do the same as far as there are more on that builder: what is done once serves them all. */
  #give(queue: PoolQueue, first: QueuedRun, builder: Open, open: Map<string, Open>): void {
    for (let run: QueuedRun | undefined = first; run !== undefined && builder.free > 0; ) {
      const { address, pod, node } = builder;
      this.#hold(run, { address, pool: run.pool, pod, node }, { turn: true });
      this.#leave(placeId(run));
      builder.free--;
      this.#onGrant(run.key);
      const next: QueuedRun | undefined = run.work === undefined ? undefined : queue.firstAlike(run.work);
      run =
        next !== undefined &&
        queue.mayHoldMore(next.namespace) &&
        has(builder, next.platform) &&
        !next.avoid.includes(address)
          ? next
          : undefined;
    }
    if (builder.free <= 0) open.delete(builder.address);
  }

  #park(queue: PoolQueue, work: string, { address }: Open): void {
    queue.park(work);
    this.#heldBack.set(work, {
      reason: 'SameWorkRuns',
      message: `waits for a place on ${address}, where another run does the same`,
    });
  }

  /** Ready builders that do this work now, and those of them that have a place. */
  #doing(work: string, ready: readonly Open[]): { readonly here: readonly Open[]; readonly open: readonly Open[] } {
    const here = ready.filter(({ address }) => this.#busy.get(address)?.works.has(work) === true);
    return { here, open: here.filter(({ free }) => free > 0) };
  }

  #overrun(builder: Open, { use = {} }: QueuedRun): number {
    return overrun(builder, this.#busy.get(builder.address)?.taken ?? NOTHING_TAKEN, use);
  }

  #candidate({ address, capacity, holds }: Open, { needs, work }: QueuedRun): Candidate {
    const begun = work !== undefined && this.#begun.get(work) === address;
    const held = begun ? 1 : needs === undefined ? 0 : (holds?.(needs) ?? 0);
    return { address, capacity, used: this.placesOn(address), holds: held };
  }

  #hold(run: QueuedRun, place: Place, options: { readonly turn: boolean }): void {
    const busy = this.#busy.get(place.address) ?? { taken: NOTHING_TAKEN, works: new Map() };
    this.#busy.set(place.address, busy);
    // What is done already takes no more for another that waits for it.
    const joins = run.work !== undefined && busy.works.has(run.work);
    const held = { ...place, run: joins ? { ...run, use: { memory: 0, cpus: 0 } } : run };
    this.#held.set(placeId(run), held);
    this.#heldBack.delete(placeId(run));
    busy.taken = withUse(busy.taken, held.run.use ?? {});
    if (run.work !== undefined) {
      busy.works.set(run.work, (busy.works.get(run.work) ?? 0) + 1);
      this.#begun.set(run.work, place.address);
    }
    this.#pool(place.pool).queue.take(run.namespace, options);
  }

  #drop(id: string): boolean {
    const held = this.#held.get(id);
    if (held === undefined) return false;
    this.#held.delete(id);
    const { run, address, pool } = held;
    const busy = this.#busy.get(address) as Busy;
    busy.taken = withUse(busy.taken, run.use ?? {}, -1);
    if (run.work !== undefined) {
      const left = (busy.works.get(run.work) as number) - 1;
      if (left > 0) busy.works.set(run.work, left);
      else busy.works.delete(run.work);
    }
    if (busy.taken.runs === 0) this.#busy.delete(address);
    this.#pool(pool).queue.giveBack(run.namespace);
    this.#forgetIdle(pool);
    return true;
  }

  #leave(id: string): void {
    const run = this.#queued.get(id);
    if (run === undefined) return;
    this.#queued.delete(id);
    this.#heldBack.delete(id);
    const { queue } = this.#pool(run.pool);
    queue.remove(run);
    if (run.work !== undefined && queue.firstAlike(run.work) === undefined) this.#heldBack.delete(run.work);
    this.#forgetIdle(run.pool);
  }

  #pool(name: string): Pool {
    const known = this.#pools.get(name);
    if (known !== undefined) return known;
    const queue = new PoolQueue({
      allows: (namespace) => this.#view.allows(name, namespace),
      weight: (namespace) => this.#view.weight(name, namespace),
      most: () => this.#view.most(name),
    });
    const pool = { queue, revision: this.#view.revision?.(name) };
    this.#pools.set(name, pool);
    return pool;
  }

  /** Whoever may create Builds names pools as they like, also ones that there are not. */
  #forgetIdle(name: string): void {
    if (this.#pools.get(name)?.queue.isIdle) this.#pools.delete(name);
  }
}

const NOWHERE = { here: [], open: [] };

function has({ platforms }: BuilderState, platform: string | undefined): boolean {
  return platform === undefined || platforms === undefined || matchesPlatform(platforms, platform);
}
