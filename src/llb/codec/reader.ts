import { CodedError } from '../../base/index.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function malformed(why: string): Error {
  return CodedError.of('MALFORMED_MESSAGE', `malformed protobuf message: ${why}`);
}

/** Reads protobuf wire bytes; every length is checked against what is there. Byte fields are views of the input. */
export class WireReader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  /** An unsigned 64-bit varint: a number where that is exact. */
  varint(): number | bigint {
    let low = 0;
    let scale = 1;
    const start = this.at;
    for (let i = 0; i < 7; i++) {
      const byte = this.#byte();
      low += (byte & 0x7f) * scale;
      if (byte < 0x80) return low;
      scale *= 128;
    }
    let value = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return narrow(BigInt.asUintN(64, value));
    }
    throw malformed(`varint at byte ${start} is longer than 10 bytes`);
  }

  int64(): number | bigint {
    const value = this.varint();
    return typeof value === 'number' ? value : narrow(BigInt.asIntN(64, value));
  }

  int32(): number {
    const value = this.varint();
    return typeof value === 'number' && value < 0x80000000 ? value : Number(BigInt.asIntN(32, BigInt(value)));
  }

  uint32(): number {
    const value = this.varint();
    return typeof value === 'number' && value <= 0xffffffff ? value : Number(BigInt.asUintN(32, BigInt(value)));
  }

  delimited(): Uint8Array {
    const length = this.varint();
    if (typeof length !== 'number' || length > this.bytes.length - this.at)
      throw malformed(`field of ${length} bytes where ${this.bytes.length - this.at} are left`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  string(): string {
    const bytes = this.delimited();
    try {
      return utf8.decode(bytes);
    } catch {
      throw malformed('string field is not valid UTF-8');
    }
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 2) this.delimited();
    else if (wireType === 1) this.#advance(8);
    else if (wireType === 5) this.#advance(4);
    else throw malformed(`wire type ${wireType}`);
  }

  #advance(count: number): void {
    if (count > this.bytes.length - this.at) throw malformed('truncated');
    this.at += count;
  }

  #byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw malformed('truncated');
    return byte;
  }
}

function narrow(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
}
