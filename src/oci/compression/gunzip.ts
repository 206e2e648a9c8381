import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import { CodedError } from '../../base/index.ts';
import { type InflateStep, type IsalInflater, openIsalInflater } from '../../sys/index.ts';

const CHUNK = 1 << 18;
/** Packed bytes of members that are unpacked at once. */
const SMALL = 1 << 16;
const FLAG_HEADER_CRC = 2;
const FLAG_EXTRA = 4;
const FLAG_NAME = 8;
const FLAG_COMMENT = 16;
const FLAGS_RESERVED = 0xe0;

/** `use` overrides the choice of the library, for tests. */
export interface GunzipOptions {
  /** Chunks are read at once: their memory is used again when the next is asked for. */
  readonly borrowed?: boolean | undefined;
  readonly use?: 'zlib' | undefined;
}

/**
 * The content of a gzip stream, all its members (RFC 1952); zero bytes after the last are passed over. By ISA-L where the library is there; member by member, since node:zlib loses what it has
 * unpacked when it meets anything else there.
 * @throws CodedError invalid_argument: COMPRESSION_CORRUPT, or COMPRESSION_TRAILING, after all content, when something else follows it
 */
export async function* gunzip(
  input: AsyncIterator<Uint8Array>,
  options: GunzipOptions = {},
): AsyncGenerator<Uint8Array> {
  const bytes = new Bytes(input);
  await skipHeader(bytes);
  for (;;) {
    yield* member(bytes, options);
    await bytes.skip((byte) => byte === 0);
    const next = await bytes.next();
    if (next === undefined) return;
    if (next !== 0x1f || (await bytes.next()) !== 0x8b)
      throw CodedError.of('COMPRESSION_TRAILING', 'something else follows the gzip stream', {
        hint: 'cut it off, or pack the file again',
      });
    await skipHeader(bytes, 2);
  }
}

async function* member(bytes: Bytes, options: GunzipOptions): AsyncGenerator<Uint8Array> {
  let crc = 0;
  let size = 0;
  const small = inflateSmall(bytes);
  for await (const chunk of small === undefined ? inflate(bytes, options) : small) {
    crc = crc32(chunk, crc);
    size = (size + chunk.length) % 0x1_0000_0000;
    yield chunk;
  }
  const trailer = await bytes.read(8);
  if (trailer.readUInt32LE(0) !== crc || trailer.readUInt32LE(4) !== size) throw corrupt('its checksum is wrong');
}

/**
 * A deflate stream that is whole in what was read already and unpacks to one chunk, which costs a tenth of a stream of its own: some layers have a member to each
 * file, and hostile ones millions of empty members. Undefined for others, damaged ones among them.
 */
function inflateSmall(bytes: Bytes): readonly Buffer[] | undefined {
  try {
    const unpacked = inflateRawSync(bytes.peek(SMALL), { info: true, maxOutputLength: CHUNK });
    // The types know nothing of `info`.
    const { buffer, engine } = unpacked as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    bytes.drop(engine.bytesWritten);
    return buffer.length === 0 ? [] : [buffer];
  } catch {
    return undefined;
  }
}

/** One deflate stream; what was read beyond its end is given back. */
function inflate(bytes: Bytes, { use, borrowed }: GunzipOptions): AsyncGenerator<Uint8Array> {
  const stream = use === 'zlib' ? undefined : openIsalInflater();
  return stream === undefined ? inflateByZlib(bytes) : inflateByIsal(bytes, stream, borrowed === true);
}

interface Filled {
  readonly output: Buffer<ArrayBuffer>;
  readonly chunk: Buffer<ArrayBuffer>;
  readonly ended: boolean;
}

/** The next chunk is made, on another thread, while one is read. */
async function* inflateByIsal(bytes: Bytes, stream: IsalInflater, borrowed: boolean): AsyncGenerator<Uint8Array> {
  const kept = borrowed ? [Buffer.allocUnsafeSlow(CHUNK), Buffer.allocUnsafeSlow(CHUNK)] : [];
  const fill = async (output: Buffer<ArrayBuffer>): Promise<Filled> => {
    for (;;) {
      const { size, ended, hungry }: InflateStep = await stream.step(output).catch((error: Error) => {
        throw corrupt(error.message, error);
      });
      // What is there is given before more is asked for, which may never come.
      if (size > 0 || ended) return { output, chunk: output.subarray(0, size), ended };
      if (!hungry) throw corrupt('it leads nowhere');
      const input = await bytes.take();
      if (input === undefined) throw corrupt('unexpected end of file');
      stream.feed(input);
    }
  };
  const start = () => {
    const filling = fill(kept.pop() ?? Buffer.allocUnsafeSlow(CHUNK));
    // Whoever stops reading does not want to know what became of it.
    filling.catch(() => {});
    return filling;
  };
  for (let filling: Promise<Filled> | undefined = start(); filling !== undefined; ) {
    const { output, chunk, ended }: Filled = await filling;
    filling = ended ? undefined : start();
    if (ended) bytes.giveBack(stream.rest());
    if (chunk.length > 0) yield chunk;
    if (borrowed) kept.push(output);
  }
}

async function* inflateByZlib(bytes: Bytes): AsyncGenerator<Uint8Array> {
  const stream = createInflateRaw({ chunkSize: CHUNK });
  let sourceError: { readonly error: unknown } | undefined;
  const feeding = (async () => {
    let fed = 0;
    for (;;) {
      const chunk = await bytes.take().catch((error: unknown) => {
        sourceError = { error };
        throw error;
      });
      if (chunk === undefined) {
        stream.end();
        return;
      }
      await new Promise<void>((resolve) => void stream.write(chunk, () => resolve()));
      const taken = stream.bytesWritten - fed;
      if (taken < chunk.length) {
        // The stream ended before.
        bytes.giveBack(chunk.subarray(taken));
        return;
      }
      fed += chunk.length;
    }
  })();
  feeding.catch((error: unknown) => stream.destroy(error as Error));
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
    await feeding;
  } catch (error) {
    if (sourceError !== undefined) throw sourceError.error;
    if (error instanceof CodedError) throw error;
    throw corrupt((error as Error).message, error);
  } finally {
    stream.destroy();
  }
}

async function skipHeader(bytes: Bytes, at = 0): Promise<void> {
  const head = await bytes.read(10 - at);
  const [method, flags] = [head[2 - at], head[3 - at] as number];
  if (method !== 8 || (flags & FLAGS_RESERVED) !== 0) throw corrupt('its header is of an unknown kind');
  if ((flags & FLAG_EXTRA) !== 0) await bytes.read((await bytes.read(2)).readUInt16LE(0));
  for (const flag of [FLAG_NAME, FLAG_COMMENT]) {
    if ((flags & flag) === 0) continue;
    await bytes.skip((byte) => byte !== 0);
    await bytes.read(1);
  }
  if ((flags & FLAG_HEADER_CRC) !== 0) await bytes.read(2);
}

/** Chunks as a queue of bytes. */
class Bytes {
  readonly #input: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(input: AsyncIterator<Uint8Array>) {
    this.#input = input;
  }

  /** All that is there without waiting, or the next chunk; undefined at the end. */
  async take(): Promise<Uint8Array | undefined> {
    while (this.#chunk.length === 0) {
      const next = await this.#input.next();
      if (next.done) return undefined;
      this.#chunk = next.value;
    }
    const chunk = this.#chunk;
    this.#chunk = chunk.subarray(chunk.length);
    return chunk;
  }

  giveBack(rest: Uint8Array): void {
    this.#chunk = rest;
  }

  /** What is there without waiting, up to `count`. */
  peek(count: number): Uint8Array {
    return this.#chunk.subarray(0, count);
  }

  drop(count: number): void {
    this.#chunk = this.#chunk.subarray(count);
  }

  /** Passes over bytes up to the first that is not so. */
  async skip(isSo: (byte: number) => boolean): Promise<void> {
    for (let chunk = await this.take(); chunk !== undefined; chunk = await this.take()) {
      const end = chunk.findIndex((byte) => !isSo(byte));
      if (end < 0) continue;
      this.giveBack(chunk.subarray(end));
      return;
    }
  }

  async next(): Promise<number | undefined> {
    if (this.#chunk.length === 0) this.#chunk = (await this.take()) ?? this.#chunk;
    const byte = this.#chunk[0];
    this.#chunk = this.#chunk.subarray(1);
    return byte;
  }

  async read(count: number): Promise<Buffer> {
    const out = Buffer.alloc(count);
    for (let n = 0; n < count; n++) {
      const byte = await this.next();
      if (byte === undefined) throw corrupt('unexpected end of file');
      out[n] = byte;
    }
    return out;
  }
}

function corrupt(why: string, cause?: unknown): CodedError {
  return CodedError.of('COMPRESSION_CORRUPT', `the gzip stream is damaged: ${why}`, { cause });
}
