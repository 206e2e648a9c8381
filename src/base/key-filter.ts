import { type Digest, digestHex, digestOf } from './digest.ts';

/** Bytes of a mark. */
export const MARK_BYTES = 8;
/** What a filter takes at most, beside its head. */
const MOST_BYTES = 256 << 10;
const LEAST_BYTES = 1 << 10;
const BITS_PER_MARK = 10;
const MOST_HASHES = 6;

/** The part of a mark that a scope has in it: marks of other scopes say nothing of its own. */
export function scopeMark(scope: string): Uint8Array {
  return firstBytes(digestOf(`scope ${scope}`));
}

/** A key in a scope, in {@link MARK_BYTES} bytes; undefined for one whose id is no digest. */
export function keyMark(key: string, scope: Uint8Array): Uint8Array | undefined {
  if (!/^sha256:[0-9a-f]{64}$/.test(key)) return undefined;
  const mark = firstBytes(key as Digest);
  for (let at = 0; at < MARK_BYTES; at++) mark[at]! ^= scope[at] as number;
  return mark;
}

function firstBytes(digest: Digest): Uint8Array {
  return new Uint8Array(Buffer.from(digestHex(digest).slice(0, 2 * MARK_BYTES), 'hex'));
}

/** The marks of a sketch one by one. */
export function* marksOf(sketch: Uint8Array): Generator<Uint8Array, void> {
  for (let at = 0; at + MARK_BYTES <= sketch.length; at += MARK_BYTES) yield sketch.subarray(at, at + MARK_BYTES);
}

/**
 * Which marks a builder has: a Bloom filter of 1 to 256 KiB, of ten bits a mark as far as there is room. A mark that was entered is always found; one that was not is found by chance, which
 * {@link share} takes into account. Its bytes are one for the number of hashes, and its bits: equal sets of marks make equal filters.
 */
export class KeyFilter {
  readonly bytes: Uint8Array;
  readonly #mask: number;
  #set = 0;

  /** For so many marks. */
  static for(count: number): KeyFilter {
    let size = LEAST_BYTES;
    while (size < MOST_BYTES && size * 8 < count * BITS_PER_MARK) size *= 2;
    const bytes = new Uint8Array(1 + size);
    const hashes = Math.round((Math.LN2 * size * 8) / Math.max(1, count));
    bytes[0] = Math.max(1, Math.min(MOST_HASHES, hashes));
    return new KeyFilter(bytes);
  }

  /** As it came from elsewhere; undefined for what is none. */
  static read(bytes: Uint8Array): KeyFilter | undefined {
    const size = bytes.length - 1;
    const [hashes = 0] = bytes;
    if (size < LEAST_BYTES || size > MOST_BYTES || (size & (size - 1)) !== 0) return undefined;
    return hashes < 1 || hashes > MOST_HASHES ? undefined : new KeyFilter(bytes);
  }

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#mask = (bytes.length - 1) * 8 - 1;
    for (let at = 1; at < bytes.length; at++) for (let bits = bytes[at]!; bits !== 0; bits &= bits - 1) this.#set++;
  }

  /** @returns whether it was not found before */
  add(mark: Uint8Array): boolean {
    const before = this.#set;
    for (const bit of this.#bits(mark)) {
      const at = 1 + (bit >>> 3);
      const one = 1 << (bit & 7);
      if ((this.bytes[at]! & one) !== 0) continue;
      this.bytes[at]! |= one;
      this.#set++;
    }
    return this.#set > before;
  }

  has(mark: Uint8Array): boolean {
    for (const bit of this.#bits(mark)) if ((this.bytes[1 + (bit >>> 3)]! & (1 << (bit & 7))) === 0) return false;
    return true;
  }

  /** About which part of the marks of a sketch it has, 0 to 1. */
  share(sketch: Uint8Array): number {
    let found = 0;
    let all = 0;
    for (const mark of marksOf(sketch)) {
      all++;
      if (this.has(mark)) found++;
    }
    const byChance = (this.#set / (this.#mask + 1)) ** (this.bytes[0] as number);
    if (all === 0 || byChance >= 1) return 0;
    return Math.max(0, (found / all - byChance) / (1 - byChance));
  }

  *#bits(mark: Uint8Array): Generator<number, void> {
    const view = new DataView(mark.buffer, mark.byteOffset, MARK_BYTES);
    const step = view.getUint32(4) | 1;
    for (let n = 0, bit = view.getUint32(0); n < (this.bytes[0] as number); n++, bit += step)
      yield (bit & this.#mask) >>> 0;
  }
}
