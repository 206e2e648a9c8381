import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { CodedError, type Digest } from '../../base/index.ts';
import { type MessagePort, readPort, type TaskContext, writePort } from '../../sys/index.ts';
import {
  type CompressionChoice,
  compressorId,
  decompress,
  openCompressor,
  type StreamCompression,
} from '../compression/index.ts';
import { TarReader } from '../tar/index.ts';
import { TreeWriter } from './tree-writer.ts';
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
  /** Compressor id: what made these bytes. */
  readonly compressor: string;
}

export interface PackArgs {
  readonly directory: string;
  readonly below?: string | undefined;
  readonly into: string;
  readonly compression: CompressionChoice;
  readonly maxMtime?: bigint | undefined;
}

export async function packLayerTask(args: PackArgs, context: TaskContext): Promise<PackedLayer> {
  const chunks = packTree(args.directory, {
    below: args.below,
    maxMtime: args.maxMtime,
    check: () => context.throwIfAborted(),
  });
  return writeLayer(chunks, args.into, args.compression, context);
}

export interface TreesArgs {
  readonly trees: readonly PackedTree[];
  readonly port: MessagePort;
}

export async function tarTreesTask(args: TreesArgs, context: TaskContext): Promise<void> {
  await writePort(args.port, packTrees(args.trees, { check: () => context.throwIfAborted() }), context);
}

export interface ConvertArgs {
  readonly blob: string;
  readonly into: string;
  readonly compression: CompressionChoice;
  readonly digest?: Digest | undefined;
}

export async function convertLayerTask(args: ConvertArgs, context: TaskContext): Promise<PackedLayer> {
  const input = new HashedInput(readFileChunks(args.blob));
  const layer = await writeLayer(decompress(input.chunks()), args.into, args.compression, context);
  await input.verify(args.digest);
  return layer;
}

/** Compresses into a file, both digests in the same pass. */
async function writeLayer(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  into: string,
  compression: CompressionChoice,
  context: TaskContext,
): Promise<PackedLayer> {
  const diff = createHash('sha256');
  const isPlain = compression.type === 'uncompressed';
  const blob = isPlain ? diff : createHash('sha256');
  let size = 0;
  let diffSize = 0;
  const fd = openSync(into, 'w', 0o600);
  try {
    const compressor = openCompressor(compression, (bytes) => {
      if (!isPlain) blob.update(bytes);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
      size += bytes.length;
    });
    for await (const chunk of chunks) {
      context.throwIfAborted();
      diff.update(chunk);
      diffSize += chunk.length;
      await compressor.write(chunk);
    }
    await compressor.finish();
  } finally {
    closeSync(fd);
  }
  const diffId: Digest = `sha256:${diff.digest('hex')}`;
  const digest: Digest = isPlain ? diffId : `sha256:${blob.digest('hex')}`;
  return { digest, size, diffId, diffSize, compressor: compressorId(compression) };
}

export type UnpackSource = { readonly path: string } | { readonly port: MessagePort };

export interface UnpackArgs {
  readonly source: UnpackSource;
  readonly directory: string;
  readonly whiteouts: 'overlay' | 'plain';
  readonly lowers?: readonly string[] | undefined;
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Of the blob as it comes. */
  readonly digest?: Digest | undefined;
  readonly diffId?: Digest | undefined;
  /** Most bytes of the unpacked archive. */
  readonly maxBytes?: number | undefined;
}

export interface Unpacked {
  /** Bytes that came in, and bytes of the tar. */
  readonly size: number;
  readonly diffSize: number;
  readonly entries: number;
}

export async function unpackTask(args: UnpackArgs, context: TaskContext): Promise<Unpacked> {
  const { source } = args;
  const input = new HashedInput('path' in source ? readFileChunks(source.path) : readPort(source.port), (bytes) =>
    context.post(bytes),
  );
  const diff = args.diffId === undefined ? undefined : createHash('sha256');
  let diffSize = 0;
  using tree = new TreeWriter(args.directory, args);
  const reader = new TarReader(tree);
  for await (const chunk of decompress(input.chunks(), { maxBytes: args.maxBytes })) {
    context.throwIfAborted();
    diff?.update(chunk);
    diffSize += chunk.length;
    reader.push(chunk);
  }
  await input.verify(args.digest);
  if (diff !== undefined) {
    const found: Digest = `sha256:${diff.digest('hex')}`;
    if (found !== args.diffId) throw mismatch('unpacked layer', args.diffId as Digest, found);
  }
  reader.close();
  tree.finish();
  return { size: input.size, diffSize, entries: reader.entries };
}

/** Whether a file is a tar archive, and how it is packed; undefined when it is none. xz and bzip2 are told by their magic alone. */
export async function probeArchiveTask(args: { path: string }): Promise<StreamCompression | undefined> {
  let entries = 0;
  const reader = new TarReader({ entry: () => void entries++ });
  let compression = 'uncompressed' as StreamCompression;
  const onDetected = (found: StreamCompression) => {
    compression = found;
  };
  try {
    for await (const chunk of decompress(readFileChunks(args.path), { maxBytes: 8 << 20, onDetected })) {
      reader.push(chunk.length > 1 << 16 ? chunk.subarray(0, 1 << 16) : chunk);
      if (entries > 0) return compression;
    }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return compression === 'xz' || compression === 'bzip2' ? compression : undefined;
  }
  return undefined;
}

/** Counts and hashes what passes; `verify` reads on to the end, since decompression may stop before it. */
class HashedInput {
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

  async verify(expected: Digest | undefined): Promise<void> {
    while ((await this.#next()) !== undefined);
    if (expected === undefined) return;
    const found: Digest = `sha256:${this.#hash.digest('hex')}`;
    if (found !== expected) throw mismatch('blob', expected, found);
  }
}

function mismatch(what: string, expected: Digest, found: Digest): CodedError {
  return new CodedError('data_loss', `${what} does not fit its digest: expected ${expected}, found ${found}`, {
    reason: 'OCI_DIGEST_MISMATCH',
  });
}

async function* readFileChunks(path: string): AsyncGenerator<Uint8Array> {
  const fd = openSync(path, 'r');
  try {
    for (;;) {
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
