import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type AbortOptions, CodedError, type Digest, type WorkOptions } from '../../base/index.ts';
import {
  type BestEffort,
  encodeName,
  makeScratch,
  type Privileges,
  portToStream,
  ROOT,
  type StreamPool,
  siblingModule,
  spawnProcess,
  streamTasksOf,
  tasksOf,
  type WorkerPool,
} from '../../sys/index.ts';
import type { StreamCompression } from '../compression/index.ts';
import type { ChunkedLayer, OverBound, RootMetadata } from './chunks.ts';
import type { LayerCompression } from './layer-compression.ts';
import { DEFAULT_UNPACK_LIMITS, type UnpackLimits, unpackLimit } from './limits.ts';
import type { RestackArgs } from './restack.ts';
import type { ConvertArgs, ConvertedLayer, PackArgs, PackedLayer, TreesArgs, UnpackArgs, Unpacked } from './task.ts';
import type { PackedTree } from './walk.ts';

export type { LayerChunk, RootMetadata } from './chunks.ts';
export { ErofsIndex, NotIndexable, TAR_START, writeAll } from './erofs.ts';
export { TOC_DIGEST, UNCOMPRESSED_SIZE } from './estargz.ts';
export { type LayerCompression, layerCompressors } from './layer-compression.ts';
export { DEFAULT_UNPACK_LIMITS, type UnpackLimits, unpackLimitsFor } from './limits.ts';
export { hasRoom, noRoom } from './room.ts';

const url = siblingModule(import.meta.url, './task');
const task = tasksOf<typeof import('./task.ts')>(url);
const streamTask = streamTasksOf<typeof import('./task.ts')>(url);

/** Work that nobody may be waiting for yet. */
interface BestEffortOptions extends WorkOptions {
  readonly bestEffort?: BestEffort | undefined;
}

interface PackLayerOptions extends BestEffortOptions {
  /** An overlay upper directory, or any tree. Nothing may change it meanwhile. */
  readonly directory: string;
  /** A view of the layers below: only what differs from it is packed. */
  readonly below?: string | undefined;
  /** The directory is a view of all that there is to be: what of `below` is not there is gone. */
  readonly whole?: boolean | undefined;
  /** Where the blob goes: a temp file of the content store, written anew. */
  readonly into: string;
  readonly compression: LayerCompression;
  /** Of who made the directory; root's when absent. */
  readonly privileges?: Privileges | undefined;
  /** Clamps modification times, in seconds since the epoch. */
  readonly sourceDateEpoch?: number | undefined;
}

/** Makes the layer blob of a directory in one pass of a bulk worker. */
export function packLayer(pool: WorkerPool, options: PackLayerOptions): Promise<PackedLayer> {
  const {
    directory,
    below,
    whole,
    into,
    compression,
    privileges = ROOT,
    sourceDateEpoch,
    signal,
    owner,
    bestEffort,
  } = options;
  const maxMtime = sourceDateEpoch === undefined ? undefined : BigInt(sourceDateEpoch) * 1_000_000_000n;
  const { overlayXattrs } = privileges;
  const args: PackArgs = { directory, below, whole, into, compression, overlayXattrs, maxMtime };
  return pool.run(task('packLayerTask'), args, { signal, owner, bestEffort });
}

interface PackDirectoryOptions extends WorkOptions {
  /** An overlay upper directory, or any tree. What changes it meanwhile makes the result one of no moment. */
  readonly directory: string;
  /** A view of the layers below: only what differs from it is packed. */
  readonly below?: string | undefined;
  /** An empty directory for blobs. */
  readonly into: string;
  /** Digests of chunks that need no blob. */
  readonly known: ReadonlySet<Digest>;
  /** Of the tar. */
  readonly maxBytes: number;
  readonly maxChunks: number;
  /** Of who made the directory; root's when absent. */
  readonly privileges?: Privileges | undefined;
}

/** A directory's tar in chunks that are shared with other versions of it ({@link file://./chunk-cutter.ts}), each a zstd frame: one after the other they are a layer. In one pass of a bulk worker. */
export function packDirectoryChunks(
  pool: WorkerPool,
  { privileges = ROOT, signal, owner, ...args }: PackDirectoryOptions,
): Promise<ChunkedLayer | OverBound> {
  const { overlayXattrs } = privileges;
  return pool.run(task('packChunksTask'), { ...args, overlayXattrs }, { signal, owner });
}

interface UnpackChunksOptions extends WorkOptions {
  /** Paths of the chunks' blobs in order, digests already verified. */
  readonly blobs: readonly string[];
  /** An empty overlay upper directory, or any empty directory. */
  readonly directory: string;
  /** Upper directories of the layers below, top first; none where the archive has no deletions and every name means itself. */
  readonly lowers: readonly string[];
  readonly diffId: Digest;
  readonly root: RootMetadata;
  readonly limits: UnpackLimits;
  /** Bytes of the disk that are left to others. */
  readonly keepFree: number;
  readonly privileges?: Privileges | undefined;
}

/** Opposite of {@link packDirectoryChunks}, as {@link applyLayer}; zeros take no room. @throws CodedError data_loss where it is not what `diffId` says, CACHE_DISK where there is no room */
export async function unpackDirectoryChunks(pool: WorkerPool, options: UnpackChunksOptions): Promise<Unpacked> {
  const { blobs, directory, lowers, diffId, root, limits, keepFree, privileges = ROOT, signal, owner } = options;
  const whiteouts = lowers.length === 0 ? 'plain' : { opaque: `${privileges.overlayXattrs}opaque` };
  const args: UnpackArgs = { blob: blobs, directory, whiteouts, lowers, diffId, root, limits, thrift: { keepFree } };
  return await pool.run(task('unpackTask'), args, { signal, owner });
}

/** {@link file://./restack.ts} in a worker. */
export function restackLayer(pool: WorkerPool, args: RestackArgs, { signal, owner }: WorkOptions): Promise<boolean> {
  return pool.run(task('restackTask'), args, { signal, owner });
}

interface TarTreesOptions extends AbortOptions {
  readonly trees: readonly PackedTree[];
}

/** Trees as one tar stream, made as fast as it is read: for a pool in which others do not wait for that. Cancel it to stop. */
export function tarTrees(pool: StreamPool, { trees, signal }: TarTreesOptions): ReadableStream<Uint8Array> {
  return portToStream((port) =>
    pool
      .run(streamTask('tarTreesTask'), { trees, port } satisfies TreesArgs, { signal, transfer: [port] })
      .finally(() => port.close()),
  );
}

interface ConvertLayerOptions extends BestEffortOptions {
  /** Path of the blob. */
  readonly blob: string;
  /** Verified while reading, when given. */
  readonly digest?: Digest | undefined;
  readonly into: string;
  readonly compression: LayerCompression;
  /** Seconds since the epoch that no time in it is to be later than. */
  readonly latest?: number | undefined;
}

/** The same tar in another compression, or with its times brought down. @throws CodedError data_loss when the blob does not fit its digest */
export function convertLayer(pool: WorkerPool, options: ConvertLayerOptions): Promise<ConvertedLayer> {
  const { signal, owner, bestEffort, ...args } = options;
  return pool.run(task('convertLayerTask'), args satisfies ConvertArgs, { signal, owner, bestEffort });
}

interface ApplyLayerOptions extends WorkOptions {
  /** The blob's path. */
  readonly blob: string;
  /** An empty overlay upper directory. */
  readonly directory: string;
  /** Upper directories of the layers below, top first. */
  readonly lowers?: readonly string[] | undefined;
  readonly digest?: Digest | undefined;
  readonly diffId?: Digest | undefined;
  readonly limits?: UnpackLimits | undefined;
  /** Of who is to mount the directory; root's when absent. */
  readonly privileges?: Privileges | undefined;
  /** Bytes of the blob read so far, now and then. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/**
 * Unpacks a layer (gzip, zstd or plain, told by its bytes) into an overlay upper directory, deletions in overlay form, digests verified on the way. When it
 * rejects, the directory holds a part: drop it. @throws CodedError data_loss (digests), invalid_argument (malformed or hostile archive)
 */
export function applyLayer(pool: WorkerPool, options: ApplyLayerOptions): Promise<Unpacked> {
  const { directory, lowers, digest, diffId, limits = DEFAULT_UNPACK_LIMITS, privileges = ROOT } = options;
  const whiteouts = { opaque: `${privileges.overlayXattrs}opaque` };
  return unpack(pool, options, { directory, whiteouts, lowers, digest, diffId, limits });
}

interface IndexLayerOptions extends Omit<ApplyLayerOptions, 'lowers' | 'privileges'> {
  /** A new file. */
  readonly image: string;
}

/**
 * Writes a layer that stands on none as an image (EROFS) around its tar, for a read-only mount: what costs is the bytes, not the files. False, and no file is left, when it says what only a directory shows, or tells of more entries than are
 * kept in memory. @throws as {@link applyLayer}
 */
export async function indexLayer(pool: WorkerPool, options: IndexLayerOptions): Promise<boolean> {
  const { blob, directory, image, digest, diffId, limits = DEFAULT_UNPACK_LIMITS } = options;
  const { signal, owner, onProgress } = options;
  const onMessage = (bytes: unknown) => onProgress?.(bytes as number);
  const args = { blob, directory, image, digest, diffId, limits };
  return await pool.run(task('indexTask'), args, { signal, owner, onMessage });
}

interface ArchiveTarget {
  /** An existing directory; the archive cannot leave it. Existing entries are replaced, directories merged. */
  readonly directory: string;
  /** Replaces all owners. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

interface ExtractArchiveOptions extends WorkOptions {
  /** Path of the archive. */
  readonly archive: string;
  /** Asked once, when the file is known to be an archive. */
  readonly target: () => Promise<ArchiveTarget>;
  readonly limits?: UnpackLimits | undefined;
  /** A directory for the unpacked form of xz and bzip2 archives. */
  readonly tempDirectory: string;
}

/**
 * Unpacks a tar archive (plain, gzip, zstd, or xz and bzip2 through their programs) as ADD does: no whiteouts. False, and nothing written, when the file
 * is no such archive.
 */
export async function extractArchive(pool: WorkerPool, options: ExtractArchiveOptions): Promise<boolean> {
  const { archive, limits = DEFAULT_UNPACK_LIMITS, tempDirectory, signal } = options;
  const work: WorkOptions = { signal, owner: options.owner };
  const compression = await probeArchive(pool, archive, work);
  if (compression === undefined) return false;
  const unpackFrom = async (blob: string) => {
    const { directory, owner } = await options.target();
    await unpack(pool, { blob, ...work }, { directory, whiteouts: 'plain', owner, limits });
  };
  if (compression !== 'xz' && compression !== 'bzip2') {
    await unpackFrom(archive);
    return true;
  }
  await using temp = await makeScratch(pool, { parent: tempDirectory, prefix: 'unpack-' }, work);
  const plain = join(temp.path, 'archive.tar');
  const damage = await decompressByProgram(compression, archive, plain, limits, { signal });
  if ((await probeArchive(pool, plain, work)) !== 'uncompressed') return false;
  if (damage !== undefined) throw damage;
  await unpackFrom(plain);
  return true;
}

/** How a tar archive is packed; undefined when the file is none (xz and bzip2 are told without a look inside). */
function probeArchive(pool: WorkerPool, path: string, options: WorkOptions): Promise<StreamCompression | undefined> {
  return pool.run(task('probeArchiveTask'), { path }, options);
}

async function unpack(
  pool: WorkerPool,
  { blob, signal, owner, onProgress }: Pick<ApplyLayerOptions, 'blob' | 'signal' | 'owner' | 'onProgress'>,
  args: Omit<UnpackArgs, 'blob'>,
): Promise<Unpacked> {
  const onMessage = (bytes: unknown) => onProgress?.(bytes as number);
  return await pool.run(task('unpackTask'), { ...args, blob }, { signal, owner, onMessage });
}

/** Memory that xz may take: more than its highest level needs, less than a header can ask for. */
const XZ_MEMORY = 256 * 2 ** 20;
const PROGRAM_ARGS = { xz: ['-dc', '--no-sparse', `--memlimit-decompress=${XZ_MEMORY}`], bzip2: ['-dc'] } as const;

/** Unpacks as far as it goes; the error when that was not to the end, since only what came out tells whether it is an archive. */
async function decompressByProgram(
  compression: 'xz' | 'bzip2',
  from: string,
  to: string,
  limits: UnpackLimits,
  { signal }: AbortOptions,
): Promise<CodedError | undefined> {
  signal.throwIfAborted();
  const input = openSync(encodeName(from), 'r');
  const output = openSync(to, 'w', 0o600);
  try {
    await using child = spawnProcess({
      path: 'prlimit',
      args: [`--fsize=${limits.maxUnpackedBytes}`, compression, ...PROGRAM_ARGS[compression]],
      stdin: input,
      stdout: output,
      stderr: 'null',
      dieWithParent: true,
    });
    const stop = () => child.kill();
    signal.addEventListener('abort', stop, { once: true });
    const status = await child.exited;
    signal.removeEventListener('abort', stop);
    signal.throwIfAborted();
    if (status.code === 0) return undefined;
    if (status.code === 127)
      throw CodedError.of('COMPRESSION_MISSING', `${compression} is not installed on this builder`, {
        hint: `install ${compression}, or compress the archive with gzip or zstd`,
      });
    // The kernel cuts the last write at the bound.
    if (fstatSync(output).size >= limits.maxUnpackedBytes) throw unpackLimit('maxUnpackedBytes', limits);
    return CodedError.of(
      'COMPRESSION_CORRUPT',
      `the ${compression} archive is damaged, or asks for more than ${XZ_MEMORY} bytes of memory`,
    );
  } finally {
    closeSync(input);
    closeSync(output);
  }
}
