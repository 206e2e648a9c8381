import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import type { Digest } from '../../base/index.ts';
import { encodeName, type TaskContext } from '../../sys/index.ts';
import { ChunkCutter } from './chunk-cutter.ts';
import { isLargerThan } from './measure.ts';
import { openDirectory, packTree } from './walk.ts';

/** Fast: what is in caches is mostly packed already, and is read as often as it is written. */
const ZSTD_LEVEL = 3;

export interface PackChunksArgs {
  readonly directory: string;
  readonly below?: string | undefined;
  /** A directory for the blobs of chunks that are not known, each under the hex of its digest. */
  readonly into: string;
  /** Digests of chunks that need no blob. */
  readonly known: ReadonlySet<Digest>;
  /** Of the tar. */
  readonly maxBytes: number;
  readonly maxChunks: number;
  readonly overlayXattrs: string;
}

/** A part of a tar. */
export interface LayerChunk {
  readonly digest: Digest;
  readonly size: number;
}

/** The metadata of a directory itself, which no layer has of its root. */
export interface RootMetadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface ChunkedLayer {
  readonly kind: 'packed';
  readonly diffId: Digest;
  /** Bytes of the tar. */
  readonly diffSize: number;
  /** In order; the same one may come again. */
  readonly chunks: readonly LayerChunk[];
  /** By the digest of a chunk that was not known: its zstd frame, which lies in a file. */
  readonly blobs: ReadonlyMap<Digest, LayerChunk & { readonly path: string }>;
  readonly root: RootMetadata;
  /** Nothing is in it. */
  readonly isEmpty: boolean;
}

/** What it is more than it may be, as soon as that is known. */
export interface OverBound {
  readonly kind: 'over';
  readonly bound: 'bytes' | 'chunks';
}

/** A directory as a layer's tar in chunks, each of them a zstd frame. */
export function packChunks(
  args: PackChunksArgs,
  context: Pick<TaskContext, 'throwIfAborted'>,
): ChunkedLayer | OverBound {
  const { directory, below, into, known, maxBytes, maxChunks, overlayXattrs } = args;
  const check = () => context.throwIfAborted();
  // Holes take as long to read as what is stored.
  if (isLargerThan(maxBytes, directory, { below, check })) return { kind: 'over', bound: 'bytes' };
  const tar = createHash('sha256');
  let diffSize = 0;
  const chunks: LayerChunk[] = [];
  const blobs = new Map<Digest, LayerChunk & { readonly path: string }>();
  const distinct = new Set<Digest>();
  const take = (bytes: Uint8Array) => {
    context.throwIfAborted();
    const digest = sha256(bytes);
    chunks.push({ digest, size: bytes.length });
    distinct.add(digest);
    if (known.has(digest) || blobs.has(digest)) return;
    const frame = zstdCompressSync(bytes, {
      params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
    });
    const blob = sha256(frame);
    const path = join(into, blob.slice(blob.indexOf(':') + 1));
    writeFile(path, frame);
    blobs.set(digest, { digest: blob, size: frame.length, path });
  };
  const cutter = new ChunkCutter();
  const tree = packTree(directory, { below, overlayXattrs, check });
  for (const bytes of tree) {
    context.throwIfAborted();
    tar.update(bytes);
    diffSize += bytes.length;
    if (diffSize > maxBytes) return { kind: 'over', bound: 'bytes' };
    for (const chunk of cutter.push(bytes)) take(chunk);
    if (distinct.size > maxChunks || chunks.length > MOST_REPEATED * maxChunks)
      return { kind: 'over', bound: 'chunks' };
  }
  for (const chunk of cutter.finish()) take(chunk);
  if (distinct.size > maxChunks) return { kind: 'over', bound: 'chunks' };
  const diffId: Digest = `sha256:${tar.digest('hex')}`;
  return { kind: 'packed', diffId, diffSize, chunks, blobs, root: rootOf(directory), isEmpty: diffSize <= END_BYTES };
}

/** Chunks may be the same, as those of large sparse files are. */
const MOST_REPEATED = 4;
/** A tar without entries, with the padding of its last record. */
const END_BYTES = 1024;

function sha256(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function writeFile(path: string, bytes: Uint8Array): void {
  const fd = openSync(encodeName(path), 'w', 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
  } finally {
    closeSync(fd);
  }
}

function rootOf(path: string): RootMetadata {
  using directory = openDirectory(path);
  const { mode, uid, gid } = fstatSync(directory.fd);
  return { mode: mode & 0o7777, uid, gid };
}
