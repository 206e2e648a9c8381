import { createHash } from 'node:crypto';

/** Bytes of a chunk: none but the last is smaller, none larger, and most are about as large as the middle one. */
export const CHUNK_BYTES = { least: 1 << 20, usual: 4 << 20, most: 8 << 20 } as const;

/**
 * A cut is where the top bits of the rolling hash are all zero: many of them up to the usual size, few beyond, so that sizes gather around it (normalized chunking, FastCDC, USENIX ATC 2016). The top
 * bits depend on the last 32 bytes, the lower ones on fewer.
 */
const STRICT = topBits(24);
const LOOSE = topBits(20);

/** A random number a byte, the same for ever: other ones would cut all that was ever stored anew. */
const GEAR = gear();

function topBits(count: number): number {
  return ~((1 << (32 - count)) - 1);
}

function gear(): Int32Array {
  const table = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++)
    table[byte] = createHash('sha256').update(`slipway chunk ${byte}`).digest().readInt32LE(0);
  return table;
}

/** Bytes of the first chunk of what begins here. `bytes` is all that is left, or at least as much as the largest chunk. */
function chunkEnd(bytes: Uint8Array): number {
  const { least, usual, most } = CHUNK_BYTES;
  if (bytes.length <= least) return bytes.length;
  const end = Math.min(bytes.length, most);
  const middle = Math.min(end, usual);
  let hash = 0;
  let at = least;
  for (; at < middle; at++) {
    hash = ((hash << 1) + (GEAR[bytes[at] as number] as number)) | 0;
    if ((hash & STRICT) === 0) return at + 1;
  }
  for (; at < end; at++) {
    hash = ((hash << 1) + (GEAR[bytes[at] as number] as number)) | 0;
    if ((hash & LOOSE) === 0) return at + 1;
  }
  return end;
}

/**
 * Cuts a stream by its content: a change of some bytes changes the chunks that have them, and as a rule no others. Where the cuts are depends on the bytes alone, not on how they come.
 */
export class ChunkCutter {
  readonly #window = Buffer.allocUnsafeSlow(2 * CHUNK_BYTES.most);
  #from = 0;
  #to = 0;

  /** Chunks that are whole now; each is lent until the next is asked for. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    for (let taken = 0; taken < bytes.length; ) {
      const part = bytes.subarray(taken, taken + this.#window.length - this.#to);
      this.#window.set(part, this.#to);
      this.#to += part.length;
      taken += part.length;
      while (this.#to - this.#from >= CHUNK_BYTES.most) yield this.#cut();
      if (this.#from === 0) continue;
      this.#window.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
  }

  /** What is left, when nothing more comes. */
  *finish(): Generator<Uint8Array> {
    while (this.#to > this.#from) yield this.#cut();
  }

  #cut(): Uint8Array {
    const left = this.#window.subarray(this.#from, this.#to);
    const size = chunkEnd(left);
    this.#from += size;
    return left.subarray(0, size);
  }
}
