/** So much is joined at one go. */
const JOINED_BYTES = 1 << 20;

/**
 * Bytes of which it is known how many they will be, as they come in pieces: one piece is a view of it, few are joined in the end, and of many each goes to its place as
 * it comes. Who announces much has to send some of it first, and what has not come of it takes no memory yet: nothing is written there.
 */
export class Gathered {
  readonly #length: number;
  readonly #parts: Uint8Array[] = [];
  /** In place of the parts, once joining them would take long. */
  #whole: Buffer | undefined;
  #has = 0;

  constructor(length: number) {
    this.#length = length;
  }

  get has(): number {
    return this.#has;
  }

  get missing(): number {
    return this.#length - this.#has;
  }

  /** Takes what it needs of a chunk from `at` on; returns where the rest of it begins. */
  take(chunk: Uint8Array, at: number): number {
    const part = chunk.subarray(at, at + this.missing);
    if (part.length > 0) this.#add(part);
    return at + part.length;
  }

  #add(part: Uint8Array): void {
    if (this.#whole === undefined) this.#parts.push(part);
    else this.#whole.set(part, this.#has);
    this.#has += part.length;
    if (this.#whole !== undefined || this.#has < JOINED_BYTES || this.missing === 0) return;
    this.#whole = Buffer.allocUnsafeSlow(this.#length);
    let at = 0;
    for (const one of this.#parts.splice(0)) {
      this.#whole.set(one, at);
      at += one.length;
    }
  }

  /** All of them, once none is missing. */
  get bytes(): Uint8Array {
    const [first, ...others] = this.#parts;
    return this.#whole ?? (first && others.length === 0 ? first : Buffer.concat(this.#parts, this.#has));
  }
}
