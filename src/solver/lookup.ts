import type { Caches } from './caches.ts';
import type { KeyStore } from './ports.ts';
import { Search, type SearchedEdge, type SearchedInput, type SearchedVertex } from './search.ts';

interface LookedUpEdge extends SearchedEdge {
  readonly vertex: LookedUpVertex;
}

interface LookedUpVertex extends SearchedVertex {
  readonly caches: Caches;
  readonly inputs: readonly LookedUpInput[];
}

interface LookedUpInput extends SearchedInput {
  /** Stored keys that name one and the same. */
  readonly names: readonly string[];
  readonly held: object | undefined;
}

/** The searches for an edge's keys: in the builder's own store first, then in each cache that its builds import. They share what all graphs name alike. */
export class Lookup {
  readonly #edge: LookedUpEdge;
  readonly #store: KeyStore;
  readonly searches: readonly Search[];
  /** Imported caches that could not be read when it was looked up. */
  readonly unreadable = new Set<string>();

  constructor(edge: LookedUpEdge) {
    const { own, imports } = edge.vertex.caches;
    this.#edge = edge;
    this.#store = own.keys;
    this.searches = [
      new Search(edge, own.keys, 0),
      ...imports.map(({ keys, maxKeys }, i) => new Search(edge, keys, i + 1, maxKeys)),
    ];
  }

  /** That in the own store. */
  get own(): Search {
    return this.searches[0]!;
  }

  /** Looks up what inputs have newly come up with; true when the edge has new keys. */
  update(): boolean {
    let found = false;
    for (const [place, search] of this.searches.entries()) found = this.reading(place, () => search.update()) || found;
    if (found) for (const key of this.own.candidates) this.#equate(key);
    return found;
  }

  /** Looks everything up again, since others may have stored more. */
  refresh(): void {
    for (const [place, search] of this.searches.entries()) this.reading(place, () => search.refresh());
  }

  /** Asks the cache at this place, and notes whether that fails. */
  reading<T>(place: number, ask: () => T): T {
    const cache = this.#edge.vertex.caches.imports[place - 1];
    if (cache === undefined) return ask();
    const before = cache.failures;
    const answer = ask();
    if (cache.failures > before) this.unreadable.add(cache.id);
    return answer;
  }

  /** Nothing that can still come makes a match, in any cache. */
  hopeless(): boolean {
    return this.searches.every((search) => search.hopeless());
  }

  /** No cache has a key that input `i` leads to but by its content. */
  onlyContentLeads(i: number): boolean {
    return this.searches.every((search) => search.onlyContentLeads(i));
  }

  /**
   * Lets all names of one and the same input lead to a key that one of them leads to, so that the next build finds it at the first look. What only
   * the definition leads to may have been made of another content than the input has now, so content is never linked here.
   */
  #equate(target: string): void {
    const { vertex, record } = this.#edge;
    vertex.inputs.forEach((input, i) => {
      const { names, held } = input;
      const content = held === undefined ? undefined : vertex.content(i);
      const ways = this.own.ways(i, target);
      if (!names.some((id) => ways.includes(id)) && (content === undefined || !ways.includes(content))) return;
      for (const id of names) {
        if (ways.includes(id)) continue;
        this.#store.addLink(id, { input: i, record, selector: vertex.selector(i) }, target, vertex.scope.write);
        this.own.linked(i, id, target);
      }
    });
  }
}
