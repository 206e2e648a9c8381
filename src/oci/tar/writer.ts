import { readSync } from 'node:fs';
import { assertInvariant, CodedError } from '../../base/index.ts';
import { TAR_BLOCK, type TarEntry, tarPadding } from './entry.ts';
import { renderTarHeader } from './header.ts';

/** Bytes of a full chunk. */
const CHUNK = 1 << 20;
/** Chunks that are kept until they are used again. */
const IDLE_CHUNKS = 8;

/** Memory of full chunks. Whoever has finished with one may give it back: new memory for each would cost as much as reading into it. */
export class ChunkMemory {
  readonly #idle: Buffer[] = [];

  take(): Buffer {
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
  }

  giveBack(chunk: Uint8Array): void {
    if (chunk.length === CHUNK && this.#idle.length < IDLE_CHUNKS) this.#idle.push(chunk as Buffer);
  }
}

/**
 * Writes an archive synchronously into large chunks, for workers. Finished chunks wait in a queue: a caller {@link take}s them whenever
 * {@link ready} (usually after each entry and each {@link readFrom}). The bytes depend on the calls alone.
 */
export class TarWriter {
  readonly #memory: ChunkMemory;
  #buffer: Buffer;
  #used = 0;
  #full: Buffer[] = [];
  /** Content bytes that the open entry still lacks. */
  #missing = 0;
  #size = 0;
  #name = '';

  constructor(memory = new ChunkMemory()) {
    this.#memory = memory;
    this.#buffer = memory.take();
  }

  /** Whether a chunk can be taken. */
  get ready(): boolean {
    return this.#full.length > 0;
  }

  /** The next full chunk; it belongs to the caller. */
  take(): Buffer | undefined {
    return this.#full.shift();
  }

  /** Starts an entry; a file's content follows by {@link write} or {@link readFrom}. */
  header(entry: TarEntry): void {
    assertInvariant(this.#missing === 0, `content of ${this.#name} is incomplete`);
    const size = entry.type === 'file' ? entry.size : 0;
    const { block, length } = renderTarHeader(size === entry.size ? entry : { ...entry, size });
    if (length <= CHUNK - this.#used) {
      block.copy(this.#buffer, this.#used, 0, length);
      this.#used += length;
      if (this.#used === CHUNK) this.#flip();
    } else this.#append(block.subarray(0, length));
    this.#missing = size;
    this.#size = size;
    this.#name = entry.name;
  }

  /** Content of the open entry. */
  write(data: Uint8Array): void {
    assertInvariant(data.length <= this.#missing, `more content than announced for ${this.#name}`);
    this.#append(data);
    this.#missing -= data.length;
    if (this.#missing === 0) this.#pad(tarPadding(this.#size));
  }

  /**
   * Reads content of the open entry from a file descriptor, at most up to the end of the current chunk; true when the entry is complete.
   * Call it again after draining. @throws CodedError aborted when the file is shorter than announced
   */
  readFrom(fd: number): boolean {
    while (this.#missing > 0) {
      const room = CHUNK - this.#used;
      const wanted = Math.min(room, this.#missing);
      const got = readSync(fd, this.#buffer, this.#used, wanted, null);
      if (got === 0)
        throw CodedError.of('TAR_FILE_SHRANK', `file ${JSON.stringify(this.#name)} shrank while it was read`);
      this.#used += got;
      this.#missing -= got;
      const chunkFull = this.#used === CHUNK;
      if (chunkFull) this.#flip();
      if (this.#missing === 0) this.#pad(tarPadding(this.#size));
      else if (chunkFull) return false;
    }
    return true;
  }

  /** Ends the archive (two zero blocks); afterwards all chunks can be taken. */
  finish(): void {
    assertInvariant(this.#missing === 0, `content of ${this.#name} is incomplete`);
    this.#pad(2 * TAR_BLOCK);
    if (this.#used > 0) {
      this.#full.push(this.#buffer.subarray(0, this.#used));
      this.#used = 0;
    }
  }

  #append(data: Uint8Array): void {
    let at = 0;
    while (at < data.length) {
      const count = Math.min(CHUNK - this.#used, data.length - at);
      this.#buffer.set(count === data.length ? data : data.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
      if (this.#used === CHUNK) this.#flip();
    }
  }

  #pad(count: number): void {
    let left = count;
    while (left > 0) {
      const part = Math.min(CHUNK - this.#used, left);
      this.#buffer.fill(0, this.#used, this.#used + part);
      this.#used += part;
      left -= part;
      if (this.#used === CHUNK) this.#flip();
    }
  }

  #flip(): void {
    this.#full.push(this.#buffer);
    this.#buffer = this.#memory.take();
    this.#used = 0;
  }
}
