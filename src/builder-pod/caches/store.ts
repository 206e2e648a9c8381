import type { AbortOptions, Descriptor, Digest, WorkOwner } from '../../base/index.ts';
import type { BlobPlace, Layer } from '../../cache/ports.ts';
import type { ReadCache, RecordToWrite } from '../../cache/remote/index.ts';
import type { CacheAsker, CacheWritten } from '../engine/index.ts';
import type { ExportContext, ExportOptions, LayerSource } from '../exporters/index.ts';

/** A layer of a cache that is to be written. */
export interface LayerToWrite extends Layer {
  readonly source: LayerSource;
}

/** What a cache is to say: records, and what is to be known of the layers that they name. */
export interface CacheContent {
  readonly records: readonly RecordToWrite[];
  /** By digest; at least those that records name. */
  readonly layers: ReadonlyMap<string, LayerToWrite>;
}

/** The same as its store keeps it. */
export interface CacheIndex {
  /** Of the document with the records, as {@link ReadCache.configDigest}: who has read an equal one need not write it. */
  readonly configDigest?: Digest;
  /** Of the document that readers bound. */
  readonly size: number;
  /** Layers that it names, each once. */
  readonly blobs: readonly Digest[];
  /** Puts what it needs beside its layers, while these are put. Nothing names that yet. */
  begin?(context: ExportContext): Promise<void>;
  /** Puts it under the cache's names, in place of what they stood for. All its layers are there by then, and what {@link begin} puts. */
  write(context: ExportContext): Promise<CacheWritten>;
}

export interface StoreAccess extends AbortOptions {
  /** Whose credentials, or directories, may be used. */
  readonly sessions: () => readonly string[];
}

/** For whom it is read. */
export interface ReadAccess extends StoreAccess {
  readonly owner: WorkOwner;
}

/**
 * Where one cache lies, of whatever type: an index, which is replaced as a whole, and blobs by digest, which never change. Failures are CodedErrors: `unavailable` for what may pass,
 * `permission_denied` and `unauthenticated` for what is refused, REF_CONTENT_GONE for a blob that is not there.
 */
export interface CacheStore {
  /** For people; no secrets in it. */
  readonly name: string;
  /** Names what is read here among all that a build reads: equal ids have equal content. */
  readonly id: string;
  /** Where lazy refs have its blobs. */
  readonly place: BlobPlace;
  /** Blobs that are written at once. */
  readonly parallel: number;
  /** It takes no blob whose bytes are not what its digest says. */
  readonly verifies: boolean;
  /** It lets go of blobs that nobody has asked it to keep for a while, whether or not an index names them. */
  readonly forgets: boolean;
  /** Caches under its names: several where images have one each, none where nothing is there yet, or `not_found`. Reads no layer. @throws CodedError */
  read(access: ReadAccess): Promise<readonly ReadCache[]>;
  encode(content: CacheContent, options: AbortOptions): Promise<CacheIndex>;
  /** Whether a blob is there; one that is stays for a while. @throws CodedError */
  keepBlob(descriptor: Descriptor, access: StoreAccess): Promise<boolean>;
  /** Writes a blob, unless it is there and stays for a while. @throws CodedError */
  putBlob(layer: LayerSource, context: ExportContext, onProgress: (bytes: number) => void): Promise<void>;
  /** @throws CodedError */
  openBlob(descriptor: Descriptor, access: StoreAccess): Promise<ReadableStream<Uint8Array>>;
}

/** What a store is opened for, and by whom. */
export interface CacheUse extends CacheAsker {
  readonly as: 'importer' | 'exporter';
}

/** A type of caches that lie in a store of their own. A new one is one of these and a line in the table of types. */
export interface CacheType {
  readonly type: string;
  /** Of the vertex that writes one. */
  readonly exporting: string;
  /** What an exporter's store has can be read, and replaced at any time: `merge` and `mode=continuous` are possible. */
  readonly replaceable?: boolean;
  /** A cache can have signatures beside it. */
  readonly signed?: boolean;
  /** Attributes that may be left empty as secrets: where a Secret does not have them, they are none. */
  readonly optional?: readonly string[];
  /** The store that the attributes name, which they are checked for at once. @throws CodedError CACHE_ATTRIBUTE */
  store(options: ExportOptions, use: CacheUse): (sessions: () => readonly string[]) => CacheStore;
}
