import type { KeyText } from '../runtime/index.ts';
import type { Use } from './admission.ts';
import { OrderedSet } from './ordered-set.ts';

export interface QueuedRun {
  readonly uid: string;
  /** Of a run whose parts have a place each. */
  readonly part?: string | undefined;
  readonly key: KeyText;
  readonly namespace: string;
  readonly pool: string;
  readonly priority: number;
  /** When it was first seen, ms since the epoch: who is first is served first. */
  readonly queuedAt: number;
  /** What it is alike with: while no builder is known to hold what it needs, those that are alike go to one. */
  readonly affinity: string;
  /** Builders on which an attempt failed for the platform's fault: the last to be tried again. */
  readonly avoid: readonly string[];
  /** `os/arch[/variant]` that its builder must have; undefined for any. */
  readonly platform?: string | undefined;
  /** Digest of what is done: runs that have the same, while one of them runs, go where that is. */
  readonly work?: string | undefined;
  /** Sketch of the keys that an earlier run of it needed, see {@link BuilderState.holds}. */
  readonly needs?: Uint8Array | undefined;
  /** What an earlier run of it used, or it asks for. */
  readonly use?: Use | undefined;
}

/** What places are held by: a run, or one part of it. */
export function placeId({ uid, part }: Pick<QueuedRun, 'uid' | 'part'>): string {
  return part === undefined ? uid : `${uid}/${part}`;
}

/** What a pool says of namespaces. */
interface NamespaceRules {
  readonly allows: (namespace: string) => boolean;
  /** Share of a namespace beside others, from 1. */
  readonly weight: (namespace: string) => number;
  /** Most places of one namespace at once. */
  readonly most: () => number;
}

interface Namespace {
  readonly name: string;
  /** Told apart from others with the same share and turn: who came first. */
  readonly seq: number;
  /** Places. */
  held: number;
  /** Up to when it has been served, in turns of weight 1. */
  served: number;
  weight: number;
  queued: number;
}

/** Runs that ask for one platform. */
interface Lane {
  readonly platform: string | undefined;
  readonly namespaces: Map<string, Runs>;
  /** Namespaces that can have the next place, the first to have it first. */
  readonly order: OrderedSet<Namespace>;
  count: number;
}

/** The runs of one namespace in one lane. */
interface Runs {
  readonly all: OrderedSet<QueuedRun>;
  /** Without those that wait behind one that does the same. */
  readonly ready: OrderedSet<QueuedRun>;
}

/** Queued runs that do the same. Only the first of them is ready, or none while it waits for the builder that does it already. */
interface Alike {
  readonly runs: OrderedSet<QueuedRun>;
  shown: QueuedRun | undefined;
}

/**
 * The queue of a pool. The next place goes to the namespace that holds the fewest for its weight, among equals to the one whose turn it is; within a namespace priority counts, then age. Every change costs
 * O(log n) of the runs, times the platforms that are asked for.
 */
export class PoolQueue {
  readonly #rules: NamespaceRules;
  readonly #lanes = new Map<string, Lane>();
  readonly #namespaces = new Map<string, Namespace>();
  /** Up to when namespaces have been served that are not there any more, while that is ahead of the others. */
  readonly #departed = new Map<string, number>();
  readonly #alike = new Map<string, Alike>();
  /** Work that waits for a place on the builder that does it already. */
  readonly #parked = new Set<string>();
  #clock = 0;
  #seq = 0;

  constructor(rules: NamespaceRules) {
    this.#rules = rules;
  }

  /** Nobody waits, and nobody holds a place. */
  get isIdle(): boolean {
    return this.#namespaces.size === 0;
  }

  get waiting(): number {
    let waiting = 0;
    for (const { count } of this.#lanes.values()) waiting += count;
    return waiting;
  }

  /** How many would be given a place if there were enough: of all, and of those that ask for one platform. */
  demand(): { readonly all: number; readonly byPlatform: ReadonlyMap<string, number> } {
    const most = this.#rules.most();
    const given = (name: string, queued: number, held: number) =>
      this.#rules.allows(name) ? Math.max(0, Math.min(queued, most - held)) : 0;
    let all = 0;
    for (const { name, queued, held } of this.#namespaces.values()) all += given(name, queued, held);
    const byPlatform = new Map<string, number>();
    for (const [platform, { namespaces }] of this.#lanes) {
      let count = 0;
      for (const [name, runs] of namespaces) count += given(name, runs.all.size, this.heldBy(name));
      byPlatform.set(platform, count);
    }
    return { all, byPlatform };
  }

  get parked(): Iterable<string> {
    return this.#parked;
  }

  add(run: QueuedRun): void {
    const lane = this.#lane(run.platform);
    const runs = lane.namespaces.get(run.namespace) ?? { all: new OrderedSet(inOrder), ready: new OrderedSet(inOrder) };
    lane.namespaces.set(run.namespace, runs);
    lane.count++;
    this.#change(run.namespace, (namespace) => {
      namespace.queued++;
      runs.all.add(run);
      if (run.work === undefined) runs.ready.add(run);
    });
    if (run.work === undefined) return;
    const alike = this.#alike.get(run.work) ?? { runs: new OrderedSet(inOrder), shown: undefined };
    this.#alike.set(run.work, alike);
    alike.runs.add(run);
    this.#show(run.work);
  }

  remove(run: QueuedRun): void {
    const key = run.platform ?? '';
    const lane = this.#lanes.get(key) as Lane;
    const runs = lane.namespaces.get(run.namespace) as Runs;
    if (run.work !== undefined) this.#alike.get(run.work)?.runs.delete(run);
    lane.count--;
    this.#change(run.namespace, (namespace) => {
      namespace.queued--;
      runs.all.delete(run);
      runs.ready.delete(run);
    });
    if (runs.all.size === 0) lane.namespaces.delete(run.namespace);
    if (lane.count === 0) this.#lanes.delete(key);
    if (run.work !== undefined) this.#show(run.work);
  }

  /** A place was taken by a run of the namespace: as its turn, where it had one. */
  take(name: string, { turn }: { readonly turn: boolean }): void {
    this.#change(name, (namespace) => {
      namespace.held++;
      if (!turn) return;
      this.#clock = Math.max(namespace.served, this.#clock);
      namespace.served = this.#clock + 1 / namespace.weight;
    });
    for (const [other, served] of this.#departed) {
      if (served > this.#clock) break;
      this.#departed.delete(other);
    }
  }

  giveBack(name: string): void {
    this.#change(name, (namespace) => {
      namespace.held--;
    });
  }

  heldBy(name: string): number {
    return this.#namespaces.get(name)?.held ?? 0;
  }

  mayHoldMore(name: string): boolean {
    return this.#rules.allows(name) && this.heldBy(name) < this.#rules.most();
  }

  /** The run that gets the next place, of those that ask for one of these platforms. */
  next(has: (platform: string | undefined) => boolean): QueuedRun | undefined {
    let best: { readonly namespace: Namespace; readonly lane: Lane } | undefined;
    for (const lane of this.#lanes.values()) {
      if (!has(lane.platform)) continue;
      const namespace = lane.order.first;
      if (namespace === undefined) continue;
      const order = best === undefined ? -1 : byTurn(namespace, best.namespace);
      if (order < 0 || (order === 0 && this.#firstOf(lane, namespace).isBefore(best!))) best = { namespace, lane };
    }
    return best === undefined ? undefined : this.#firstOf(best.lane, best.namespace).run;
  }

  /** For now it is not to be served, nor does it hold up others of its namespace; see {@link resume}. */
  setAside(run: QueuedRun): void {
    this.#change(run.namespace, () => this.#runs(run)?.ready.delete(run));
  }

  resume(run: QueuedRun): void {
    this.#change(run.namespace, () => this.#runs(run)?.ready.add(run));
  }

  /** The first run of those that do the same. */
  firstAlike(work: string): QueuedRun | undefined {
    return this.#alike.get(work)?.runs.first;
  }

  /** None of those that do the same is to be served until {@link unpark}. */
  park(work: string): void {
    this.#parked.add(work);
    this.#show(work);
  }

  unpark(work: string): void {
    this.#parked.delete(work);
    this.#show(work);
  }

  /** Its place in the queue of its namespace, and of each other one those that come before it when turns are taken by weight; undefined when it does not wait. */
  position(run: QueuedRun): number | undefined {
    const lane = this.#lanes.get(run.platform ?? '');
    const own = lane?.namespaces.get(run.namespace)?.all;
    if (lane === undefined || own === undefined) return undefined;
    const before = own.rank(run);
    let position = before + 1;
    if (before === 0) return position;
    const { weight } = this.#namespaces.get(run.namespace) as Namespace;
    for (const [other, { all }] of lane.namespaces)
      if (other !== run.namespace)
        position += Math.min(
          all.size,
          Math.floor((before * (this.#namespaces.get(other) as Namespace).weight) / weight),
        );
    return position;
  }

  /** The pool says something else of namespaces. */
  rulesChanged(): void {
    for (const name of this.#namespaces.keys())
      this.#change(name, (namespace) => {
        namespace.weight = this.#rules.weight(name);
      });
  }

  /** Of those that do the same the first is ready, unless they wait. */
  #show(work: string): void {
    const alike = this.#alike.get(work);
    if (alike === undefined) return;
    const first = this.#parked.has(work) ? undefined : alike.runs.first;
    const { shown } = alike;
    alike.shown = first;
    if (shown !== first) {
      if (shown !== undefined) this.setAside(shown);
      if (first !== undefined) this.resume(first);
    }
    if (alike.runs.size > 0) return;
    this.#alike.delete(work);
    this.#parked.delete(work);
  }

  #lane(platform: string | undefined): Lane {
    const key = platform ?? '';
    const lane = this.#lanes.get(key) ?? { platform, namespaces: new Map(), order: new OrderedSet(byTurn), count: 0 };
    this.#lanes.set(key, lane);
    return lane;
  }

  #runs({ platform, namespace }: QueuedRun): Runs | undefined {
    return this.#lanes.get(platform ?? '')?.namespaces.get(namespace);
  }

  #firstOf(lane: Lane, { name }: Namespace) {
    const run = lane.namespaces.get(name)?.ready.first as QueuedRun;
    const isBefore = (other: { readonly namespace: Namespace; readonly lane: Lane }): boolean =>
      inOrder(run, this.#firstOf(other.lane, other.namespace).run) < 0;
    return { run, isBefore };
  }

  /** Changes what a namespace's turn hangs on, and enters it anew where it can have a place. */
  #change(name: string, change: (namespace: Namespace) => void): void {
    const namespace = this.#namespaces.get(name) ?? {
      name,
      seq: this.#seq++,
      held: 0,
      // Nothing is owed for the time before.
      served: Math.max(this.#clock, this.#departed.get(name) ?? 0),
      weight: this.#rules.weight(name),
      queued: 0,
    };
    this.#namespaces.set(name, namespace);
    this.#departed.delete(name);
    const lanes = [...this.#lanes.values()].filter(({ namespaces }) => namespaces.has(name));
    for (const { order } of lanes) order.delete(namespace);
    change(namespace);
    if (this.mayHoldMore(name))
      for (const { order, namespaces } of lanes) if (namespaces.get(name)!.ready.size > 0) order.add(namespace);
    if (namespace.queued > 0 || namespace.held > 0) return;
    this.#namespaces.delete(name);
    if (namespace.served > this.#clock) this.#departed.set(name, namespace.served);
  }
}

function byTurn(a: Namespace, b: Namespace): number {
  return a.held / a.weight - b.held / b.weight || a.served - b.served || a.seq - b.seq;
}

function inOrder(a: QueuedRun, b: QueuedRun): number {
  return (
    b.priority - a.priority ||
    a.queuedAt - b.queuedAt ||
    compare(a.key, b.key) ||
    compare(a.uid, b.uid) ||
    compare(a.part ?? '', b.part ?? '')
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
