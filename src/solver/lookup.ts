import type { EdgeState } from './edge.ts';
import { CONTENT_OUTPUT, isVolatile, rootKey } from './key.ts';
import { Level } from './level.ts';
import type { CacheLink, KeyStore } from './ports.ts';

/** A way into an input slot, by the id it begins at: the stored keys it leads to. */
interface Alternative {
  readonly targets: string[];
}

/**
 * The search for an edge's stored keys. A linked key is one that every input slot leads to from some key which that input has: its
 * definition keys through the selector, or its content. Slots only ever gain alternatives, so each is looked up once.
 */
export class Lookup {
  readonly #edge: EdgeState;
  readonly #slots: Map<string, Alternative>[];
  #candidates = new Set<string>();
  #roots = 0;

  constructor(edge: EdgeState) {
    this.#edge = edge;
    this.#slots = edge.inputs.map(() => new Map());
  }

  /** Stored keys of the edge, as far as known. They need not name one and the same result. */
  get candidates(): ReadonlySet<string> {
    return this.#candidates;
  }

  /** Ids by which consumers look for links. */
  readonly keys: string[] = [];

  /** Looks up what inputs have newly come up with; true when the edge has new keys. */
  update(store: KeyStore): boolean {
    const before = this.#candidates.size;
    if (this.#slots.length === 0) this.#updateRoot();
    else {
      let changed = false;
      for (let i = 0; i < this.#slots.length; i++) changed = this.#updateSlot(store, i) || changed;
      if (changed) this.#intersect();
    }
    return this.#candidates.size > before;
  }

  /** Looks everything up again, since others may have stored more. */
  refresh(store: KeyStore): boolean {
    for (const slot of this.#slots) slot.clear();
    return this.update(store);
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

  /** Adds a key that others know this edge by. */
  know(id: string): void {
    if (!this.keys.includes(id)) this.keys.push(id);
  }

  /**
   * Lets all names of one and the same input lead to a key that one of them leads to, so that the next build finds it at the first look. What only
   * the definition leads to may have been made of another content than the input has now, so content is never linked here.
   */
  equate(store: KeyStore, target: string): void {
    const { vertex } = this.#edge;
    this.#slots.forEach((slot, i) => {
      const { names, held } = vertex.inputs[i]!;
      const content = held === undefined ? undefined : vertex.content(i);
      const leads = (id: string) => slot.get(id)?.targets.includes(target) === true;
      if (!names.some(leads) && (content === undefined || !leads(content))) return;
      const selector = vertex.selector(i);
      for (const id of names) {
        if (leads(id)) continue;
        store.addLink(id, this.#link(i, selector), target, vertex.scope.write);
        slot.get(id)?.targets.push(target);
      }
    });
  }

  #updateRoot(): void {
    const { maps } = this.#edge.vertex;
    for (; this.#roots < maps.length; this.#roots++) {
      const id = rootKey(maps[this.#roots]!.digest, this.#edge.index);
      this.know(id);
      if (!isVolatile(id)) this.#candidates.add(id);
    }
  }

  #updateSlot(store: KeyStore, i: number): boolean {
    const { vertex } = this.#edge;
    const slot = this.#slots[i]!;
    const before = slot.size;
    const selector = vertex.selector(i);
    for (const id of vertex.inputs[i]!.lookup.keys) this.#search(store, slot, i, id, selector);
    const content = vertex.content(i);
    if (content !== undefined) this.#search(store, slot, i, content, '');
    return slot.size > before;
  }

  #search(store: KeyStore, slot: Map<string, Alternative>, i: number, id: string, selector: string): void {
    if (slot.has(id)) return;
    const targets = isVolatile(id) ? [] : store.links(id, this.#link(i, selector), this.#edge.vertex.scope.read);
    slot.set(id, { targets: [...targets] });
  }

  #intersect(): void {
    for (const id of intersection(this.#slots)) {
      this.#candidates.add(id);
      this.know(id);
    }
  }

  #link(input: number, selector: string): CacheLink {
    return { input, output: this.#edge.index, digest: this.#edge.vertex.maps[0]!.digest, selector };
  }
}

function intersection(slots: readonly Map<string, Alternative>[]): Set<string> {
  let common: Set<string> | undefined;
  for (const slot of slots) {
    const targets = new Set<string>();
    for (const alternative of slot.values()) for (const id of alternative.targets) targets.add(id);
    common = common === undefined ? targets : common.intersection(targets);
    if (common.size === 0) break;
  }
  return common ?? new Set();
}

/** The id of the slow key of a content digest. */
export function contentKey(digest: string): string {
  return rootKey(digest, CONTENT_OUTPUT);
}
