import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress, constants as zlib } from 'node:zlib';
import { CodedError, transportWords } from '../../base/index.ts';
import { DETECT_BYTES, detectCompression, type StreamCompression } from './detect.ts';
import { type GunzipOptions, gunzip } from './gunzip.ts';

interface DecompressOptions extends GunzipOptions {
  /** Most bytes that may come out, against decompression bombs. */
  readonly maxBytes?: number | undefined;
  /** Told once, before the first chunk. */
  readonly onDetected?: (compression: StreamCompression) => void;
}

const CHUNK = 1 << 18;
/** A frame may ask for so much memory: 128 MiB, which is also the most that the zstd program takes unasked. */
const ZSTD_WINDOW_LOG = 27;

/**
 * The content of a stream whose compression is told by its first bytes: gzip (all members), zstd (all frames) or none. For workers.
 * @throws CodedError invalid_argument (damaged: COMPRESSION_CORRUPT; something else after the last gzip member: COMPRESSION_TRAILING),
 * resource_exhausted (larger than `maxBytes`), unimplemented (xz, bzip2)
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const input = source[Symbol.asyncIterator]();
  try {
    const { head, chunks } = await readHead(input);
    const compression = detectCompression(head);
    options.onDetected?.(compression);
    let total = 0;
    for await (const chunk of unpack(compression, replay(chunks, input), options)) {
      total += chunk.length;
      if (total > (options.maxBytes ?? Number.MAX_SAFE_INTEGER))
        throw CodedError.of('COMPRESSION_TOO_LARGE', `the stream unpacks to more than ${options.maxBytes} bytes`);
      yield chunk;
    }
  } finally {
    await input.return?.();
  }
}

function unpack(
  compression: StreamCompression,
  input: AsyncGenerator<Uint8Array>,
  options: GunzipOptions,
): AsyncIterable<Uint8Array> {
  switch (compression) {
    case 'uncompressed':
      return input;
    case 'gzip':
      return gunzip(input, options);
    case 'zstd':
      return through(
        input,
        createZstdDecompress({ chunkSize: CHUNK, params: { [zlib.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } }),
        compression,
      );
    default:
      throw CodedError.of('COMPRESSION_UNSUPPORTED', `${compression} compression cannot be read here`, {
        hint: 'compress the archive with gzip or zstd',
      });
  }
}

async function* through(
  input: AsyncIterable<Uint8Array>,
  stream: ReturnType<typeof createZstdDecompress>,
  compression: StreamCompression,
): AsyncGenerator<Uint8Array> {
  let sourceError: unknown;
  const guarded = (async function* () {
    try {
      yield* input;
    } catch (error) {
      sourceError = error;
      throw error;
    }
  })();
  const fed = pipeline(Readable.from(guarded, { objectMode: true }), stream);
  // Its failure shows on `stream` too.
  fed.catch(() => {});
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
    await fed;
  } catch (error) {
    if (sourceError !== undefined) throw sourceError;
    if (error instanceof CodedError) throw error;
    throw CodedError.of('COMPRESSION_CORRUPT', `the ${compression} stream is damaged: ${transportWords(error)}`, {
      cause: error,
    });
  } finally {
    stream.destroy();
    await fed.catch(() => {});
  }
}

async function readHead(input: AsyncIterator<Uint8Array>): Promise<{ head: Uint8Array; chunks: Uint8Array[] }> {
  const chunks: Uint8Array[] = [];
  for (let size = 0; size < DETECT_BYTES; ) {
    const next = await input.next();
    if (next.done) break;
    chunks.push(next.value);
    size += next.value.length;
  }
  return { head: chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks), chunks };
}

async function* replay(chunks: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}
