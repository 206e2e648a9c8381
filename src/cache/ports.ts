import type { AbortOptions, BuildLimits, Descriptor, Digest, WorkOptions } from '../base/index.ts';
import type { OpContext } from '../solver/ports.ts';

/** A mount as mount(2) takes it; `options` as in /proc/mounts, e.g. `lowerdir=…`. */
export interface Mount {
  readonly type: 'overlay' | 'bind' | 'tmpfs';
  readonly source: string;
  readonly options: readonly string[];
}

/** The containerd verbs. `key` names an active snapshot, `name` a committed one; a parent is always committed. */
export interface Snapshotter {
  prepare(key: string, parent: string | undefined, options: WorkOptions): Promise<void>;
  commit(name: string, key: string, options: WorkOptions): Promise<void>;
  /**
   * Where an image of the whole content of an active snapshot may be written, of a layer of so many packed bytes, or of what the caller alone knows to be worth it; undefined where it is to be written as files: it stands
   * on another, or such images cannot be mounted here, or are not worth it, or are too many.
   */
  imageFile(key: string, size: number | undefined, options: WorkOptions): Promise<string | undefined>;
  /** From now on the snapshot holds what the image in {@link imageFile} says, read-only, and only waits for {@link commit}. False, and the image is gone, where it cannot be mounted after all. */
  useImage(key: string, options: WorkOptions): Promise<boolean>;
  /** Mounts of an active snapshot (writable) or a committed one (read-only). */
  mounts(keyOrName: string): readonly Mount[];
  remove(keyOrName: string, options: AbortOptions): Promise<void>;
  /** Directory with what this snapshot alone holds, deletions in overlay form (char 0/0 whiteouts, an attribute of opaque directories). */
  upperDir(keyOrName: string): string;
  /** {@link upperDir}, and what a stack holds itself of its layers. */
  ownDirs(keyOrName: string): readonly string[];
  /** All directories that a committed snapshot is made of, top first. */
  directories(name: string): readonly string[];
  /** Where a layer of its own goes of what {@link commitStack} is to commit; not there until somebody makes it. */
  layerDir(key: string, position: number): string;
  /**
   * Commits a stack: on its parent lies what each of these committed snapshots alone holds, bottom first, without copies; undefined is what lies in
   * {@link layerDir}. They stay as long as it does.
   */
  commitStack(name: string, key: string, layers: readonly (string | undefined)[], options: WorkOptions): Promise<void>;
  usage(keyOrName: string, options: WorkOptions): Promise<{ readonly bytes: number; readonly inodes: number }>;
  list(): readonly { readonly name: string; readonly kind: 'active' | 'committed'; readonly parent?: string }[];
  has(keyOrName: string): boolean;
  /** An active snapshot that lives on between builds is not being written now: it may be marked durable. */
  settle(key: string): void;
  /** Opposite of {@link settle}: until settled again, a power loss loses it. Once this resolves it may be written. */
  unsettle(key: string, options: AbortOptions): Promise<void>;
  /** Resolves when what was removed takes no room any more. */
  reclaimed(options: AbortOptions): Promise<void>;
}

/** Where bytes of a blob are found. `read` yields verified-on-completion bytes only where it says so. */
interface BlobProvider {
  /** Streams the blob from `offset`; @throws CodedError not_found | unavailable | unauthenticated. */
  open(
    descriptor: Descriptor,
    options: AbortOptions & { readonly offset?: number },
  ): Promise<ReadableStream<Uint8Array>>;
}

/** Local content by digest: temp file, fsync, rename. */
export interface ContentStore extends BlobProvider {
  has(digest: Digest): boolean;
  /** Path of the blob file, for workers; @throws not_found. */
  path(digest: Digest): string;
  info(digest: Digest): { readonly size: number } | undefined;
  /**
   * Takes bytes; commits only if digest and size fit (when given). Two writers of one digest are both right. A stream is read to its end also when the
   * blob is here: who brings a digest is to show its bytes, and what lay here damaged is replaced. What
   * is here is as if written anew.
   */
  ingest(
    source: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Uint8Array,
    expected: { readonly digest?: Digest; readonly size?: number },
    options: AbortOptions,
  ): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** A temp file on the store's file system for a worker to write; then {@link adopt} or dispose. */
  temp(): Promise<{ readonly path: string } & AsyncDisposable>;
  /** Commits a file that a worker wrote and hashed. */
  adopt(path: string, digest: Digest, size: number, options: WorkOptions): Promise<void>;
  /** With `before` only if it was not written or taken again since (ms since the epoch); whether it was there and is gone. */
  remove(digest: Digest, options?: { readonly before?: number }): Promise<boolean>;
  /** Reads the whole blob: whether it is here and its bytes are what the digest says. */
  verify(digest: Digest, options: WorkOptions): Promise<boolean>;
  /** Every blob; `writtenAt` in ms since the epoch, also of the last {@link ingest} that found it here. */
  list(): AsyncIterable<{ readonly digest: Digest; readonly size: number; readonly writtenAt: number }>;
  /** Every blob, read on the calling thread: for a start, when no other is there yet and nobody waits for this one. */
  digests(): ReadonlySet<Digest>;
}

/** A layer of an image or ref: the compressed descriptor (annotations hold `containerd.io/uncompressed`), its diff id. */
export interface Layer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** What packed it, by the name that builders have for it, where one of them is known to have done so. */
  readonly compressor?: string | undefined;
}

export type RecordType =
  | 'internal'
  | 'frontend'
  | 'source.local'
  | 'source.git.checkout'
  | 'exec.cachemount'
  | 'regular';

/** Something mounted; disposing unmounts. `root` is a directory path. */
export interface Mounted extends AsyncDisposable {
  readonly root: string;
  readonly mounts: readonly Mount[];
}

/** A handle on a file-system state that never changes. Counted: `release` each handle once. */
export interface ImmutableRef {
  readonly id: string;
  clone(): ImmutableRef;
  release(): Promise<void>;
  /** Whether content still lies elsewhere. */
  readonly lazy: boolean;
  /** Pulls and unpacks what is lazy; then the mount values of a read-only view. @throws LostResultError when its content cannot be had */
  mounts(options: RefOptions): Promise<readonly Mount[]>;
  /**
   * A view to be read: mounted read-only somewhere private, or where it is one directory, for which no mount is made, that directory itself. Nobody writes below a view
   * (`builder-pod/engine/views.engine.test.ts` holds all who have one to that). @throws LostResultError
   */
  mount(options: RefOptions): Promise<Mounted>;
  /** Blobs of the whole chain, bottom first, made where missing (diff, compress). Empty for scratch. @throws LostResultError */
  layers(options: RefOptions & LayerOptions): Promise<readonly Layer[]>;
  /** The same where each is made already, or was given; undefined where one is not. */
  packed(options: LayerOptions): readonly Layer[] | undefined;
  /**
   * A layer of this ref, as {@link layers} gave it, with no time in it later than `latest` (seconds since the epoch), packed so in any case. What is made of it
   * stands for the layer in images only. @throws LostResultError
   */
  clamped(
    layer: Layer,
    options: RefOptions & { readonly compression: Compression; readonly latest: number },
  ): Promise<Layer>;
  /** Opens a layer blob of this ref: local content, else the first of its places that gives it. @throws LostResultError */
  openBlob(descriptor: Descriptor, options: RefOptions): Promise<ReadableStream<Uint8Array>>;
  /**
   * For who failed on this ref's content, or is about to hand it on unread: looks whether the snapshots are there and the bytes of `blob`, fetched if
   * they are not here, are what its digest says. @throws LostResultError when not; what is damaged is forgotten, so that it is had anew.
   */
  check(options: RefOptions & { readonly blob?: Descriptor }): Promise<void>;
  /** Told of a push: the place has been given this blob, so that the scope of the ref may have it by that name without its bytes coming back, if they are here. */
  givenTo(blob: Descriptor, place: BlobPlace): void;
  /** Persistent metadata of the ref, e.g. content-hash trees; string keys. */
  getMetadata(key: string): string | undefined;
  setMetadata(key: string, value: string): void;
}

/** A handle on a file system being written. */
export interface WritableRef {
  readonly id: string;
  mounts(): readonly Mount[];
  mount(options: WorkOptions): Promise<Mounted>;
  /** What is in it so far, beside whoever is writing, and to be read alone, as {@link ImmutableRef.mount} has it. */
  view(options: WorkOptions): Promise<Mounted>;
  release(): Promise<void>;
}

/** One that becomes a state that never changes: end with `commit` or `release` (drops it). */
export interface MutableRef extends WritableRef {
  /** {@link Snapshotter.imageFile} of what the caller knows to be worth an image. */
  imageFile(options: WorkOptions): Promise<string | undefined>;
  /** {@link Snapshotter.useImage}. */
  useImage(options: WorkOptions): Promise<boolean>;
  /** With `whole` it is one layer of all that is in it, whatever it was written on; with `passing` it is gone with the last handle. */
  commit(options: WorkOptions & { readonly whole?: boolean; readonly passing?: boolean }): Promise<ImmutableRef>;
}

/** One with a name, under which it lives on. */
export interface NamedWritableRef extends WritableRef {
  /** Without a first `keep` it is dropped when its last holder releases it. */
  keep(): Promise<void>;
}

/** How layers are wanted. */
interface LayerOptions {
  readonly compression?: Compression;
  /** Layers of other refs, packed so, by what only the builder knows: they are taken as they are, and those that are not there are entered. For many refs that stand on each other. */
  readonly known?: Map<string, Layer> | undefined;
}

/** Session ids whose credentials may be used to pull lazy content now. */
export interface RefOptions extends WorkOptions {
  readonly sessions: () => readonly string[];
  /** Of the builds: what a layer may grow to that is unpacked for them, beside the builder's own limits. */
  readonly limits?: (() => BuildLimits) | undefined;
  /** Nobody waits for what is packed: it gives way to whatever else wants the cores, until somebody does. */
  readonly bestEffort?: boolean;
  /** Told of pulling and unpacking: row id (blob digest or `extracting <digest>`), bytes so far, total. */
  readonly onProgress?: (row: { id: string; current: number; total: number; completed: boolean }) => void;
  /** Told, a line at a time, why pulling takes long. */
  readonly told?: ((line: string) => void) | undefined;
}

export interface Compression {
  readonly type: 'gzip' | 'estargz' | 'zstd' | 'uncompressed';
  readonly level?: number;
  /** Convert blobs that exist in another form. */
  readonly force?: boolean;
  /**
   * The bytes that any builder would make, whatever it has and was asked before: what was made here in another way is made anew. Blobs that were given, and are not to be
   * converted, stay.
   */
  readonly reproducible?: boolean;
}

/** What a new ref is kept as. */
export interface Describing {
  readonly description: string;
  readonly recordType?: RecordType;
  readonly scope?: string;
}

export interface RefManager {
  /** A writable ref on top of `parent` (scratch when undefined); a lazy parent is pulled with the given sessions. */
  create(
    parent: ImmutableRef | undefined,
    options: WorkOptions &
      Partial<RefOptions> & { readonly description: string; readonly recordType?: RecordType; readonly scope?: string },
  ): Promise<MutableRef>;
  /** A new handle on a stored ref; undefined when unknown or its content is gone. */
  get(id: string): Promise<ImmutableRef | undefined>;
  /**
   * Drops a stored ref that no build will ask for again, and those below it of its kind that were there for it alone; false when something still needs
   * one of them.
   */
  forget(id: string): Promise<boolean>;
  /**
   * A lazy ref for a chain of layers, known by descriptors, that may be had from any of these places, tried in this order. What it holds is had only once one of them
   * has delivered every byte of it to this scope, whatever lies in the store; then equal chains of the scope share snapshots.
   */
  fromLayers(
    layers: readonly Layer[],
    options: WorkOptions & {
      readonly places: readonly BlobPlace[];
      readonly description: string;
      readonly recordType?: RecordType;
      readonly scope?: string;
    },
  ): Promise<ImmutableRef>;
  /**
   * These one above the other, bottom first: what each changed of what it was made on, counts above those before it. Nothing is pulled, unpacked or copied; it
   * has their layers.
   */
  merge(refs: readonly ImmutableRef[], options: WorkOptions & Describing): Promise<ImmutableRef>;
  /** What makes `upper` (undefined: nothing) of `lower`: the layers in between where it stands on it, else one of its own. */
  diff(lower: ImmutableRef, upper: ImmutableRef | undefined, options: WorkOptions & Describing): Promise<ImmutableRef>;
  /** The file system without files, of the scope; it has no layers, nor has what is made on it any of it. */
  empty(options: WorkOptions & { readonly scope?: string }): Promise<ImmutableRef>;
  /**
   * Named writable refs that live on between builds (cache mounts, git mirrors), one holder at a time per id unless shared.
   */
  openNamed(name: NamedRef, options: OpenNamedOptions): Promise<NamedWritableRef>;
  /**
   * What an instance of the name has, as nobody writes in it: of those that nobody has open, until somebody wants it. Nobody waits: `busy` where all are open, `absent`
   * where nothing is kept.
   */
  readNamed(name: Omit<NamedRef, 'sharing'>, options: WorkOptions): Promise<NamedReading | 'absent' | 'busy'>;
  /**
   * From now on the name, and those that go on from it with a colon, start empty. Who has an instance open keeps it to the end; the promise is that of removing the others.
   */
  forgetNamed(name: Omit<NamedRef, 'sharing'>): Promise<void>;
}

export interface OpenNamedOptions extends WorkOptions {
  readonly parent?: ImmutableRef;
  readonly description: string;
  readonly recordType: RecordType;
  /** Asked where the name has no instance yet; others who want it wait meanwhile. */
  readonly fill?: NamedFill | undefined;
}

export interface NamedRef {
  readonly scope: string;
  readonly key: string;
  readonly sharing: 'shared' | 'private' | 'locked';
}

/**
 * Fills the empty directory of a new instance, an overlay upper directory on `lowers` (top first) where there are any. False where that did not come to be: what it has left there is thrown away. Throws only
 * when it is aborted.
 */
export type NamedFill = (
  target: { readonly directory: string; readonly lowers: readonly string[] },
  options: WorkOptions,
) => Promise<boolean>;

/** A cache mount of a step. */
export interface CacheMountUse {
  /** Of the named ref. */
  readonly key: string;
  readonly id: string;
  /** What it begins with, where that is not nothing. */
  readonly seed: ImmutableRef | undefined;
}

/** What builds ask for of one cache mount. */
export interface ExchangedMount {
  /** Undefined where none has it restored. */
  readonly fill: NamedFill | undefined;
  /** To be told once the step has let go of it. */
  used(): void;
}

/** Where what is in cache mounts comes from, and where it goes to. */
export interface CacheMountExchange {
  /** Undefined where none of the builds that want the step asks for anything. */
  of(mount: CacheMountUse, user: OpContext): Promise<ExchangedMount | undefined>;
}

/** Files of a named ref that are read. Disposing lets go of them. */
export interface NamedReading extends AsyncDisposable {
  readonly directory: string;
  /** A view of what the directory is an overlay upper directory on. */
  readonly below: string | undefined;
  /** Somebody is waiting to write: end it, and count on nothing that was read. */
  readonly interrupted: AbortSignal;
}

/**
 * Where the bytes of a blob may be had, and who answers for them when they come from there. A new kind is a member here and a {@link BlobFetcher} of its own,
 * and nothing else.
 */
export type BlobPlace =
  | {
      readonly kind: 'registry';
      readonly host: string;
      readonly repository: string;
      /** TLS is not verified, plain HTTP is allowed. */
      readonly insecure?: boolean;
    }
  /** An OCI layout on the builder's machine. */
  | { readonly kind: 'local'; readonly directory: string }
  /** What a build opened in this life, with credentials that are in no name. */
  | { readonly kind: 'store'; readonly store: string };

/** Reads from places of one kind, with the credentials of a build that wants it now. */
export interface BlobFetcher<P extends BlobPlace = BlobPlace> {
  /** Whether the name of a place means the same to later lives and other clients. What lives with a session does not, and is not written down. */
  readonly lasting: boolean;
  /** Who is asked: what is pulled at once is bounded by it. */
  host(place: P): string;
  open(place: P, descriptor: Descriptor, options: RefOptions): Promise<ReadableStream<Uint8Array>>;
}

export type BlobFetchers = {
  readonly [K in BlobPlace['kind']]?: BlobFetcher<Extract<BlobPlace, { kind: K }>>;
};
