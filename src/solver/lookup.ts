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

const NONE_UNREADABLE: ReadonlySet<string> = new Set();

/** Questions to caches, and links that are entered, in one step. */
const MOST_ASKED = 200;

/**
 * The searches for an edge's keys: in the builder's own store first, then in each cache that its builds import. They share what all graphs name alike. A look-up
 * goes input by input, and on in the next step where there are many; once all have been looked up, only those with news are.
 */
export class Lookup {
  readonly #edge: LookedUpEdge;
  readonly #store: KeyStore;
  readonly searches: readonly Search[];
  /** Imported caches that could not be read when it was looked up. */
  unreadable: ReadonlySet<string> = NONE_UNREADABLE;
  /** So many inputs, from the first on, were looked up; those of them that have news since, each once. */
  #looked = 0;
  #news: { readonly list: number[]; readonly all: Set<number> } | undefined;
  /** Keys whose names are yet to be made equal, from this input on. */
  #equating: { readonly target: string; next: number }[] | undefined;

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

  /** An input may have come up with something. */
  heard(input: number): void {
    if (input >= this.#looked) return;
    this.#news ??= { list: [], all: new Set() };
    if (this.#news.all.has(input)) return;
    this.#news.all.add(input);
    this.#news.list.push(input);
  }

  /** From now on all inputs may have come up with something of which nothing was heard. */
  restart(): void {
    this.#looked = 0;
    this.#news = undefined;
  }

  /** Everything is to be looked up again, since others may have stored more. */
  refresh(): void {
    for (const search of this.searches) search.reset();
    this.restart();
  }

  /** Its result is there. What the own store was asked on the way is forgotten, which asks nothing of those who are to know how a result of another cache was reached. */
  settle(): void {
    this.own.reset();
    this.#equating = undefined;
    this.restart();
  }

  /** A step of looking up what inputs have newly come up with, of each of which `looked` is told. Returns whether the edge has new keys, and whether that is all. */
  update(looked: (input: number) => void): { readonly found: boolean; readonly over: boolean } {
    const before = this.#candidates;
    let left = MOST_ASKED;
    if (this.#edge.vertex.inputs.length === 0) for (const search of this.searches) search.updateRoot();
    for (let input = this.#next(); input !== undefined; input = left > 0 ? this.#next() : undefined) {
      left--;
      const at = input;
      left -= this.own.look(at);
      for (let place = 1; place < this.searches.length; place++)
        left -= this.reading(place, () => this.searches[place]!.look(at));
      looked(input);
    }
    const found = this.#candidates > before;
    if (found) this.#equating = [...this.own.candidates].map((target) => ({ target, next: 0 }));
    return { found, over: left > 0 && this.#equate(left) };
  }

  get #candidates(): number {
    let count = 0;
    for (const { candidates } of this.searches) count += candidates.length;
    return count;
  }

  /** The input that is to be looked up next. */
  #next(): number | undefined {
    if (this.#looked < this.#edge.vertex.inputs.length) return this.#looked++;
    const input = this.#news?.list.pop();
    if (input === undefined) this.#news = undefined;
    else this.#news!.all.delete(input);
    return input;
  }

  /** Asks the cache at this place, and notes whether that fails. */
  reading<T>(place: number, ask: () => T): T {
    const cache = this.#edge.vertex.caches.imports[place - 1];
    if (cache === undefined) return ask();
    const before = cache.failures;
    const answer = ask();
    if (cache.failures > before) this.passedOver(cache.id);
    return answer;
  }

  /** What this cache has is not known, or not to be had. */
  passedOver(cache: string): void {
    this.unreadable = new Set([...this.unreadable, cache]);
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
   * the definition leads to may have been made of another content than the input has now, so content is never linked here. Returns whether that is all.
   */
  #equate(most: number): boolean {
    if (this.#equating === undefined) return true;
    const { inputs } = this.#edge.vertex;
    const links: (() => void)[] = [];
    let left = most;
    for (let at = this.#equating.at(-1); at !== undefined && left > 0; at = this.#equating.at(-1)) {
      for (; at.next < inputs.length && left > 0; at.next++, left--) this.#equal(at.next, at.target, links);
      if (at.next === inputs.length) this.#equating.pop();
    }
    if (links.length > 0) this.#store.together(() => links.forEach((link) => void link()));
    if (this.#equating.length > 0) return false;
    this.#equating = undefined;
    return true;
  }

  #equal(i: number, target: string, links: (() => void)[]): void {
    const { vertex, record } = this.#edge;
    const { names, held } = vertex.inputs[i]!;
    const content = held === undefined ? undefined : vertex.content(i);
    if (names.length < 2 && content === undefined) return;
    const ways = this.own.ways(i, target);
    if (!names.some((id) => ways.includes(id)) && (content === undefined || !ways.includes(content))) return;
    for (const id of names) {
      if (ways.includes(id)) continue;
      links.push(() => {
        this.#store.addLink(id, { input: i, record, selector: vertex.selector(i) }, target, vertex.scope.write);
        this.own.linked(i, id, target);
      });
    }
  }
}
