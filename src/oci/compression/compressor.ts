import { once } from 'node:events';
import { crc32, createZstdCompress, deflateRawSync, type ZstdCompress, constants as zlib } from 'node:zlib';
import {
  type BlockDeflater,
  DEFLATE_BLOCK,
  DEFLATE_DICTIONARY,
  openBlockDeflater,
  zlibLevel,
} from './block-deflate.ts';

/** Level is that of the algorithm; without one, the engine's measured choice. */
export interface CompressionChoice {
  readonly type: 'gzip' | 'zstd' | 'uncompressed';
  readonly level?: number | undefined;
  /** Pins what gzip's blocks are made by; default: ISA-L where it is present. zlib, like zstd, comes with Node, so every builder has the same. */
  readonly implementation?: 'isal' | 'zlib' | undefined;
}

/** Compresses chunks into a sink, in order. For workers. The output depends on the bytes alone, not on chunk sizes, timing or threads. */
interface Compressor extends Disposable {
  /** Takes the chunk over, until `done` says that it is needed no more, if it ever does; wait for a promise before the next call. */
  write(chunk: Uint8Array, done?: () => void): Promise<void> | undefined;
  /** @returns what made the bytes: one of {@link compressorIds} */
  finish(): Promise<string>;
}

/** Gets compressed bytes, in order; nobody changes them afterwards. */
type Sink = (bytes: Uint8Array) => void;

const DEFAULT_ZSTD_LEVEL = 3;
/** Chunks that wait for the compressor. */
const ZSTD_AHEAD = 2;

/**
 * Content of up to so many bytes is compressed by zlib as a whole, unless a level is asked for: as small as BuildKit makes it. What is larger goes in blocks, some ten times as fast and a
 * tenth larger. Size alone decides, so equal content has equal bytes. Measured: 2,000 small files, 2 MB of tar, take 6 ms instead of 1, where reading them takes 25.
 */
export const WHOLE_GZIP = 4 << 20;
/**
 * Go's 6, which is BuildKit's, makes tars of small files up to half a percent smaller than zlib's 6; 7 is mostly smaller than either. 8 and 9 take seconds for a MiB of the wrong content.
 * The bytes are the same on every x86-64 processor, and on arm64.
 */
const WHOLE_LEVEL = 7;
/**
 * Where more than this part of a content is left, it is made once more without matches below six bytes, and the smaller of the two is taken. Go never takes matches of three bytes, which cost more than
 * they save in numbers, hexadecimal digits and the like: with them such tars are up to 4% larger than BuildKit's, and without them up to 6% smaller.
 */
const DENSE = 0.2;

/** While `isAlone` says so, gzip is made on the calling thread alone. */
export function openCompressor(choice: CompressionChoice, sink: Sink, isAlone = () => false): Compressor {
  switch (choice.type) {
    case 'gzip':
      return new GzipCompressor(choice, sink, isAlone);
    case 'zstd':
      return new ZstdCompressor(choice, sink);
    case 'uncompressed':
      return {
        write: (chunk, done) => {
          sink(chunk);
          done?.();
          return undefined;
        },
        finish: async () => 'uncompressed',
        [Symbol.dispose]: () => {},
      };
  }
}

/** Names of what makes the bytes, of which the content's size chooses one: equal content by a compressor of equal name is equal. */
export function compressorIds(choice: CompressionChoice): readonly string[] {
  switch (choice.type) {
    case 'gzip':
      return [...(choice.level === undefined ? [WHOLE_ID] : []), blocksId(choice)];
    case 'zstd':
      return [zstdId(choice)];
    case 'uncompressed':
      return ['uncompressed'];
  }
}

const WHOLE_ID = `gzip/zlib-${process.versions.zlib}-l${WHOLE_LEVEL}-filtered-to-${WHOLE_GZIP}`;

function blocksId(choice: CompressionChoice): string {
  return `gzip/${blockDeflater(choice).id}${choice.level === undefined ? `-from-${WHOLE_GZIP}` : ''}`;
}

function zstdId(choice: CompressionChoice): string {
  return `zstd/${process.versions.zstd ?? 'unknown'}-l${zstdLevel(choice)}`;
}

function blockDeflater(choice: CompressionChoice): BlockDeflater {
  return openBlockDeflater({ level: choice.level, use: choice.implementation });
}

function zstdLevel(choice: CompressionChoice): number {
  return Math.min(22, Math.max(1, choice.level ?? DEFAULT_ZSTD_LEVEL));
}

/** Magic, deflate, no flags, no time, unknown system (RFC 1952). */
const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);

/** An empty one with fixed codes. */
const FINAL_BLOCK = Uint8Array.of(3, 0);

/** Cuts chunks of any size into blocks of {@link DEFLATE_BLOCK} bytes, so that output never depends on the cuts of the input. */
class BlockCutter {
  #carry: Uint8Array[] = [];
  #carried = 0;

  *cut(chunk: Uint8Array): Generator<Uint8Array> {
    let at = 0;
    if (this.#carried > 0) {
      at = Math.min(DEFLATE_BLOCK - this.#carried, chunk.length);
      this.#keep(chunk.subarray(0, at));
      if (this.#carried === DEFLATE_BLOCK) yield* this.rest();
    }
    for (; chunk.length - at >= DEFLATE_BLOCK; at += DEFLATE_BLOCK) yield chunk.subarray(at, at + DEFLATE_BLOCK);
    if (at < chunk.length) this.#keep(chunk.subarray(at));
  }

  /** What is left at the end: one block or none. */
  *rest(): Generator<Uint8Array> {
    if (this.#carried === 0) return;
    const [first] = this.#carry;
    const block = this.#carry.length === 1 && first !== undefined ? first : Buffer.concat(this.#carry);
    this.#carry = [];
    this.#carried = 0;
    yield block;
  }

  get isEmpty(): boolean {
    return this.#carried === 0;
  }

  #keep(part: Uint8Array): void {
    this.#carry.push(part);
    this.#carried += part.length;
  }
}

/** The first bytes of a content, copied: chunks may be small parts of large buffers. */
class Head {
  #bytes = Buffer.allocUnsafeSlow(1 << 16);
  #length = 0;

  /** False, and nothing taken, when there would be more than {@link WHOLE_GZIP}. */
  take(chunk: Uint8Array): boolean {
    const length = this.#length + chunk.length;
    if (length > WHOLE_GZIP) return false;
    if (length > this.#bytes.length) {
      const room = Buffer.allocUnsafeSlow(Math.min(WHOLE_GZIP, Math.max(length, this.#bytes.length * 2)));
      room.set(this.bytes);
      this.#bytes = room;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
    return true;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

function deflateWhole(content: Uint8Array): Uint8Array {
  const matched = deflateRawSync(content, { level: WHOLE_LEVEL });
  if (matched.length < content.length * DENSE) return matched;
  const filtered = deflateRawSync(content, { level: WHOLE_LEVEL, strategy: zlib.Z_FILTERED });
  return filtered.length < matched.length ? filtered : matched;
}

/** Content as one gzip member, its parts in order; zlib's whatever its size. */
export function gzipMember(content: Uint8Array, level: number | undefined): readonly Uint8Array[] {
  const deflated = level === undefined ? deflateWhole(content) : deflateRawSync(content, { level: zlibLevel(level) });
  return [GZIP_HEADER, deflated, gzipTrailer(crc32(content), content.length)];
}

function gzipTrailer(crc: number, size: number): Buffer {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(size % 0x1_0000_0000, 4);
  return trailer;
}

/** One gzip member: of small content as a whole, of what is larger, or is to have a level, out of independent blocks. */
class GzipCompressor implements Compressor {
  readonly #choice: CompressionChoice;
  readonly #deflater: BlockDeflater;
  readonly #sink: Sink;
  readonly #isAlone: () => boolean;
  readonly #pending: { readonly made: Promise<Uint8Array>; done?: (() => void) | undefined }[] = [];
  readonly #cutter = new BlockCutter();
  /** All there was so far, while that is little. */
  #head: Head | undefined;
  #dictionary: Uint8Array | undefined;
  #crc = 0;
  #size = 0;

  constructor(choice: CompressionChoice, sink: Sink, isAlone: () => boolean) {
    this.#choice = choice;
    this.#isAlone = isAlone;
    this.#deflater = blockDeflater(choice);
    this.#head = choice.level === undefined ? new Head() : undefined;
    this.#sink = sink;
    sink(GZIP_HEADER);
  }

  write(chunk: Uint8Array, done?: () => void): Promise<void> | undefined {
    this.#crc = crc32(chunk, this.#crc);
    this.#size += chunk.length;
    const head = this.#head;
    if (head?.take(chunk) === true) {
      done?.();
      return undefined;
    }
    this.#head = undefined;
    return this.#blocks(head === undefined ? [chunk] : [head.bytes, chunk], done);
  }

  async finish(): Promise<string> {
    const isWhole = this.#head !== undefined;
    if (this.#head !== undefined) this.#sink(deflateWhole(this.#head.bytes));
    else {
      for (const block of this.#cutter.rest()) await this.#block(block);
      await this.#drain(0);
      this.#sink(FINAL_BLOCK);
    }
    this.#sink(gzipTrailer(this.#crc, this.#size));
    return isWhole ? WHOLE_ID : blocksId(this.#choice);
  }

  [Symbol.dispose](): void {
    // Blocks that are under way end by themselves.
  }

  async #blocks(parts: readonly Uint8Array[], done: (() => void) | undefined): Promise<void> {
    for (const part of parts) for (const block of this.#cutter.cut(part)) await this.#block(block);
    const last = this.#pending.at(-1);
    if (last !== undefined && this.#cutter.isEmpty) last.done = done;
  }

  /** Once there is a place for it. */
  async #block(input: Uint8Array): Promise<void> {
    await this.#drain(this.#deflater.parallelism - 1);
    const made = this.#isAlone()
      ? Promise.resolve(this.#deflater.deflateHere(input, this.#dictionary))
      : this.#deflater.deflate(input, this.#dictionary);
    // Handled when it is its turn in #drain.
    made.catch(() => {});
    this.#pending.push({ made });
    // The block itself may be written over by then.
    this.#dictionary = Buffer.from(input.subarray(Math.max(0, input.length - DEFLATE_DICTIONARY)));
  }

  async #drain(downTo: number): Promise<void> {
    while (this.#pending.length > downTo) {
      const { made, done } = this.#pending[0]!;
      this.#sink(await made);
      this.#pending.shift();
      done?.();
    }
  }
}

/**
 * One frame, made on a thread of libuv's while the caller reads what comes next. On one alone: Node's stream takes it for the end when libzstd's own threads leave something of their input for later.
 */
class ZstdCompressor implements Compressor {
  readonly #id: string;
  readonly #stream: ZstdCompress;
  /** Chunks that are not taken yet. */
  #under = 0;
  #failure: Error | undefined;
  #wake = () => {};

  constructor(choice: CompressionChoice, sink: Sink) {
    this.#id = zstdId(choice);
    this.#stream = createZstdCompress({
      chunkSize: DEFLATE_BLOCK,
      params: { [zlib.ZSTD_c_compressionLevel]: zstdLevel(choice), [zlib.ZSTD_c_checksumFlag]: 1 },
    });
    this.#stream.on('data', (bytes: Buffer) => {
      // A throw in here would escape as an uncaught exception.
      try {
        sink(bytes);
      } catch (error) {
        this.#stream.destroy(error as Error);
      }
    });
    this.#stream.on('error', (error) => {
      this.#failure = error;
      this.#wake();
    });
  }

  write(chunk: Uint8Array, done?: () => void): Promise<void> | undefined {
    this.#check();
    this.#under++;
    this.#stream.write(chunk, () => {
      done?.();
      this.#under--;
      this.#wake();
    });
    return this.#under > ZSTD_AHEAD ? this.#until(ZSTD_AHEAD) : undefined;
  }

  async finish(): Promise<string> {
    // What is written together with the end would be packed as the end: that is to hang on no timing.
    await this.#until(0);
    const ended = once(this.#stream, 'end');
    this.#stream.end();
    await ended;
    this.#check();
    return this.#id;
  }

  /** Lets go of its memory, whether it is finished or not. */
  [Symbol.dispose](): void {
    this.#stream.destroy();
  }

  /** Until no more chunks than these are to be taken. */
  async #until(most: number): Promise<void> {
    while (this.#under > most && this.#failure === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
