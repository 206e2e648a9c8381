import type { Descriptor, Digest } from '../../../base/index.ts';

export interface CachedBytes {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** What an entry takes beside its content. */
const OVERHEAD = 1024;

/** Small blobs by where they are from and digest, least recently used first out. */
export class ByteCache {
  readonly #entries = new Map<string, CachedBytes>();
  readonly #limit: number;
  #size = 0;

  /** `limit`: bytes kept. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  find(from: string, digest: string): CachedBytes | undefined {
    const key = `${from}\0${digest}`;
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    }
    return entry;
  }

  add(from: string, digest: Digest, entry: CachedBytes): void {
    const key = `${from}\0${digest}`;
    const old = this.#entries.get(key);
    if (old !== undefined) this.#size -= sizeOf(old);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#size += sizeOf(entry);
    for (const [oldest, gone] of this.#entries) {
      if (this.#size <= this.#limit) break;
      this.#entries.delete(oldest);
      this.#size -= sizeOf(gone);
    }
  }
}

function sizeOf({ bytes }: CachedBytes): number {
  return bytes.length + OVERHEAD;
}
