/** What a map may hold before it is split. */
const WHOLE = 4096;
const PARTS = 64;

/**
 * A map for very many entries. One of the language's own moves all of its entries at once whenever it has to grow, which of a hundred thousand takes
 * longer than a thread may be kept that serves others; this one consists of many that are small. It keeps no order once it holds more than a few thousand, and
 * who goes through it while it changes may miss what is new and meet what is gone. What is a key is told by identity, as in any map; keys that `nameOf` gives
 * names with the same end are looked for in the same part: they should differ there, as digests do.
 */
export class LargeMap<K, V> implements ReadonlyMap<K, V> {
  readonly #nameOf: (key: K) => string;
  /** One until it is split. */
  #parts: readonly Map<K, V>[] = [new Map()];
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
    return this.#partOf(key).get(key);
  }

  has(key: K): boolean {
    return this.#partOf(key).has(key);
  }

  set(key: K, value: V): this {
    const part = this.#partOf(key);
    const before = part.size;
    part.set(key, value);
    this.#size += part.size - before;
    if (this.#parts.length === 1 && this.#size > WHOLE) this.#split();
    return this;
  }

  delete(key: K): boolean {
    const deleted = this.#partOf(key).delete(key);
    if (deleted) this.#size--;
    if (this.#size === 0 && this.#parts.length > 1) this.clear();
    return deleted;
  }

  clear(): void {
    this.#parts = [new Map()];
    this.#size = 0;
  }

  *entries(): Generator<[K, V], undefined, unknown> {
    for (const part of this.#parts) yield* part;
    return undefined;
  }

  *keys(): Generator<K, undefined, unknown> {
    for (const part of this.#parts) yield* part.keys();
    return undefined;
  }

  *values(): Generator<V, undefined, unknown> {
    for (const part of this.#parts) yield* part.values();
    return undefined;
  }

  [Symbol.iterator](): Generator<[K, V], undefined, unknown> {
    return this.entries();
  }

  forEach(tell: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) tell(value, key, this);
  }

  #partOf(key: K): Map<K, V> {
    return this.#parts.length === 1 ? this.#parts[0]! : this.#parts[placeOf(this.#nameOf(key))]!;
  }

  #split(): void {
    const entries = this.#parts[0]!;
    const parts = Array.from({ length: PARTS }, () => new Map<K, V>());
    for (const [key, value] of entries) parts[placeOf(this.#nameOf(key))]!.set(key, value);
    this.#parts = parts;
  }
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

/** By the last few characters (FNV-1a). */
function placeOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = Math.max(name.length - 4, 0); at < name.length; at++)
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 16)) & (PARTS - 1);
}
