/** What a map may hold before it is split. */
const WHOLE = 4096;
const PARTS = 64;
/** Characters at the end of a name that are looked at: digests differ there. More, step by step, where so many names have the same place. */
const END = 8;
const LONGER = 8;
const LONGEST_END = 1 << 16;
const CROWD = 16;
/** Nobody outside knows which names are in one place. */
const SEED = Math.floor(Math.random() * 2 ** 32);

/** Entries by their places. */
type Part<K, V> = Map<number, Cell<K, V>>;

/** An entry, before others in the same place. */
interface Cell<K, V> {
  readonly key: K;
  value: V;
  next: Cell<K, V> | undefined;
}

/**
 * A map for very many entries. One of the language's own moves all of its entries at once whenever it has to grow, and V8 enters each text that is a key of any, or is
 * looked for, in one table of all texts, which grows likewise: of a hundred thousand either takes longer than a thread may be kept that serves others. This one
 * consists of many that are small, by numbers that are made of the names of keys. It keeps no order, and who goes through it while it changes may miss what is new and
 * meet what is gone. What is a key is told by identity, as in any map; names had best differ at their end, as digests do.
 */
export class LargeMap<K, V> implements ReadonlyMap<K, V> {
  readonly #nameOf: (key: K) => string;
  #end = END;
  /** One until it is split. */
  #parts: readonly Part<K, V>[] = [new Map()];
  #size = 0;

  private constructor(nameOf: (key: K) => string) {
    this.#nameOf = nameOf;
  }

  static byText<K extends string, V>(): LargeMap<K, V> {
    return new LargeMap((key) => key);
  }

  /** For keys that are objects; the name of one never changes. */
  static by<K, V>(nameOf: (key: K) => string): LargeMap<K, V> {
    return new LargeMap(nameOf);
  }

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    return this.#cellOf(key)?.value;
  }

  has(key: K): boolean {
    return this.#cellOf(key) !== undefined;
  }

  set(key: K, value: V): this {
    const place = this.#placeOf(key);
    const part = this.#partOf(place);
    const first = part.get(place);
    const cell = cellIn(first, key);
    if (cell !== undefined) cell.value = value;
    else {
      part.set(place, { key, value, next: first });
      if (++this.#size > WHOLE && this.#parts.length === 1) this.#split(part);
      if (first !== undefined && this.#end < LONGEST_END && isCrowd(first)) this.#lookAtMore();
    }
    return this;
  }

  delete(key: K): boolean {
    const place = this.#placeOf(key);
    const part = this.#partOf(place);
    const first = part.get(place);
    const cell = cellIn(first, key);
    if (first === undefined || cell === undefined) return false;
    if (cell !== first) {
      let before = first;
      while (before.next !== cell) before = before.next!;
      before.next = cell.next;
    } else if (cell.next !== undefined) part.set(place, cell.next);
    else part.delete(place);
    if (--this.#size === 0 && this.#parts.length > 1) this.clear();
    return true;
  }

  clear(): void {
    this.#parts = [new Map()];
    this.#size = 0;
  }

  *entries(): Generator<[K, V], undefined, unknown> {
    for (const { key, value } of this.#cells()) yield [key, value];
    return undefined;
  }

  *keys(): Generator<K, undefined, unknown> {
    for (const { key } of this.#cells()) yield key;
    return undefined;
  }

  *values(): Generator<V, undefined, unknown> {
    for (const { value } of this.#cells()) yield value;
    return undefined;
  }

  [Symbol.iterator](): Generator<[K, V], undefined, unknown> {
    return this.entries();
  }

  forEach(tell: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) tell(value, key, this);
  }

  *#cells(): Generator<Cell<K, V>, void, unknown> {
    for (const part of this.#parts)
      for (const first of part.values())
        for (let cell: Cell<K, V> | undefined = first; cell; cell = cell.next) yield cell;
  }

  #cellOf(key: K): Cell<K, V> | undefined {
    const place = this.#placeOf(key);
    return cellIn(this.#partOf(place).get(place), key);
  }

  #partOf(place: number): Part<K, V> {
    return this.#parts[this.#parts.length === 1 ? 0 : place & (PARTS - 1)]!;
  }

  #split(whole: Part<K, V>): void {
    this.#parts = Array.from({ length: PARTS }, () => new Map());
    for (const [place, first] of whole) this.#partOf(place).set(place, first);
  }

  #lookAtMore(): void {
    this.#end *= LONGER;
    const cells = [...this.#cells()];
    this.#parts = this.#parts.map(() => new Map());
    for (const { key, value } of cells) {
      const place = this.#placeOf(key);
      const part = this.#partOf(place);
      part.set(place, { key, value, next: part.get(place) });
    }
  }

  /** By the last characters of its name (FNV-1a); its last bits tell the part. */
  #placeOf(key: K): number {
    const name = this.#nameOf(key);
    let hash = SEED;
    for (let at = Math.max(name.length - this.#end, 0); at < name.length; at++)
      hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
    // As a small integer, which V8 keeps in place.
    return (hash ^ (hash >>> 15)) & 0x3fffffff;
  }
}

function cellIn<K, V>(first: Cell<K, V> | undefined, key: K): Cell<K, V> | undefined {
  let cell = first;
  while (cell !== undefined && cell.key !== key) cell = cell.next;
  return cell;
}

function isCrowd<K, V>(first: Cell<K, V>): boolean {
  let count = 1;
  for (let cell = first.next; cell !== undefined; cell = cell.next) count++;
  return count >= CROWD;
}

/** A map that so many entries will come into: one of the language's where they are few. */
export function mapFor<K extends string, V>(entries: number): Map<K, V> | LargeMap<K, V> {
  return entries > WHOLE ? LargeMap.byText() : new Map();
}

/** The map to go on with where more comes into one: the same, or, when that has come to hold many, another. Who goes through the first goes on with what was in it. */
export function grown<K, V>(map: Map<K, V> | LargeMap<K, V>, nameOf: (key: K) => string): Map<K, V> | LargeMap<K, V> {
  if (map instanceof LargeMap || map.size < WHOLE) return map;
  const large = LargeMap.by<K, V>(nameOf);
  for (const [key, value] of map) large.set(key, value);
  return large;
}
