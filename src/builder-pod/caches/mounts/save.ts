import {
  type AbortOptions,
  CodedError,
  type Descriptor,
  type Digest,
  onAbort,
  systemClock,
  type WorkOptions,
} from '../../../base/index.ts';
import {
  encodeMount,
  MAX_MOUNT_CHUNKS,
  type MountIdentity,
  mountKey,
  mountName,
  mountTag,
  readMount,
  type SavedMount,
} from '../../../cache/mounts/index.ts';
import type { RefManager } from '../../../cache/ports.ts';
import { type LayerChunk, packDirectoryChunks } from '../../../oci/layers/index.ts';
import { isBlobUnknown, type Repository, type UploadOutcome } from '../../../oci/registry-client/index.ts';
import { fileStream, makeScratch, type Pools, type Privileges } from '../../../sys/index.ts';
import { endAll } from '../end-all.ts';
import type { MountsOptions } from './options.ts';

/** Chunks on their way at once: they are small. */
const PARALLEL = 4;

interface SaverDeps extends SaveDeps {
  /** What lies there of it is damaged. */
  readonly isWorthless: (identity: MountIdentity) => boolean;
}

export interface SaveDeps {
  readonly refs: RefManager;
  readonly pools: Pools;
  readonly privileges: Privileges;
  readonly tempDirectory: string;
}

/** A mount that a build has used. */
export interface UsedMount {
  /** Of the named ref. */
  readonly key: string;
  readonly identity: MountIdentity;
}

interface SaveContext extends WorkOptions {
  readonly sessions: () => readonly string[];
  /** Told of each blob that the registry has of it now. */
  readonly moved?: ((how: UploadOutcome, bytes: number) => void) | undefined;
  /** Bytes to send and sent. */
  readonly onProgress?: (sent: number, total: number) => void;
}

/** Why a mount was left as it is. */
export type NotSaved = { readonly kind: 'left'; readonly why: string };
type Saved = { readonly kind: 'saved'; readonly bytes: number; readonly manifest: Descriptor } | NotSaved;

/** Saves mounts of one build to one repository: each as it is at one moment, at which nobody writes in it. */
export class MountSaver {
  readonly #repository: Repository;
  readonly #options: MountsOptions;
  readonly #deps: SaverDeps;
  /** What is there, by the tags of mounts. */
  readonly #earlier = new Map<string, SavedMount>();

  constructor(repository: Repository, options: MountsOptions, deps: SaverDeps) {
    this.#repository = repository;
    this.#options = options;
    this.#deps = deps;
  }

  /** Asks what is there, and whether it may be written: what needs the client, which may be gone when the rest is done. @throws CodedError */
  async prepare(
    mounts: readonly UsedMount[],
    context: Pick<SaveContext, 'signal' | 'owner' | 'sessions'>,
  ): Promise<void> {
    const { signal, owner } = context;
    await this.#push(
      { digest: EMPTY.digest, size: EMPTY.bytes.length },
      async () => ReadableStream.from([EMPTY.bytes]),
      context,
    );
    for (const mount of mounts) {
      if (this.#deps.isWorthless(mount.identity)) continue;
      const tag = this.#tag(mount);
      const worker = { pool: this.#deps.pools.short, owner };
      const { check } = this.#options.trust;
      const access = {
        ...{ signal, worker },
        check: check && ((digest: Digest) => check(this.#repository, this.#image(digest), context)),
      };
      const found = await readMount(this.#repository, tag, access).catch((error: unknown) => {
        // What is no cache mount, or nobody is to believe, makes way.
        if (error instanceof CodedError && isWorthless(error)) return undefined;
        throw error;
      });
      if (found !== undefined) this.#earlier.set(tag, found);
    }
  }

  /** @throws CodedError */
  async save(mount: UsedMount, context: SaveContext): Promise<Saved> {
    const earlier = this.#earlier.get(this.#tag(mount));
    const known = new Map(earlier?.chunks.map(({ digest, blob }) => [digest, blob]) ?? []);
    try {
      return await this.#save(mount, known, context);
    } catch (error) {
      if (known.size === 0 || !isBlobUnknown(error)) throw error;
      // The registry has lost something of what was there.
      return await this.#save(mount, new Map(), context);
    }
  }

  async #save(mount: UsedMount, known: ReadonlyMap<Digest, Descriptor>, context: SaveContext): Promise<Saved> {
    const { pools, tempDirectory } = this.#deps;
    const { signal, owner } = context;
    await using scratch = await makeScratch(
      pools.short,
      { parent: tempDirectory, prefix: 'mount-' },
      { signal, owner },
    );
    const packed = await this.#pack(mount, scratch.path, known, context);
    if (packed.kind === 'left') return packed;
    const { chunks, blobs, diffId, diffSize, root } = packed;
    const sizes = [...blobs.values()].map(({ size }) => size);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    await this.#pushAll([...blobs.values()], total, context);
    const { identity } = mount;
    const { config, manifest } = encodeMount({
      ...{ id: mountName(identity.id), key: mountKey(identity), savedAt: systemClock.now(), diffId, diffSize, root },
      chunks: chunks.map(({ digest, size }) => ({
        digest,
        size,
        blob: described(blobs.get(digest) ?? known.get(digest)!),
      })),
    });
    await this.#push(config.descriptor, async () => ReadableStream.from([config.bytes]), context);
    const { mediaType, digest } = manifest.descriptor;
    const put = (as: string) => this.#repository.putManifest(as, { mediaType, bytes: manifest.bytes }, { signal });
    const { sign } = this.#options.trust;
    if (sign !== undefined) {
      // Signed before it has a name: who demands signatures finds it signed.
      await put(digest);
      await sign(this.#repository, this.#image(digest), context);
    }
    await put(this.#tag(mount));
    return { kind: 'saved', bytes: total, manifest: manifest.descriptor };
  }

  /** Reads the volume, as long as nobody else wants it. */
  async #pack(
    { key, identity }: UsedMount,
    into: string,
    known: ReadonlyMap<Digest, Descriptor>,
    context: SaveContext,
  ) {
    const { refs, pools, privileges } = this.#deps;
    const { maxBytes } = this.#options;
    const { owner } = context;
    const { scope } = identity;
    await using reading = await opened(refs.readNamed({ scope, key }, context));
    if (reading.of === 'busy') return left('a step is using it');
    if (reading.of === 'absent') return left('it is not there any more');
    const { directory, below, interrupted } = reading.of;
    const signal = AbortSignal.any([context.signal, interrupted]);
    try {
      const packed = await packDirectoryChunks(pools.bulk, {
        ...{ directory, below, into, known: new Set(known.keys()), maxBytes, maxChunks: MAX_MOUNT_CHUNKS },
        ...{ privileges, signal, owner },
      });
      if (packed.kind === 'over')
        return left(
          packed.bound === 'bytes'
            ? `it is larger than ${maxBytes} bytes (max-size)`
            : `it has more than ${MAX_MOUNT_CHUNKS} chunks, which is as much as registries take`,
        );
      if (packed.isEmpty) return left('it is empty');
      return packed;
    } catch (error) {
      context.signal.throwIfAborted();
      if (interrupted.aborted) return left('a step has begun to use it');
      throw error;
    }
  }

  async #pushAll(
    blobs: readonly (LayerChunk & { readonly path: string })[],
    total: number,
    context: SaveContext,
  ): Promise<void> {
    const failed = new AbortController();
    const signal = AbortSignal.any([context.signal, failed.signal]);
    const queue = blobs.values();
    let sent = 0;
    const workers = Array.from({ length: Math.min(PARALLEL, blobs.length) }, async () => {
      for (const blob of queue) {
        signal.throwIfAborted();
        await this.#push(blob, async (access) => fileStream(blob.path, access), { ...context, signal });
        sent += blob.size;
        context.onProgress?.(sent, total);
      }
    });
    await endAll(workers, { failed, signal: context.signal });
  }

  async #push(
    { digest, size }: LayerChunk,
    open: (options: AbortOptions) => Promise<ReadableStream<Uint8Array>>,
    { signal, moved }: SaveContext,
  ): Promise<void> {
    using aborted = onAbort(signal);
    const pushed = this.#repository.pushBlob({ digest, size, open }, { signal });
    const how = await Promise.race([pushed, aborted.promise]);
    moved?.(how, size);
  }

  #image(digest: Digest) {
    const { domain, path } = this.#options.reference;
    return { domain, path, digest };
  }

  #tag({ identity }: UsedMount): string {
    return mountTag(this.#options.prefix, mountKey(identity));
  }
}

/** What every repository may have: whether it is taken tells whether anything is. */
const EMPTY = {
  bytes: Buffer.from('{}'),
  digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
} as const;

function isWorthless({ code, reason }: CodedError): boolean {
  return (
    code === 'invalid_argument' || code === 'data_loss' || code === 'not_found' || reason === 'SIGNATURE_UNTRUSTED'
  );
}

function left(why: string): NotSaved {
  return { kind: 'left', why };
}

function described({ digest, size }: { readonly digest: Digest; readonly size: number }): Descriptor {
  return { mediaType: '', digest, size };
}

/** Of what may be none, something to dispose of. */
async function opened<T extends AsyncDisposable | string>(
  opening: Promise<T>,
): Promise<{ readonly of: T } & AsyncDisposable> {
  const of = await opening;
  return { of, [Symbol.asyncDispose]: async () => void (typeof of === 'string' || (await of[Symbol.asyncDispose]())) };
}
