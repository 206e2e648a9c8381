import {
  type AbortOptions,
  ANNOTATION_UNCOMPRESSED,
  CodedError,
  type Descriptor,
  type Digest,
  formatImageReference,
  HOUSE,
  type ImageReference,
  isDigest,
  KeyedMutex,
  type Platform,
  parseImageReference,
  platformRank,
  type WorkOwner,
  withDefaultTag,
} from '../../../base/index.ts';
import type { Layer } from '../../../cache/ports.ts';
import {
  isConfigType,
  isLayerType,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  noMatch,
} from '../../../oci/manifest/index.ts';
import type { Caller, CredentialProvider, RegistryClient, Repository } from '../../../oci/registry-client/index.ts';
import { readDocument, siblingModule, type Task, tasksOf, type WorkerPool } from '../../../sys/index.ts';
import { ByteCache, type CachedBytes } from './byte-cache.ts';
import { imageConfig, imageDocument, MAX_DOCUMENTS, MAX_LAYERS } from './document-task.ts';

/** Of all layers of an image, packed. */
const MAX_IMAGE_BYTES = 2 ** 40;

/** `pull` asks the registry; `default` believes what it said of a tag a short time ago; `local` is taken as `default`, as there is no image store apart from it. */
export type ResolveMode = 'default' | 'pull' | 'local';

/** Names already looked up by one build: a tag means the same image from its start to its end. */
export type ResolutionMemo = Map<string, Promise<Descriptor>>;

interface ResolveImageOptions extends AbortOptions {
  /** For whom long documents are read. */
  readonly owner?: WorkOwner;
  readonly platform: Platform;
  readonly mode: ResolveMode;
  readonly scope: string;
  /** Sessions whose credentials may be used. */
  readonly sessions: () => readonly string[];
  readonly memo?: ResolutionMemo;
  /** What is no image is told as the blobs of an artifact, and not refused. */
  readonly artifacts?: boolean;
  /** Told why it takes long. */
  readonly told?: Caller['told'];
}

export interface ResolvedImage {
  /** The full name, with the tag or digest that was asked for. */
  readonly reference: string;
  /** What the name names: an index or a manifest. */
  readonly root: Descriptor;
  readonly manifest: Descriptor;
  readonly config: Uint8Array;
  /** Bottom first. */
  readonly layers: readonly Layer[];
  /** Of an artifact: its blobs, in their order; it has no configuration and no layers. */
  readonly artifact?: readonly Descriptor[];
}

/** One look-up of a name. */
interface Query extends ResolveImageOptions {
  readonly name: string;
  /** Scope and repository: what one repository served to one scope is nobody else's. */
  readonly from: string;
  readonly repository: () => Repository;
}

type Found = Omit<ResolvedImage, 'reference' | 'root'>;

/** The way down from what a name names. */
interface Search extends Query {
  readonly root: Descriptor;
  /** Platforms that were come by. */
  readonly there: Platform[];
  documents: number;
}

interface ImageResolverOptions {
  readonly client: RegistryClient;
  /** Gives the same object for the same sessions, so that tokens are reused. */
  readonly credentials: (sessions: readonly string[]) => CredentialProvider;
  /** Reads long documents. Whoever has nobody to serve meanwhile does without. */
  readonly pool?: WorkerPool;
}

const task = tasksOf<typeof import('./document-task.ts')>(siblingModule(import.meta.url, './document-task'));

/**
 * Resolves image names to manifests and configs. Manifests and configs are kept in memory (32 MiB) by scope, repository and digest: no scope reads what
 * another's credentials fetched, and no name stands for what another repository served. A tag is looked up once for a build, and not at all where the client has just heard of it.
 */
export class ImageResolver {
  readonly #options: ImageResolverOptions;
  readonly #bytes = new ByteCache(32 << 20);
  readonly #fetching = new KeyedMutex();

  constructor(options: ImageResolverOptions) {
    this.#options = options;
  }

  /** For frontends: the config of an image for one platform, and the digest to pin the name with. */
  async resolveImageConfig(
    reference: string,
    options: ResolveImageOptions,
  ): Promise<{ readonly reference: string; readonly digest: Digest; readonly config: Uint8Array }> {
    const image = await this.resolve(reference, options);
    return { reference: image.reference, digest: image.root.digest, config: image.config };
  }

  /** @throws CodedError not_found, unauthenticated, failed_precondition… naming the image */
  async resolve(reference: string, options: ResolveImageOptions): Promise<ResolvedImage> {
    const parsed = withDefaultTag(parseImageReference(reference));
    const name = formatImageReference(parsed);
    const query: Query = {
      ...options,
      name,
      from: `${options.scope}\0${parsed.domain}/${parsed.path}`,
      repository: () => this.repository(parsed, options.sessions(), { told: options.told }),
    };
    const wanted = parsed.digest ?? parsed.tag ?? 'latest';
    const root = await this.#root(wanted, query);
    try {
      return { reference: name, root, ...(await this.#descend(root, query)) };
    } catch (error) {
      query.signal.throwIfAborted();
      // What the tag named a moment ago may be gone since it names another.
      if (isDigest(wanted) || !(error instanceof CodedError && error.code === 'not_found')) throw error;
      const now = await query.repository().resolve(wanted, query);
      if (now.digest === root.digest) throw error;
      query.memo?.set(name, Promise.resolve(now));
      return { reference: name, root: now, ...(await this.#descend(now, query)) };
    }
  }

  /** A repository with the credentials of these sessions, for reading its layers. */
  repository(
    name: Pick<ImageReference, 'domain' | 'path'>,
    sessions: readonly string[],
    { insecure = false, told }: { readonly insecure?: boolean | undefined; readonly told?: Caller['told'] } = {},
  ): Repository {
    return this.#options.client.repository(name, this.#options.credentials(sessions), { insecure, told });
  }

  async #root(reference: string, query: Query): Promise<Descriptor> {
    const { name, signal, memo, mode, repository } = query;
    if (isDigest(reference)) {
      const fetched = await this.#once(query, reference, () => repository().getManifest(reference, { signal }));
      return fetched.descriptor;
    }
    for (;;) {
      const known = memo?.get(name);
      if (known === undefined) break;
      try {
        return await known;
      } catch {
        // Whoever asked first may have been cancelled; a refusal will come again.
        signal.throwIfAborted();
        if (memo?.get(name) === known) memo.delete(name);
      }
    }
    const asked =
      mode === 'pull' ? repository().resolve(reference, { signal }) : repository().resolveRecent(reference, { signal });
    memo?.set(name, asked);
    return await asked;
  }

  /** Follows indexes down to the image for the platform. A name of one image means that one, whatever it was made for. */
  async #descend(root: Descriptor, query: Query): Promise<Found> {
    const search: Search = { ...query, root, there: [], documents: 0 };
    const found = await this.#find(root, search);
    if (found === undefined) throw noMatch(root, query.platform, search.there);
    return found;
  }

  async #find(wanted: Descriptor, search: Search): Promise<Found | undefined> {
    const { root, platform, there } = search;
    if (++search.documents > MAX_DOCUMENTS)
      throw CodedError.of('OCI_MALFORMED', `more than ${MAX_DOCUMENTS} manifests lead to the image`);
    const { bytes, descriptor } = await this.#manifest(wanted, search);
    const { mediaType } = descriptor;
    const read = await this.#read(task('imageDocument'), imageDocument, { bytes, mediaType, platform }, search);
    if (read.kind === 'index') {
      there.push(...read.platforms);
      for (const entry of read.entries) {
        const found = await this.#find(entry, search);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    const { config: configured, layers } = read;
    const isNamed = descriptor.digest === root.digest || wanted.platform !== undefined;
    const isImage = isConfigType(configured.mediaType) && layers.every((layer) => isLayerType(layer.mediaType));
    if (search.artifacts === true && !isImage) {
      checkSize(layers);
      return { manifest: descriptor, config: new Uint8Array(), layers: [], artifact: layers };
    }
    if (!isConfigType(configured.mediaType)) {
      if (!isNamed) return undefined;
      throw unsupportedType('its configuration', configured.mediaType);
    }
    const config = await this.#config(configured, search);
    const { platform: of, diffIds } = await this.#read(task('imageConfig'), imageConfig, { bytes: config }, search);
    if (!isNamed && platformRank(platform, of) === undefined) {
      there.push(of);
      return undefined;
    }
    return { manifest: descriptor, config, layers: pairLayers(layers, diffIds) };
  }

  async #read<A extends { readonly bytes: Uint8Array }, R>(
    to: Task<A, R>,
    here: (args: A) => R,
    args: A,
    { signal, owner = HOUSE }: Query,
  ): Promise<R> {
    const { pool } = this.#options;
    const worker = pool === undefined ? undefined : { pool, owner };
    return await readDocument(args.bytes.length, { task: to, here }, args, { signal, worker });
  }

  async #manifest({ digest, size }: Descriptor, query: Query): Promise<CachedBytes> {
    const { signal, repository } = query;
    return await this.#once(query, digest, async () => {
      const maxBytes = Math.min(MAX_MANIFEST_BYTES, size > 0 ? size : MAX_MANIFEST_BYTES);
      return await repository().getManifest(digest, { signal, maxBytes });
    });
  }

  async #config(descriptor: Descriptor, query: Query): Promise<Uint8Array> {
    const { signal, repository } = query;
    const { bytes } = await this.#once(query, descriptor.digest, async () => ({
      descriptor,
      bytes: await repository().getBlob(descriptor, { signal, maxBytes: MAX_CONFIG_BYTES }),
    }));
    return bytes;
  }

  /** What the repository has served to the scope is not asked for again. */
  async #once({ from, signal }: Query, digest: Digest, fetch: () => Promise<CachedBytes>): Promise<CachedBytes> {
    const cached = this.#bytes.find(from, digest);
    if (cached !== undefined) return cached;
    using _turn = await this.#fetching.acquire(`${from}\0${digest}`, { signal });
    const meanwhile = this.#bytes.find(from, digest);
    if (meanwhile !== undefined) return meanwhile;
    const fetched = await fetch();
    this.#bytes.add(from, digest, fetched);
    return fetched;
  }
}

function unsupportedType(what: string, mediaType: string): CodedError {
  return CodedError.of(
    'OCI_MEDIA_TYPE',
    `${what} is of the media type ${JSON.stringify(mediaType)}, which is no part of an image`,
    {
      hint: 'this is an artifact of another kind (a chart, a signature), or was pushed by a tool that names types of its own',
    },
  );
}

function checkSize(layers: readonly Descriptor[]): void {
  if (layers.length > MAX_LAYERS)
    throw CodedError.of('OCI_TOO_LARGE', `the image has ${layers.length} layers, overlayfs takes ${MAX_LAYERS}`);
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  if (total > MAX_IMAGE_BYTES)
    throw CodedError.of('OCI_TOO_LARGE', `the layers have ${total} bytes together, more than ${MAX_IMAGE_BYTES}`);
}

function pairLayers(layers: readonly Descriptor[], diffIds: readonly Digest[]): readonly Layer[] {
  for (const { mediaType, digest } of layers)
    if (!isLayerType(mediaType)) throw unsupportedType(`layer ${digest}`, mediaType);
  checkSize(layers);
  if (layers.length !== diffIds.length)
    throw CodedError.of('OCI_MALFORMED', `malformed manifest: ${layers.length} layers, but ${diffIds.length} diff ids`);
  return layers.map((layer, i) => {
    const diffId = diffIds[i] as Digest;
    return {
      diffId,
      descriptor: { ...layer, annotations: { ...layer.annotations, [ANNOTATION_UNCOMPRESSED]: diffId } },
    };
  });
}
