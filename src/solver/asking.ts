import { grown, type LargeMap } from '../base/index.ts';
import { Level } from './level.ts';
import type { CacheMap } from './ports.ts';

/** What is to be known of the edge that asks. */
interface AskingEdge<I> {
  readonly inputs: readonly I[];
  readonly vertex: {
    readonly maps: readonly CacheMap[];
    readonly contentInputs: readonly number[];
    content(input: number): string | undefined;
  };
  /** As names of large maps are. */
  nameOf(input: I): string;
  readonly lookup: { heard(input: number): void; restart(): void; onlyContentLeads(input: number): boolean };
}

/** Inputs that are asked, or let go of, in one step. */
const MOST_INPUTS = 250;
/** Inputs of which a list is as quick as a map. */
const FEW = 8;

/**
 * What an edge asks of its inputs, and how far it has got with that. A look at the edge takes up where the one before ended: it costs what has changed since, however
 * many inputs there are, and one that takes longer than a step is gone on with in the next.
 */
export class Asking<I extends { readonly level: Level }> {
  readonly #edge: AskingEdge<I>;
  /** What is asked of all of them, and of how many from the first on that was done. */
  #level: Level = Level.none;
  #asked = 0;
  /** So many from the first on were as far. */
  #ready = 0;
  /** So many from the first on may still be asked for anything. */
  #held = 0;
  /** Nothing is wanted of them any more. */
  #isOver = false;
  /** Where an input stands, of an edge that has many. */
  #places: Map<I, number[]> | LargeMap<I, number[]> | undefined;
  #placed = 0;
  /** Inputs whose content is wanted and not there yet; those of them about which something is to be done now. */
  #due: Set<number> | undefined;
  #fresh: Set<number> | undefined;
  /** All contents are wanted, of inputs up to this place among those whose content decides. */
  #wanted = 0;

  constructor(edge: AskingEdge<I>) {
    this.#edge = edge;
  }

  /** A step of asking all inputs for `level`. Returns whether all have got there; `over` whether all have been asked. */
  step(level: Level, ask: (input: I) => void): { readonly ready: boolean; readonly over: boolean } {
    const { inputs } = this.#edge;
    this.#isOver = false;
    if (level < this.#level) return { ready: true, over: true };
    if (level > this.#level) {
      this.#level = level;
      this.#asked = this.#ready = 0;
    }
    const most = Math.min(inputs.length, this.#asked + MOST_INPUTS);
    for (; this.#asked < most; this.#asked++) {
      this.#place(this.#asked);
      this.#held = Math.max(this.#held, this.#asked + 1);
      ask(inputs[this.#asked]!);
    }
    if (this.#asked < inputs.length) return { ready: false, over: false };
    while (this.#ready < inputs.length && inputs[this.#ready]!.level >= level) this.#ready++;
    return { ready: this.#ready === inputs.length, over: true };
  }

  /** An input that was there may be no more. */
  recheck(): void {
    this.#ready = 0;
  }

  /** An input has failed what was asked of it. */
  refused(): void {
    this.#level = Level.none;
    this.#edge.lookup.restart();
  }

  /** Nothing more is wanted of any input: {@link withdraw} takes back what was asked. */
  end(): void {
    this.#isOver = true;
    this.#level = Level.none;
    this.#due = this.#fresh = undefined;
    this.#wanted = 0;
    this.#edge.lookup.restart();
  }

  /** Whether {@link withdraw} has anything to do. */
  get isHolding(): boolean {
    return this.#isOver && this.#held > 0;
  }

  /** A step of taking back what is wanted no more. Returns whether that is all. */
  withdraw(withdraw: (input: I) => void): boolean {
    if (!this.#isOver) return true;
    const least = Math.max(0, this.#held - MOST_INPUTS);
    while (this.#held > least) withdraw(this.#edge.inputs[--this.#held]!);
    return this.#held === 0;
  }

  #place(at: number): void {
    const { inputs } = this.#edge;
    if (at < this.#placed || inputs.length <= FEW) return;
    this.#placed = at + 1;
    this.#places = grown(this.#places ?? new Map<I, number[]>(), (input) => this.#edge.nameOf(input));
    const places = this.#places.get(inputs[at]!);
    if (places === undefined) this.#places.set(inputs[at]!, [at]);
    else places.push(at);
  }

  /** An input that was asked may have come up with something. */
  heard(input: I): void {
    const { inputs } = this.#edge;
    if (inputs.length > FEW) for (const at of this.#places?.get(input) ?? []) this.heardAt(at);
    else for (let at = 0; at < inputs.length; at++) if (inputs[at] === input) this.heardAt(at);
  }

  /** So has the one that stands there, or its content. */
  heardAt(at: number): void {
    this.#edge.lookup.heard(at);
    if (this.#due?.has(at) || (this.#wanted > 0 && this.#hasContent(at))) this.#wantContent(at);
  }

  /** What was looked up of an input says whether nothing but its content can lead on. */
  looked(at: number): void {
    const { vertex, lookup } = this.#edge;
    if (this.#wanted > 0 || !this.#hasContent(at)) return;
    if (vertex.content(at) === undefined && lookup.onlyContentLeads(at)) this.#wantContent(at);
    else {
      this.#due?.delete(at);
      this.#fresh?.delete(at);
    }
  }

  #hasContent(at: number): boolean {
    return this.#edge.vertex.maps[0]?.inputs[at]?.contentDigest !== undefined;
  }

  #wantContent(input: number): void {
    this.#due ??= new Set();
    this.#due.add(input);
    this.#fresh ??= new Set();
    this.#fresh.add(input);
  }

  /** A step of wanting all contents. Returns whether that is all. */
  wantContents(): boolean {
    const { vertex } = this.#edge;
    const { contentInputs } = vertex;
    const most = Math.min(contentInputs.length, this.#wanted + MOST_INPUTS);
    for (; this.#wanted < most; this.#wanted++) {
      const input = contentInputs[this.#wanted]!;
      if (vertex.content(input) === undefined && this.#due?.has(input) !== true) this.#wantContent(input);
    }
    return this.#wanted === contentInputs.length;
  }

  /** A step of having contents that are wanted. Returns whether all are there; `over` whether more is to be done now. */
  contents(have: (input: number) => void): { readonly ready: boolean; readonly over: boolean } {
    let left = MOST_INPUTS;
    for (const input of this.#fresh ?? []) {
      if (left-- === 0) return { ready: false, over: false };
      this.#fresh!.delete(input);
      if (this.#edge.vertex.content(input) === undefined) have(input);
      else this.#due!.delete(input);
    }
    this.#fresh = undefined;
    return { ready: (this.#due?.size ?? 0) === 0, over: true };
  }
}
