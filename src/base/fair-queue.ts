/** For whom something is done: turns go by tenant, and within a tenant by build. */
export interface WorkOwner {
  /** The scope that is written. */
  readonly tenant: string;
  /** Names one of its builds: the session that asked for it. */
  readonly build: string;
}

/** What the builder does for nobody in particular: one more tenant. */
export const HOUSE: WorkOwner = { tenant: '', build: '' };

/**
 * What waits, given out in turns: to the tenants, of a tenant to its builds, and of a build to what has waited longest. So whoever asks for fifty things at once, in one build
 * or in fifty, keeps nobody else behind all of them. Each call is a few
 * steps, however much waits.
 */
export class FairQueue<V> {
  readonly #tenants = new Turns<Turns<Line<V>, V>, V>(() => new Turns(() => new Line()));

  get size(): number {
    return this.#tenants.size;
  }

  /** How much of one tenant waits. */
  sizeOf(tenant: string): number {
    return this.#tenants.lineOf(tenant)?.size ?? 0;
  }

  /** Gives what takes it out again, wherever it stands; once it has left that does nothing. */
  push({ tenant, build }: WorkOwner, value: V): () => void {
    const builds = this.#tenants.enter(tenant);
    const line = builds.enter(build);
    const place = line.push(value);
    return () => {
      if (!line.remove(place)) return;
      builds.leave(build);
      this.#tenants.leave(tenant);
    };
  }

  shift(): V | undefined {
    return this.#tenants.shift();
  }
}

interface Shifting<V> {
  readonly size: number;
  shift(): V | undefined;
}

interface Turn<L> {
  readonly key: string;
  readonly line: L;
  place: Place<Turn<L>>;
}

/** Lines that take turns: the one that was served goes behind the others if anything is left in it. Empty ones are forgotten. */
class Turns<L extends Shifting<V>, V> implements Shifting<V> {
  readonly #byKey = new Map<string, Turn<L>>();
  readonly #order = new Line<Turn<L>>();
  readonly #make: () => L;
  size = 0;

  constructor(make: () => L) {
    this.#make = make;
  }

  lineOf(key: string): L | undefined {
    return this.#byKey.get(key)?.line;
  }

  /** The line, which gets one more. */
  enter(key: string): L {
    this.size++;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known.line;
    const turn = { key, line: this.#make() } as Turn<L>;
    turn.place = this.#order.push(turn);
    this.#byKey.set(key, turn);
    return turn.line;
  }

  /** One has been taken out of the line. */
  leave(key: string): void {
    this.size--;
    const turn = this.#byKey.get(key);
    if (turn === undefined || turn.line.size > 0) return;
    this.#order.remove(turn.place);
    this.#byKey.delete(key);
  }

  shift(): V | undefined {
    const turn = this.#order.shift();
    if (turn === undefined) return undefined;
    this.size--;
    const value = turn.line.shift();
    if (turn.line.size > 0) turn.place = this.#order.push(turn);
    else this.#byKey.delete(turn.key);
    return value;
  }
}

interface Place<V> {
  readonly value: V;
  before: Place<V> | undefined;
  after: Place<V> | undefined;
  isLeft: boolean;
}

/** First come, first served; a linked list, since some leave from the middle. */
class Line<V> implements Shifting<V> {
  #first: Place<V> | undefined;
  #last: Place<V> | undefined;
  size = 0;

  push(value: V): Place<V> {
    const place: Place<V> = { value, before: this.#last, after: undefined, isLeft: false };
    if (this.#last === undefined) this.#first = place;
    else this.#last.after = place;
    this.#last = place;
    this.size++;
    return place;
  }

  shift(): V | undefined {
    const first = this.#first;
    if (first !== undefined) this.remove(first);
    return first?.value;
  }

  /** False when it is not there any more. */
  remove(place: Place<V>): boolean {
    if (place.isLeft) return false;
    place.isLeft = true;
    const { before, after } = place;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    this.size--;
    return true;
  }
}
