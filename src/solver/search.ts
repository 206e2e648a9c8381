import type { Digest } from '../base/index.ts';
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

/** The ways into an input slot: by the id that one begins at, the stored keys it leads to. */
type Slot = Map<string, string[]>;

// Of most edges of a large graph there is nothing to know yet.
const NO_WAYS: Slot = new Map();
const NO_KEYS: ReadonlySet<string> = new Set();
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
  #candidates: Set<string> | undefined;
  #roots = 0;

  constructor(edge: SearchedEdge, reader: KeyReader, place: number, maxKeys = Infinity) {
    this.#edge = edge;
    this.#reader = reader;
    this.#place = place;
    this.#maxKeys = maxKeys;
    this.#slots = edge.vertex.inputs.map(() => NO_WAYS);
  }

  /** Keys of the edge there, as far as known. They need not name one and the same result. */
  get candidates(): ReadonlySet<string> {
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
    for (const [id, targets] of this.#slots[i]!) if (targets.includes(target)) ids.push(id);
    return ids;
  }

  /** Notes one more way from input `i` to a key that it leads to, stored since it was looked up. */
  linked(i: number, id: string, target: string): void {
    this.#slots[i]!.get(id)?.push(target);
  }

  /** Whether anything leads to a record of the op from input `i`. */
  leadsOn(i: number): boolean {
    for (const targets of this.#slots[i]!.values()) if (targets.length > 0) return true;
    return false;
  }

  #found(id: string): void {
    this.#candidates ??= new Set();
    this.#candidates.add(id);
  }

  #look(input: number, id: string, selector: string): 0 | 1 {
    let slot = this.#slots[input]!;
    if (slot.has(id)) return 0;
    if (slot === NO_WAYS) {
      slot = new Map();
      this.#slots[input] = slot;
    }
    const { vertex, record } = this.#edge;
    const before = slot.size === 0 ? NO_KEYS : targetsOf(slot);
    const unstored = isVolatile(id) || isVolatile(record);
    const targets = unstored ? [] : this.#reader.links(id, { input, record, selector }, vertex.scope.read);
    slot.set(id, [...targets]);
    const each = targets.length > 1 ? new Set(targets) : targets;
    for (const target of each) if (!before.has(target)) this.#lead(input, target);
    return 1;
  }

  /** An input has come to lead to a key. */
  #lead(input: number, target: string): void {
    this.#leads ??= new Map();
    if (this.#exhausted[input] === true) {
      this.#exhaustedLeads ??= new Map();
      if (addTo(this.#exhaustedLeads, target) === this.#exhaustedSlots) this.#common++;
    }
    if (addTo(this.#leads, target) < this.#slots.length || this.candidates.size >= this.#maxKeys) return;
    this.#found(target);
    this.know(target);
  }

  #exhaust(input: number, isExhausted: boolean): void {
    if ((this.#exhausted[input] ?? false) === isExhausted) return;
    if (this.#exhausted === NO_SLOTS) this.#exhausted = this.#slots.map(() => false);
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
      this.#exhaustedLeads ??= new Map();
      if (addTo(this.#exhaustedLeads, target) === this.#exhaustedSlots) this.#common++;
    }
  }
}

function targetsOf(slot: Slot): ReadonlySet<string> {
  if (slot.size === 0) return NO_KEYS;
  const targets = new Set<string>();
  for (const some of slot.values()) for (const target of some) targets.add(target);
  return targets;
}

/** How often each was added. */
type Counts = Map<string, number>;

/** Returns how often it was now. */
function addTo(counts: Counts, id: string): number {
  const count = (counts.get(id) ?? 0) + 1;
  counts.set(id, count);
  return count;
}

/** The id of the slow key of a content digest. */
export function contentKey(digest: string): string {
  return rootKey(digest, CONTENT_OUTPUT);
}
