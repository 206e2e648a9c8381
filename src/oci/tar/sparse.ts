import { CodedError } from '../../base/index.ts';
import { TAR_BLOCK } from './entry.ts';

/** Where a sparse file has content: pairs of offset and length, in order; all else are zeros. */
export type SparseMap = readonly number[];

/** What extended headers say of a sparse file (GNU tar manual, "Storing Sparse Files"). */
export interface SparseRecords {
  major?: number;
  minor?: number;
  /** The name, where `path` holds one for readers that know no sparse files. */
  name?: string;
  realSize?: number;
  /** Formats 0.0 and 0.1; in 1.0 the content begins with it. */
  map?: number[];
}

/** Pairs that a map may have, so that what an archive says of one file stays small. */
const MAX_PAIRS = 1 << 20;
/** Digits of a number in a map at the beginning of the content, with the newline. */
const MAX_LINE = 20;

interface SparseSink {
  data(chunk: Uint8Array): void;
  hole(size: number): void;
}

/** Adds pairs to a map that comes in parts. @throws CodedError invalid_argument when there are too many */
export function extendMap(map: number[], pairs: readonly number[]): void {
  if (map.length + pairs.length > 2 * MAX_PAIRS) throw damaged('its map is too long');
  for (const number of pairs) map.push(number);
}

/**
 * The stored content of one sparse file, taken apart into content and holes. With no map the stored content begins with it (format 1.0): lines of decimal
 * numbers, the number of pairs first, filled up to whole blocks.
 * @throws CodedError invalid_argument when map, stored size and real size do not fit
 */
export class SparseContent {
  readonly #sink: SparseSink;
  readonly #realSize: number;
  readonly #storedSize: number;
  #map: SparseMap | undefined;
  #numbers: number[] = [];
  #line = '';
  /** Bytes of the map at the beginning. */
  #head = 0;
  #pair = 0;
  /** Bytes of the current pair that were given. */
  #given = 0;
  #at = 0;

  constructor(sink: SparseSink, realSize: number, storedSize: number, map: SparseMap | undefined) {
    this.#sink = sink;
    this.#realSize = realSize;
    this.#storedSize = storedSize;
    if (map !== undefined) this.#accept(map);
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (this.#map === undefined && at < chunk.length) this.#takeMapByte(chunk[at++] as number);
    const map = this.#map;
    if (map === undefined) return;
    while (at < chunk.length) {
      const [offset, length] = [map[this.#pair], map[this.#pair + 1]];
      if (offset === undefined || length === undefined) throw damaged('it has more content than its map names');
      this.#skipTo(offset);
      const count = Math.min(length - this.#given, chunk.length - at);
      if (count > 0) this.#sink.data(at === 0 && count === chunk.length ? chunk : chunk.subarray(at, at + count));
      at += count;
      this.#given += count;
      this.#at += count;
      if (this.#given < length) return;
      this.#pair += 2;
      this.#given = 0;
    }
  }

  /** All stored content came: what follows it is a hole. */
  end(): void {
    if (this.#map === undefined) throw damaged('its map is cut off');
    this.#skipTo(this.#realSize);
  }

  #skipTo(offset: number): void {
    // Within a pair content has begun already.
    if (this.#given > 0 || offset <= this.#at) return;
    this.#sink.hole(offset - this.#at);
    this.#at = offset;
  }

  #takeMapByte(byte: number): void {
    this.#head++;
    const wanted = this.#numbers[0];
    if (wanted === undefined || this.#numbers.length <= 2 * wanted) {
      if (byte === 0x0a) this.#takeNumber();
      else this.#line += String.fromCharCode(byte);
      if (this.#line.length > MAX_LINE) throw damaged('its map holds what is no number');
    }
    const count = this.#numbers[0];
    if (count === undefined || this.#numbers.length <= 2 * count || this.#head % TAR_BLOCK !== 0) return;
    this.#accept(this.#numbers.slice(1));
  }

  #takeNumber(): void {
    const value = /^\d+$/.test(this.#line) ? Number(this.#line) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw damaged('its map holds what is no number');
    if (this.#numbers.length === 0 && value > MAX_PAIRS) throw damaged('its map is too long');
    this.#numbers.push(value);
    this.#line = '';
  }

  #accept(map: SparseMap): void {
    let end = 0;
    let stored = 0;
    for (let n = 0; n < map.length; n += 2) {
      const [offset, length] = [map[n], map[n + 1]] as [number, number];
      if (length === undefined || offset < end || offset + length > this.#realSize)
        throw damaged('its map does not fit its size');
      end = offset + length;
      stored += length;
    }
    if (stored !== this.#storedSize - this.#head) throw damaged('its map does not fit its content');
    this.#map = map;
  }
}

function damaged(why: string): Error {
  return CodedError.of('TAR_MALFORMED', `malformed tar archive: a sparse file: ${why}`);
}
