import { closeSync, openSync, readSync, unlinkSync } from 'node:fs';
import { type AbortOptions, CodedError, inSlices } from '../../../base/index.ts';
import { NotIndexable, TAR_START, writeAll } from '../../../oci/layers/index.ts';
import { encodeName, hasErrno } from '../../../sys/index.ts';

/** What a content begins at a multiple of. */
const ALIGN = 512;
/** Contents that fit share a write. */
const SHARED = 64 * 1024;
const ARENA = 1024 * 1024;
/** Addresses are 32-bit numbers of blocks, and the index needs some of them. */
const MAX_END = 2 ** 40;

/** Room for one content in the file. */
export interface ContentRoom {
  /** Bytes from the first content on. */
  at: number;
  size: number;
}

/**
 * The contents of an image, in the order in which they begin to arrive, each in a row, many small ones in one write. There is no file before the first is to be written.
 */
export class ImageContents implements Disposable {
  readonly #path: string;
  /** What was written last and is not in the file yet; zeros where nothing was. */
  readonly #arena = Buffer.alloc(ARENA);
  #arenaAt = 0;
  #arenaUsed = 0;
  #end = 0;
  #fd = -1;
  #isKept = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Bytes so far. */
  get end(): number {
    return this.#end;
  }

  /** Room for a content of so many bytes. @throws NotIndexable where no image has as much */
  room(size: number): ContentRoom {
    const bytes = Math.ceil(size / ALIGN) * ALIGN;
    if (this.#end + bytes > MAX_END) throw new NotIndexable('too large');
    const at = this.#end;
    this.#end += bytes;
    if (size <= SHARED) {
      if (this.#arenaUsed + bytes > ARENA || this.#arenaAt + this.#arenaUsed !== at) {
        this.#flush();
        this.#arenaAt = at;
      }
      this.#arenaUsed += bytes;
    }
    return { at, size: bytes };
  }

  write(at: number, data: Uint8Array): void {
    if (at >= this.#arenaAt && at + data.length <= this.#arenaAt + this.#arenaUsed)
      this.#arena.set(data, at - this.#arenaAt);
    else writeAll(this.#open(), data, TAR_START + at);
  }

  /** Room for more than was said, with what is there so far, in place where nothing lies behind it. */
  async grow(room: ContentRoom, used: number, needed: number, options: AbortOptions): Promise<void> {
    // What is written from here on is not in what waits to be written.
    this.#flush();
    const more = this.room(Math.max(needed, 2 * room.size, SHARED + 1));
    if (room.at + room.size === more.at) {
      room.size += more.size;
      return;
    }
    await inSlices(this.#moving(room.at, more.at, used), options);
    room.at = more.at;
    room.size = more.size;
  }

  /** Writes what is left; `finish` the rest of the file, which stays from then on. */
  async finish(finish: (fd: number) => Promise<void>): Promise<void> {
    this.#flush();
    await finish(this.#open());
    this.#isKept = true;
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
    if (this.#isKept) return;
    try {
      unlinkSync(encodeName(this.#path));
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }

  #open(): number {
    if (this.#fd < 0) this.#fd = openSync(encodeName(this.#path), 'wx+', 0o600);
    return this.#fd;
  }

  #flush(): void {
    if (this.#arenaUsed === 0) return;
    const used = this.#arena.subarray(0, this.#arenaUsed);
    writeAll(this.#open(), used, TAR_START + this.#arenaAt);
    used.fill(0);
    this.#arenaUsed = 0;
  }

  *#moving(from: number, to: number, bytes: number): Generator<void, void, void> {
    const fd = this.#open();
    const piece = Buffer.allocUnsafe(Math.min(1 << 18, bytes));
    for (let done = 0; done < bytes; ) {
      const size = readSync(fd, piece, 0, Math.min(piece.length, bytes - done), TAR_START + from + done);
      if (size === 0) throw new CodedError('aborted', 'file transfer: what was written became shorter');
      writeAll(fd, piece.subarray(0, size), TAR_START + to + done);
      done += size;
      yield;
    }
  }
}
