import type { Field, Schema } from './schema.ts';

/**
 * Whether bytes that decode are canonical: what would be written again of what is read of them. A scan that makes nothing, for what nearly all clients send; where
 * it is not certain it says no. Yields after each portion of many fields.
 */
export function* isCanonical(schema: Schema, bytes: Uint8Array): Generator<void, boolean, void> {
  const scan = new Scan(bytes);
  const fields = new Fields(schema);
  for (let n = 1; scan.left > 0; n++) {
    if (!scan.field(fields)) return false;
    if (n % PORTION === 0) yield;
  }
  return scan.left === 0;
}

/** Fields that are looked at in one step. */
const PORTION = 500;

/** How far the fields of a message have been looked at. */
class Fields {
  readonly schema: Schema;
  last: Field | undefined;
  place = -1;
  /** Where the key of the map entry before lies. */
  keyAt = 0;
  keyEnd = 0;

  constructor(schema: Schema) {
    this.schema = schema;
  }
}

class Scan {
  readonly #bytes: Uint8Array;
  #at = 0;
  /** Of the varint that was read last. */
  #length = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #message(schema: Schema, end: number): boolean {
    const fields = new Fields(schema);
    while (this.#at < end) if (!this.field(fields)) return false;
    return this.#at === end;
  }

  /** Fields in the schema's order, each once unless it is a list or map, none at its default, none unknown. */
  field(fields: Fields): boolean {
    const { schema, last, place } = fields;
    const tag = this.#varint();
    const field = tag > 0x7fffffff ? undefined : schema.byNumber.get(tag >>> 3);
    if (field === undefined) return false;
    const again = field === last;
    const at = again ? place : schema.fields.indexOf(field);
    if (at < place) return false;
    if (field.group !== undefined && last?.group === field.group) return false;
    fields.last = field;
    fields.place = at;
    const { type, cardinality } = field;
    const isDelimited = typeof type === 'function' || type === 'string' || type === 'bytes';
    const isPacked = cardinality === 'many' && !isDelimited;
    if (again && cardinality !== 'map' && (cardinality !== 'many' || isPacked)) return false;
    if ((tag & 7) !== (isDelimited || isPacked || cardinality === 'map' ? 2 : 0)) return false;
    if (cardinality === 'map') return this.#entry(fields, type, isDelimited, again);
    if (!isPacked) return this.#value(type, cardinality !== 'one');
    const stop = this.#end();
    if (stop <= this.#at) return false;
    while (this.#at < stop) if (!this.#value(type, true)) return false;
    return true;
  }

  #entry(fields: Fields, type: Field['type'], isDelimited: boolean, again: boolean): boolean {
    const entry = this.#end();
    if (entry < 0 || this.#varint() !== 0x0a) return false;
    const stop = this.#end();
    if (stop < 0 || (again && !this.#isAfter(fields.keyAt, fields.keyEnd, stop))) return false;
    fields.keyAt = this.#at;
    fields.keyEnd = stop;
    this.#at = stop;
    if (this.#at >= entry || this.#varint() !== 16 + (isDelimited ? 2 : 0) || !this.#value(type, true)) return false;
    return this.#at === entry;
  }

  #value(type: Field['type'], mayBeZero: boolean): boolean {
    if (typeof type === 'function') {
      const end = this.#end();
      return end >= 0 && this.#message(type(), end);
    }
    if (type === 'string' || type === 'bytes') {
      const end = this.#end();
      if (end < 0 || (end === this.#at && !mayBeZero)) return false;
      this.#at = end;
      return true;
    }
    const value = this.#varint();
    if (value < 0 || (value === 0 && !mayBeZero)) return false;
    if (type === 'bool') return value <= 1;
    if (type === 'uint32') return value <= 0xffffffff;
    // Negative ones are ten bytes long.
    if (type === 'int32') return value < 0x80000000 || (this.#length === 10 && this.#isSmallNegative());
    return true;
  }

  /** Where what is delimited here ends; -1 when that cannot be. */
  #end(): number {
    const length = this.#varint();
    return length < 0 || length > this.#bytes.length - this.#at ? -1 : this.#at + length;
  }

  /** Roughly, where it is large; -1 for one that is longer than it must be. */
  #varint(): number {
    const start = this.#at;
    let value = 0;
    let scale = 1;
    for (let byte = 0x80; byte >= 0x80; scale *= 128) {
      if (this.#at - start === 10) return -1;
      byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * scale;
    }
    this.#length = this.#at - start;
    const top = this.#bytes[this.#at - 1] ?? 0;
    return (this.#length > 1 && top === 0) || (this.#length === 10 && top > 1) ? -1 : value;
  }

  /** Whether all bits above the lower 31 are set in the ten bytes that were read. */
  #isSmallNegative(): boolean {
    const at = this.#at - 10;
    for (let n = 5; n < 9; n++) if (this.#bytes[at + n] !== 0xff) return false;
    return (this.#bytes[at + 4]! & 0x78) === 0x78;
  }

  /** Whether the key from here on sorts after the one before. */
  #isAfter(keyAt: number, keyEnd: number, end: number): boolean {
    const length = Math.min(keyEnd - keyAt, end - this.#at);
    for (let n = 0; n < length; n++) {
      const difference = this.#bytes[this.#at + n]! - this.#bytes[keyAt + n]!;
      if (difference !== 0) return difference > 0;
    }
    return end - this.#at > keyEnd - keyAt;
  }
}
