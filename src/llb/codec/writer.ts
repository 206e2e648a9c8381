const utf8 = new TextEncoder();

/** Protobuf wire bytes, growing as they are written (protobuf encoding specification). */
export class WireWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;

  /** Begins with room for so many. */
  constructor(bytes = 256) {
    this.#bytes = new Uint8Array(bytes);
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at);
  }

  tag(field: number, wireType: number): void {
    this.varint(field * 8 + wireType);
  }

  /** A number or bigint as a 64-bit varint; negative ones in two's complement. */
  varint(value: number | bigint): void {
    this.#reserve(10);
    if (typeof value === 'number' && value >= 0) {
      let rest = value;
      while (rest > 0x7f) {
        this.#bytes[this.#at++] = (rest % 128) | 0x80;
        rest = Math.floor(rest / 128);
      }
      this.#bytes[this.#at++] = rest;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#at++] = Number(rest);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  string(text: string): void {
    this.bytes(utf8.encode(text));
  }

  /** What `write` writes, with its length before it. */
  delimited(write: () => void): void {
    const start = this.#at;
    write();
    const length = this.#at - start;
    let prefix = 1;
    for (let rest = length; rest > 0x7f; rest = Math.floor(rest / 128)) prefix++;
    this.#reserve(prefix);
    this.#bytes.copyWithin(start + prefix, start, this.#at);
    this.#at = start;
    this.varint(length);
    this.#at = start + prefix + length;
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + more));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}
