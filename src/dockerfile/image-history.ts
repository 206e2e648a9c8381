export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/**
 * What was done to make an image. Entries are only ever added, so a copy shares those that were there: of thousands of stages on one another each takes no more than its
 * own.
 */
export class ImageHistory implements Iterable<HistoryEntry> {
  readonly #own: HistoryEntry[];
  /** Those of the one that it was copied from come first, as many as it had. */
  readonly #base: { readonly history: ImageHistory; readonly own: number } | undefined;
  readonly #before: number;

  constructor(entries: Iterable<HistoryEntry> | ImageHistory = []) {
    const base = entries instanceof ImageHistory ? entries : undefined;
    this.#base = base === undefined ? undefined : { history: base, own: base.#own.length };
    this.#before = base?.length ?? 0;
    this.#own = base === undefined ? [...entries] : [];
  }

  get length(): number {
    return this.#before + this.#own.length;
  }

  push(entry: HistoryEntry): void {
    this.#own.push(entry);
  }

  *[Symbol.iterator](): Iterator<HistoryEntry> {
    const parts: HistoryEntry[][] = [this.#own];
    for (let base = this.#base; base !== undefined; base = base.history.#base)
      parts.push(base.history.#own.slice(0, base.own));
    for (const part of parts.reverse()) yield* part;
  }
}
