import type { Digest } from '../base/index.ts';
import { withOne } from './few.ts';
import { CONTENT_OUTPUT, isVolatile, rootKey } from './key.ts';
import { Level } from './level.ts';
import type { CacheMap, CacheScope, KeyReader } from './ports.ts';

/** What a search knows of the edge whose keys it looks for. */
export interface SearchedEdge {
  readonly index: number;
  readonly record: Digest;
  readonly vertex: SearchedVertex;
}

export interface SearchedVertex {
  readonly maps: readonly CacheMap[];
  readonly scope: CacheScope;
  readonly inputs: readonly SearchedInput[];
  selector(input: number): string;
  content(input: number): string | undefined;
}

export interface SearchedInput {
  readonly level: Level;
  readonly lookup: { readonly searches: readonly Pick<Search, 'keys'>[] };
}

/** A way into an input slot: from this id to the stored keys that it leads to. */
interface Way {
  readonly id: string;
  readonly targets: readonly string[];
}

/** Few, so a list: V8 enters texts that are keys of maps in one table of all texts, which has to grow with a large graph, all at once. */
type Slot = readonly Way[];

// Of most edges of a large graph there is nothing to know yet.
const NO_WAYS: Slot = [];
const NO_KEYS: readonly string[] = [];
const NO_IDS: never[] = [];
const NO_SLOTS: never[] = [];

/**
 * The search for an edge's keys in one cache. A linked key is one that every input slot leads to from some key which that input has there: its definition
 * keys through the selector, or its content. Slots only ever gain alternatives, so each is looked up once; how many slots lead to a key is counted, so that what
 * one input has come up with costs no look at the others.
 */
export class Search {
  readonly #edge: SearchedEdge;
  readonly #reader: KeyReader;
  /** Its place among the caches of the vertex, which are those of its inputs. */
  readonly #place: number;
  readonly #maxKeys: number;
  readonly #slots: Slot[];
  /** How many slots lead to a key. */
  #leads: Counts | undefined;
  /** Slots that are exhausted: all that their input can come up with was looked up. */
  #exhausted: boolean[] = NO_SLOTS;
  #exhaustedSlots = 0;
  /** How many of those lead to a key, and how many keys all of them lead to. */
  #exhaustedLeads: Counts | undefined;
  #common = 0;
  #candidates: string[] | undefined;
  #roots = 0;

  constructor(edge: SearchedEdge, reader: KeyReader, place: number, maxKeys = Infinity) {
    this.#edge = edge;
    this.#reader = reader;
    this.#place = place;
    this.#maxKeys = maxKeys;
    this.#slots = new Array<Slot>(edge.vertex.inputs.length).fill(NO_WAYS);
  }

  /** Keys of the edge there, as far as known. They need not name one and the same result. */
  get candidates(): readonly string[] {
    return this.#candidates ?? NO_KEYS;
  }

  /** Ids by which consumers look for links. */
  keys: string[] = NO_IDS;

  /** Takes in cache maps of an edge without inputs. */
  updateRoot(): void {
    const { maps } = this.#edge.vertex;
    for (; this.#roots < maps.length; this.#roots++) {
      const id = rootKey(maps[this.#roots]!.digest, this.#edge.index);
      this.know(id);
      if (!isVolatile(id)) this.#found(id);
    }
  }

  /** Looks up what input `i` has newly come up with. Returns how many questions that took. */
  look(i: number): number {
    const { vertex } = this.#edge;
    const { level, lookup } = vertex.inputs[i]!;
    const selector = vertex.selector(i);
    const content = vertex.content(i);
    let asked = 0;
    for (const id of lookup.searches[this.#place]!.keys) asked += this.#look(i, id, selector);
    if (content !== undefined) asked += this.#look(i, content, '');
    const byContent = vertex.maps[0]?.inputs[i]?.contentDigest !== undefined;
    this.#exhaust(i, level >= Level.slow && (!byContent || content !== undefined));
    return asked;
  }

  /** Forgets what was looked up, since others may have stored more. */
  reset(): void {
    this.#slots.fill(NO_WAYS);
    this.#leads = undefined;
    this.#exhausted = NO_SLOTS;
    this.#exhaustedSlots = 0;
    this.#exhaustedLeads = undefined;
    this.#common = 0;
  }

  /** No key of the inputs that can still come makes a match: a slot (or several together) is exhausted and leads nowhere. */
  hopeless(): boolean {
    return this.#exhaustedSlots > 0 && this.#common === 0;
  }

  /** Input `i` has all the keys that its definition gives it, and none of them leads to a key of the edge: nothing but its content can. */
  onlyContentLeads(i: number): boolean {
    return !this.leadsOn(i) && this.#edge.vertex.inputs[i]!.level >= Level.slow;
  }

  /** Adds a key that others know this edge by. */
  know(id: string): void {
    if (this.keys.length < this.#maxKeys && !this.keys.includes(id)) {
      // Mostly one, for which a list that is begun by adding to it has far too much room.
      if (this.keys.length === 0) this.keys = [id];
      else this.keys.push(id);
    }
  }

  /** The ids from which input `i` leads to a key. */
  ways(i: number, target: string): readonly string[] {
    const ids: string[] = [];
    for (const { id, targets } of this.#slots[i]!) if (targets.includes(target)) ids.push(id);
    return ids;
  }

  /** Notes one more way from input `i` to a key that it leads to, stored since it was looked up. */
  linked(i: number, id: string, target: string): void {
    this.#slots[i] = this.#slots[i]!.map((way) =>
      way.id === id ? { id, targets: withOne(way.targets, target) } : way,
    );
  }

  /** Whether anything leads to a record of the op from input `i`. */
  leadsOn(i: number): boolean {
    for (const { targets } of this.#slots[i]!) if (targets.length > 0) return true;
    return false;
  }

  #found(id: string): void {
    if (this.#candidates === undefined) this.#candidates = [id];
    else if (!this.#candidates.includes(id)) this.#candidates.push(id);
  }

  #look(input: number, id: string, selector: string): 0 | 1 {
    const before = this.#slots[input]!;
    for (const way of before) if (way.id === id) return 0;
    const { vertex, record } = this.#edge;
    const unstored = isVolatile(id) || isVolatile(record);
    const targets = unstored ? [] : this.#reader.links(id, { input, record, selector }, vertex.scope.read);
    this.#slots[input] = withOne(before, { id, targets: targets.slice() });
    const each = targets.length > 1 ? new Set(targets) : targets;
    const known = before.length === 0 ? undefined : new Set(targetsOf(before));
    for (const target of each) if (known?.has(target) !== true) this.#lead(input, target);
    return 1;
  }

  /** An input has come to lead to a key. */
  #lead(input: number, target: string): void {
    this.#leads ??= new Counts();
    if (this.#exhausted[input] === true) {
      this.#exhaustedLeads ??= new Counts();
      if (this.#exhaustedLeads.add(target) === this.#exhaustedSlots) this.#common++;
    }
    if (this.#leads.add(target) < this.#slots.length || this.candidates.length >= this.#maxKeys) return;
    this.#found(target);
    this.know(target);
  }

  #exhaust(input: number, isExhausted: boolean): void {
    if ((this.#exhausted[input] ?? false) === isExhausted) return;
    if (this.#exhausted === NO_SLOTS) this.#exhausted = new Array<boolean>(this.#slots.length).fill(false);
    this.#exhausted[input] = isExhausted;
    if (isExhausted) this.#count(input);
    else {
      // Its content was lost, and another is to come.
      this.#exhaustedSlots = 0;
      this.#exhaustedLeads = undefined;
      for (const [each, is] of this.#exhausted.entries()) if (is) this.#count(each);
    }
  }

  #count(exhausted: number): void {
    this.#exhaustedSlots++;
    this.#common = 0;
    for (const target of targetsOf(this.#slots[exhausted]!)) {
      this.#exhaustedLeads ??= new Counts();
      if (this.#exhaustedLeads.add(target) === this.#exhaustedSlots) this.#common++;
    }
  }
}

/** Each once. */
function targetsOf(slot: Slot): Iterable<string> {
  const [first, ...others] = slot;
  if (first === undefined) return NO_KEYS;
  if (others.length === 0 && first.targets.length < 2) return first.targets;
  return new Set(slot.flatMap(({ targets }) => targets));
}

/** How often each id was added. Mostly there is one. */
class Counts {
  #first: string | undefined;
  #count = 0;
  #others: Map<string, number> | undefined;

  /** Returns how often it was now. */
  add(id: string): number {
    this.#first ??= id;
    if (this.#first === id) return ++this.#count;
    this.#others ??= new Map();
    const count = (this.#others.get(id) ?? 0) + 1;
    this.#others.set(id, count);
    return count;
  }
}

/** The id of the slow key of a content digest. */
export function contentKey(digest: string): string {
  return rootKey(digest, CONTENT_OUTPUT);
}
