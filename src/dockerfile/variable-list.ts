/** `NAME=value` entries in the order in which images carry them. What a base image says twice stays so; the first counts. */
export class VariableList implements Iterable<string> {
  readonly #entries: string[] = [];
  readonly #places = new Map<string, number>();

  constructor(entries: Iterable<string> = []) {
    for (const entry of entries) this.#add(entry);
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }

  /** Sets a variable where it stands, or at the end. */
  set(name: string, value: string): void {
    const entry = `${name}=${value}`;
    const at = this.#places.get(name);
    if (at === undefined) this.#add(entry, name);
    else this.#entries[at] = entry;
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#entries.values();
  }

  #add(entry: string, name = entry.split('=', 1)[0]!): void {
    if (!this.#places.has(name)) this.#places.set(name, this.#entries.length);
    this.#entries.push(entry);
  }
}
