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

/** A way into an input slot, by the id it begins at: the stored keys it leads to. */
type Slot = Map<string, string[]>;

// Of most edges of a large graph there is nothing to know yet.
const NO_WAYS: Slot = new Map();
const NO_KEYS: ReadonlySet<string> = new Set();

/**
 * The search for an edge's keys in one cache. A linked key is one that every input slot leads to from some key which that input has there: its definition
 * keys through the selector, or its content. Slots only ever gain alternatives, so each is looked up once.
 */
export class Search {
  readonly #edge: SearchedEdge;
  readonly #reader: KeyReader;
  /** Its place among the caches of the vertex, which are those of its inputs. */
  readonly #place: number;
  readonly #maxKeys: number;
  readonly #slots: Slot[];
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
  readonly keys: string[] = [];

  /** Looks up what inputs have newly come up with; true when the edge has new keys. */
  update(): boolean {
    const before = this.candidates.size;
    if (this.#slots.length === 0) this.#updateRoot();
    else {
      let changed = false;
      for (let i = 0; i < this.#slots.length; i++) changed = this.#updateSlot(i) || changed;
      if (changed) this.#intersect();
    }
    return this.candidates.size > before;
  }

  /** Looks everything up again, since others may have stored more. */
  refresh(): boolean {
    for (const slot of this.#slots) slot.clear();
    return this.update();
  }

  /** No key of the inputs that can still come makes a match: a slot (or several together) is exhausted and leads nowhere. */
  hopeless(): boolean {
    const { vertex } = this.#edge;
    const map = vertex.maps[0];
    if (map === undefined || this.#slots.length === 0) return false;
    const exhausted = this.#slots.filter(
      (_, i) =>
        vertex.inputs[i]!.level >= Level.slow &&
        (map.inputs[i]?.contentDigest === undefined || vertex.content(i) !== undefined),
    );
    return exhausted.length > 0 && intersection(exhausted).size === 0;
  }

  /** Input `i` has all the keys that its definition gives it, and none of them leads to a key of the edge: nothing but its content can. */
  onlyContentLeads(i: number): boolean {
    const leads = [...this.#slots[i]!.values()].some((targets) => targets.length > 0);
    return !leads && this.#edge.vertex.inputs[i]!.level >= Level.slow;
  }

  /** Adds a key that others know this edge by. */
  know(id: string): void {
    if (this.keys.length < this.#maxKeys && !this.keys.includes(id)) this.keys.push(id);
  }

  /** The ids from which input `i` leads to a key. */
  ways(i: number, target: string): readonly string[] {
    return [...this.#slots[i]!].flatMap(([id, targets]) => (targets.includes(target) ? [id] : []));
  }

  /** Notes a link from input `i` that has been stored since it was looked up. */
  linked(i: number, id: string, target: string): void {
    this.#slots[i]!.get(id)?.push(target);
  }

  /** Whether anything leads to a record of the op from input `i`. */
  leadsOn(i: number): boolean {
    for (const targets of this.#slots[i]!.values()) if (targets.length > 0) return true;
    return false;
  }

  #updateRoot(): void {
    const { maps } = this.#edge.vertex;
    for (; this.#roots < maps.length; this.#roots++) {
      const id = rootKey(maps[this.#roots]!.digest, this.#edge.index);
      this.know(id);
      if (!isVolatile(id)) this.#found(id);
    }
  }

  #found(id: string): void {
    this.#candidates ??= new Set();
    this.#candidates.add(id);
  }

  #updateSlot(i: number): boolean {
    const { vertex } = this.#edge;
    const before = this.#slots[i]!.size;
    const selector = vertex.selector(i);
    for (const id of vertex.inputs[i]!.lookup.searches[this.#place]!.keys) this.#look(i, id, selector);
    const content = vertex.content(i);
    if (content !== undefined) this.#look(i, content, '');
    return this.#slots[i]!.size > before;
  }

  #look(input: number, id: string, selector: string): void {
    let slot = this.#slots[input]!;
    if (slot.has(id)) return;
    if (slot === NO_WAYS) {
      slot = new Map();
      this.#slots[input] = slot;
    }
    const { vertex, record } = this.#edge;
    const unstored = isVolatile(id) || isVolatile(record);
    slot.set(id, unstored ? [] : [...this.#reader.links(id, { input, record, selector }, vertex.scope.read)]);
  }

  #intersect(): void {
    for (const id of intersection(this.#slots)) {
      if (this.candidates.size >= this.#maxKeys) break;
      this.#found(id);
      this.know(id);
    }
  }
}

function intersection(slots: readonly Slot[]): Set<string> {
  let common: Set<string> | undefined;
  for (const slot of slots) {
    const targets = new Set<string>();
    for (const alternatives of slot.values()) for (const id of alternatives) targets.add(id);
    common = common === undefined ? targets : common.intersection(targets);
    if (common.size === 0) break;
  }
  return common ?? new Set();
}

/** The id of the slow key of a content digest. */
export function contentKey(digest: string): string {
  return rootKey(digest, CONTENT_OUTPUT);
}
