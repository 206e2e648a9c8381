import { createHash, type Hash } from 'node:crypto';
import { chmodSync, chownSync, closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { CodedError, type Digest } from '../../base/index.ts';
import {
  encodeName,
  lstat,
  type MessagePort,
  Sha256,
  type StreamContext,
  type TaskContext,
  writePort,
} from '../../sys/index.ts';
import { decompress, openCompressor, type StreamCompression } from '../compression/index.ts';
import { ChunkMemory, TAR_BLOCK, TarReader, TimeClamp } from '../tar/index.ts';
import { type ChunkedLayer, type OverBound, type PackChunksArgs, packChunks, type RootMetadata } from './chunks.ts';
import { ErofsIndex, NotIndexable, TAR_START, writeAll } from './erofs.ts';
import { contentEnd, EstargzWriter, TOC_NAME } from './estargz.ts';
import { type LayerCompression, layerCompressors } from './layer-compression.ts';
import { limitError, type UnpackLimits } from './limits.ts';
import { type RestackArgs, restack } from './restack.ts';
import { type Thrift, TreeWriter, type Whiteouts } from './tree-writer.ts';
import { type PackedTree, packTree, packTrees } from './walk.ts';

/** What runs in a bulk worker; {@link file://./index.ts} has the face. */

const CHUNK = 1 << 19;

export interface PackedLayer {
  readonly digest: Digest;
  /** Bytes of the compressed blob. */
  readonly size: number;
  readonly diffId: Digest;
  /** Bytes of the tar. */
  readonly diffSize: number;
  /** What made these bytes, of {@link layerCompressors}. */
  readonly compressor: string;
  /** What its descriptor tells of the way in which it is packed. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface PackArgs {
  readonly directory: string;
  readonly below?: string | undefined;
  readonly whole?: boolean | undefined;
  readonly into: string;
  readonly compression: LayerCompression;
  readonly overlayXattrs: string;
  readonly maxMtime?: bigint | undefined;
}

export async function packLayerTask(args: PackArgs, context: TaskContext): Promise<PackedLayer> {
  const memory = new ChunkMemory();
  const chunks = packTree(args.directory, {
    memory,
    below: args.below,
    whole: args.whole,
    maxMtime: args.maxMtime,
    overlayXattrs: args.overlayXattrs,
    check: () => context.throwIfAborted(),
  });
  return await writeLayer(chunks, args.into, args.compression, context, memory);
}

export function packChunksTask(args: PackChunksArgs, context: TaskContext): ChunkedLayer | OverBound {
  return packChunks(args, context);
}

export function restackTask(args: RestackArgs, context: TaskContext): boolean {
  return restack(args, () => context.throwIfAborted());
}

export interface TreesArgs {
  readonly trees: readonly PackedTree[];
  readonly port: MessagePort;
}

export async function tarTreesTask(args: TreesArgs, context: StreamContext): Promise<void> {
  await writePort(args.port, packTrees(args.trees, { check: () => context.throwIfAborted() }), context);
}

export interface ConvertArgs {
  readonly blob: string;
  readonly into: string;
  readonly compression: LayerCompression;
  readonly digest?: Digest | undefined;
  /** Seconds that no time in it is to be later than. */
  readonly latest?: number | undefined;
}

export interface ConvertedLayer extends PackedLayer {
  /** Of all that the blob unpacks to that it was made of. */
  readonly sourceDiffId: Digest;
}

export async function convertLayerTask(args: ConvertArgs, context: TaskContext): Promise<ConvertedLayer> {
  await using input = new HashedInput(readFileChunks(args.blob, context));
  const source = createHash('sha256');
  const end = contentEnd(args.blob);
  const tar =
    end === undefined ? hashed(decompress(input.chunks()), source) : withoutTable(input.chunks(), end, source);
  const chunks = args.latest === undefined ? tar : clampTimes(tar, args.latest);
  const layer = await writeLayer(chunks, args.into, args.compression, context);
  await input.verify(args.digest);
  return { ...layer, sourceDiffId: `sha256:${source.digest('hex')}` };
}
async function* hashed(chunks: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

/** What an eStargz unpacks to before `end`; what is behind it is hashed as well, and has to be the table alone: no file gets lost. */
async function* withoutTable(blob: AsyncIterable<Uint8Array>, end: number, hash: Hash): AsyncGenerator<Uint8Array> {
  const chunks = blob[Symbol.asyncIterator]();
  let left = end;
  let over: Uint8Array | undefined;
  const before = async function* () {
    while (left > 0) {
      const { done, value } = await chunks.next();
      if (done === true) return;
      over = value.subarray(left);
      const part = value.subarray(0, left);
      left -= part.length;
      yield part;
    }
  };
  const behind = async function* () {
    if (over !== undefined && over.length > 0) yield over;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  };
  yield* hashed(decompress(before()), hash);
  const table = new TarReader({
    entry: ({ name }) => {
      if (name === TOC_NAME) return;
      throw CodedError.of('TAR_MALFORMED', 'a layer has files behind the table of contents that its end tells of');
    },
  });
  for await (const chunk of hashed(decompress(behind()), hash)) table.push(chunk);
  table.close();
}

async function* clampTimes(tar: AsyncIterable<Uint8Array>, latest: number): AsyncGenerator<Uint8Array> {
  const clamp = new TimeClamp(latest);
  for await (const { buffer, byteOffset, byteLength } of tar)
    yield* clamp.push(Buffer.from(buffer, byteOffset, byteLength));
  clamp.finish();
}

/** Compresses into a file, both digests in the same pass. Chunks go back to where they came from. */
async function writeLayer(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  into: string,
  compression: LayerCompression,
  context: TaskContext,
  memory?: ChunkMemory,
): Promise<PackedLayer> {
  if (compression.type === 'estargz') return await writeEstargz(chunks, into, compression, context);
  using diff = new Sha256(context.isAlone);
  const isPlain = compression.type === 'uncompressed';
  using blob = new Sha256(context.isAlone);
  let size = 0;
  let diffSize = 0;
  let madeBy: string;
  const fd = openSync(into, 'w', 0o600);
  try {
    using compressor = openCompressor(
      compression,
      (bytes) => {
        if (!isPlain) blob.update(bytes);
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
        size += bytes.length;
      },
      context.isAlone,
    );
    for await (const chunk of chunks) {
      context.throwIfAborted();
      diffSize += chunk.length;
      let users = 2;
      const done = () => {
        if (--users === 0) memory?.giveBack(chunk);
      };
      diff.update(chunk, done);
      await compressor.write(chunk, done);
      await diff.room();
      await blob.room();
    }
    madeBy = await compressor.finish();
  } finally {
    closeSync(fd);
  }
  const diffId: Digest = `sha256:${await diff.digest()}`;
  const digest: Digest = isPlain ? diffId : `sha256:${await blob.digest()}`;
  return { digest, size, diffId, diffSize, compressor: madeBy };
}

async function writeEstargz(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  into: string,
  compression: LayerCompression,
  context: TaskContext,
): Promise<PackedLayer> {
  const blob = createHash('sha256');
  let size = 0;
  const fd = openSync(into, 'w', 0o600);
  try {
    const writer = new EstargzWriter(compression.level, (bytes) => {
      blob.update(bytes);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
      size += bytes.length;
    });
    for await (const chunk of chunks) {
      context.throwIfAborted();
      writer.push(chunk);
    }
    const written = writer.finish();
    const [compressor = compression.type] = layerCompressors(compression);
    return { ...written, digest: `sha256:${blob.digest('hex')}`, size, compressor };
  } finally {
    closeSync(fd);
  }
}

export interface UnpackArgs {
  /** The blob's path; several are read as one. */
  readonly blob: string | readonly string[];
  readonly directory: string;
  readonly whiteouts: Whiteouts;
  readonly lowers?: readonly string[] | undefined;
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Of the blob as it comes. */
  readonly digest?: Digest | undefined;
  readonly diffId?: Digest | undefined;
  readonly limits: UnpackLimits;
  readonly thrift?: Thrift | undefined;
  /** Of the directory itself. */
  readonly root?: RootMetadata | undefined;
}

export interface Unpacked {
  /** Bytes that came in, and bytes of the tar. */
  readonly size: number;
  readonly diffSize: number;
  readonly entries: number;
}

export async function unpackTask(args: UnpackArgs, context: TaskContext): Promise<Unpacked> {
  try {
    return await unpackInto(args, context);
  } catch (error) {
    throw limitError(error, args.limits);
  }
}

async function unpackInto(args: UnpackArgs, context: TaskContext): Promise<Unpacked> {
  using tree = new TreeWriter(args.directory, args);
  const reader = new TarReader(tree, tarLimits(args.limits));
  // As other unpackers: an archive that has ended does not mind what follows its gzip stream. A layer does, whose every byte has a meaning.
  const mayTrail = () => args.whiteouts === 'plain' && reader.ended;
  const sizes = await readTar(args, context, { take: (chunk) => reader.push(chunk), mayTrail });
  reader.close();
  tree.finish();
  if (args.root !== undefined) setRoot(args.directory, args.root);
  return { ...sizes, entries: reader.entries };
}

const tarLimits = (limits: UnpackLimits) => ({
  maxBytes: limits.maxUnpackedBytes,
  maxEntries: limits.maxUnpackedEntries,
});

interface IndexArgs extends Pick<UnpackArgs, 'directory' | 'digest' | 'diffId' | 'limits'> {
  readonly blob: string;
  /** Where the image is written, a new file. */
  readonly image: string;
}

/** The image of {@link file://./erofs.ts}; false when the layer needs a directory. What is not finished is removed. */
export async function indexTask(args: IndexArgs, context: TaskContext): Promise<boolean> {
  let isWhole = false;
  const fd = openSync(encodeName(args.image), 'wx', 0o600);
  try {
    const index = new ErofsIndex(() => reader.position, lstat(args.directory));
    const reader = new TarReader(index, tarLimits(args.limits));
    let end = TAR_START;
    const take = (chunk: Uint8Array) => {
      reader.push(chunk);
      writeAll(fd, chunk, end);
      end += chunk.length;
    };
    const { diffSize } = await readTar(args, context, { take });
    reader.close();
    index.finish(fd, diffSize);
    isWhole = true;
  } catch (error) {
    if (!(error instanceof NotIndexable)) throw limitError(error, args.limits);
  } finally {
    closeSync(fd);
    if (!isWhole) unlinkSync(encodeName(args.image));
  }
  return isWhole;
}

/** Unpacks a blob, its digests verified: that of what comes in and that of what comes out. */
async function readTar(
  args: Pick<UnpackArgs, 'blob' | 'digest' | 'diffId' | 'limits'>,
  context: TaskContext,
  to: { readonly take: (chunk: Uint8Array) => void; readonly mayTrail?: () => boolean },
): Promise<Omit<Unpacked, 'entries'>> {
  const files = typeof args.blob === 'string' ? [args.blob] : args.blob;
  await using input = new HashedInput(readFilesChunks(files, context), (bytes) => context.post(bytes));
  const diff = args.diffId === undefined ? undefined : createHash('sha256');
  const maxBytes = args.limits.maxUnpackedBytes;
  let diffSize = 0;
  try {
    for await (const chunk of decompress(input.chunks(), { maxBytes, borrowed: true })) {
      context.throwIfAborted();
      diff?.update(chunk);
      diffSize += chunk.length;
      to.take(chunk);
    }
  } catch (error) {
    const mayTrail = to.mayTrail?.() === true;
    if (!mayTrail || !(error instanceof CodedError && error.reason === 'COMPRESSION_TRAILING')) throw error;
  }
  await input.verify(args.digest);
  if (diff !== undefined) {
    const found: Digest = `sha256:${diff.digest('hex')}`;
    if (found !== args.diffId) throw mismatch('unpacked layer', args.diffId as Digest, found);
  }
  return { size: input.size, diffSize };
}

/**
 * How a tar archive is packed; undefined when the file is none. It is one when it begins with a header whose checksum is right: what is wrong after that is
 * damage, and fails the unpacking. xz and bzip2 are told by their magic alone.
 */
export async function probeArchiveTask(
  args: { path: string },
  context: TaskContext,
): Promise<StreamCompression | undefined> {
  const reader = new TarReader({ entry: () => {} });
  let compression = 'uncompressed' as StreamCompression;
  const onDetected = (found: StreamCompression) => {
    compression = found;
  };
  try {
    let wanted = TAR_BLOCK;
    for await (const chunk of decompress(readFileChunks(args.path, context), { onDetected })) {
      reader.push(chunk.subarray(0, wanted));
      wanted -= chunk.length;
      if (wanted <= 0) break;
    }
  } catch (error) {
    context.throwIfAborted();
    if (!(error instanceof CodedError)) throw error;
    if (compression === 'xz' || compression === 'bzip2') return compression;
  }
  return reader.headers > 0 ? compression : undefined;
}

/** Counts and hashes what passes; `verify` reads on to the end, since decompression may stop before it. Disposing closes the source. */
class HashedInput implements AsyncDisposable {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #hash = createHash('sha256');
  readonly #onBytes: ((total: number) => void) | undefined;
  #reported = 0;
  size = 0;

  constructor(source: AsyncIterable<Uint8Array>, onBytes?: (total: number) => void) {
    this.#source = source[Symbol.asyncIterator]();
    this.#onBytes = onBytes;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let next = await this.#next(); next !== undefined; next = await this.#next()) yield next;
  }

  async #next(): Promise<Uint8Array | undefined> {
    const next = await this.#source.next();
    if (next.done) return undefined;
    this.#hash.update(next.value);
    this.size += next.value.length;
    if (this.size - this.#reported >= 4 << 20) {
      this.#reported = this.size;
      this.#onBytes?.(this.size);
    }
    return next.value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
  }

  async verify(expected: Digest | undefined): Promise<void> {
    while ((await this.#next()) !== undefined);
    if (expected === undefined) return;
    const found: Digest = `sha256:${this.#hash.digest('hex')}`;
    if (found !== expected) throw mismatch('blob', expected, found);
  }
}

function mismatch(what: string, expected: Digest, found: Digest): CodedError {
  return CodedError.of('OCI_DIGEST_MISMATCH', `${what} does not fit its digest: expected ${expected}, found ${found}`);
}

function setRoot(directory: string, { mode, uid, gid }: RootMetadata): void {
  const path = encodeName(directory);
  chownSync(path, uid, gid);
  chmodSync(path, mode);
}

async function* readFilesChunks(paths: readonly string[], context: TaskContext): AsyncGenerator<Uint8Array> {
  for (const path of paths) yield* readFileChunks(path, context);
}

async function* readFileChunks(path: string, context: TaskContext): AsyncGenerator<Uint8Array> {
  const fd = openSync(encodeName(path), 'r');
  try {
    for (;;) {
      // Also where nothing comes out of what goes in.
      context.throwIfAborted();
      // Chunks are handed on to zlib's threads: each needs memory of its own.
      const buffer = Buffer.allocUnsafeSlow(CHUNK);
      const count = readSync(fd, buffer, 0, CHUNK, null);
      if (count === 0) return;
      yield buffer.subarray(0, count);
    }
  } finally {
    closeSync(fd);
  }
}
