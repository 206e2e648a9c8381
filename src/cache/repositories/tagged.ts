import { type AbortOptions, CodedError, type Descriptor, type Digest, inSlices, Semaphore } from '../../base/index.ts';
import { isIndexType, isManifestType, MAX_MANIFEST_BYTES, parseManifestOrIndex } from '../../oci/manifest/index.ts';
import { RegistryError, type Repository } from '../../oci/registry-client/index.ts';
import { signatureTag } from '../../oci/signature/index.ts';
import { decodeMount, MAX_MOUNT_CONFIG_BYTES, MOUNT_CONFIG_TYPE } from '../mounts/artifact.ts';
import { CACHE_CONFIG_TYPE, MAX_CACHE_CONFIG_BYTES, readCacheConfig } from '../remote/cache-config.ts';

/** Requests to the registry at once. */
const PARALLEL = 6;
/** Manifests that one tag leads to. */
const MOST_MANIFESTS = 5000;
/** As many as a registry is asked for: whether there are more is not known then. */
const MOST_TAGS = 100_000;

/** In which a cache that has been pushed and signed is given its name. */
const WRITING_MS = 3_600_000;

export type ReadRepository = Pick<Repository, 'tags' | 'resolve' | 'getManifest' | 'getBlob' | 'referrers'>;

/** A tag, and all that has to be in the repository for it. */
export interface Tagged {
  readonly tag: string;
  readonly digest: Digest;
  /**
   * `cache` is one of its own, in BuildKit's form, and `mounts` a saved cache mount; `attached` is what cosign keeps of another manifest (signatures, attestations, a bill of materials), named by its digest; everything else (images, with or without
   * records in their configuration) is never pruned.
   */
  readonly kind: 'cache' | 'mounts' | 'attached' | 'other';
  /** What it is attached to. */
  readonly of?: Digest;
  /** There are signatures of it; of whom is not known here. */
  readonly signed: boolean;
  /** Manifests, itself first. */
  readonly manifests: readonly Digest[];
  /** Blobs with their sizes: layers and configs. */
  readonly blobs: ReadonlyMap<Digest, number>;
  readonly manifestBytes: number;
  /** Of a cache that could be read. */
  readonly records?: number;
  /** When the newest result of a cache was made, or a mount was saved, in ms since the epoch; undefined where it says nothing. */
  readonly createdAt?: number;
  /** Why a cache cannot be read: its records are damaged, or gone. */
  readonly fault?: string;
}

/**
 * What a repository's tags stand for. A tag that went meanwhile is left out. @throws CodedError for whatever else could not be read: nothing is known of it then
 */
export async function readTags(
  repository: ReadRepository,
  options: AbortOptions & { readonly only?: string | undefined },
): Promise<readonly Tagged[]> {
  const tags = options.only === undefined ? await repository.tags(options) : [options.only];
  if (tags.length >= MOST_TAGS)
    throw new CodedError('resource_exhausted', `the repository has ${MOST_TAGS} tags or more`, { fault: 'user' });
  const places = new Semaphore(PARALLEL);
  const byDigest = new Map<Digest, Promise<Root>>();
  const read = async (tag: string): Promise<({ readonly tag: string } & Root) | undefined> => {
    using _place = await places.acquire(options);
    const found = await orGone(repository.resolve(tag, options), options.only !== undefined);
    if (found === undefined) return undefined;
    const known = byDigest.get(found.digest) ?? readRoot(repository, found.digest, options);
    byDigest.set(found.digest, known);
    const root = await orGone(known, options.only !== undefined);
    return root === undefined ? undefined : { tag, ...root };
  };
  const all = (await Promise.all(tags.map(read))).filter((tagged) => tagged !== undefined);
  const signed = new Set(tags.flatMap((tag) => (isSignature(tag) ? (attachedTo(tag) ?? []) : [])));
  if (options.only !== undefined)
    for (const { digest } of all)
      if ((await orGone(repository.resolve(signatureTag(digest), options), false)) !== undefined) signed.add(digest);
  return all.map((tagged) => {
    const of = attachedTo(tagged.tag);
    const isSigned = signed.has(tagged.digest);
    return of === undefined ? { ...tagged, signed: isSigned } : { ...tagged, kind: 'attached', of, signed: isSigned };
  });
}

/** What a manifest leads to, under whatever name. */
type Root = Omit<Tagged, 'tag' | 'of' | 'signed'>;

/** Whether it is there to be found by builds, and may go. */
export function isCache({ kind }: Pick<Tagged, 'kind'>): boolean {
  return kind === 'cache' || kind === 'mounts';
}

const ATTACHED = /^sha256-([0-9a-f]{64})\.(?:sig|att|sbom)$/;

function attachedTo(tag: string): Digest | undefined {
  const hex = ATTACHED.exec(tag)?.[1];
  return hex === undefined ? undefined : `sha256:${hex}`;
}

function isSignature(tag: string): boolean {
  return tag.endsWith('.sig');
}

/**
 * Of these tags, what is attached to a cache that no tag names any more, or to nothing that is there: what replaced caches leave behind. Not that of caches which are young, or may be: they are signed before they have a name.
 * @throws CodedError as {@link readTags}
 */
export async function readLeftovers(
  repository: ReadRepository,
  tags: readonly Tagged[],
  options: AbortOptions & { readonly now: number },
): Promise<readonly Tagged[]> {
  const named = new Set(tags.flatMap(({ kind, manifests }) => (kind === 'attached' ? [] : manifests)));
  const places = new Semaphore(PARALLEL);
  const left = tags.filter(({ of }) => of !== undefined && !named.has(of));
  const found = await Promise.all(
    left.map(async (tagged) => {
      using _place = await places.acquire(options);
      const root = await orGone(readRoot(repository, tagged.of as Digest, options), false);
      // An image may have been pushed by its digest alone.
      const isLeft =
        root === undefined || (isCache(root) && options.now - (root.createdAt ?? options.now) > WRITING_MS);
      return isLeft ? [tagged] : [];
    }),
  );
  return found.flat();
}

async function orGone<T>(asked: Promise<T>, isAskedFor: boolean): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (!isAskedFor && error instanceof RegistryError && error.status === 404) return undefined;
    throw error;
  }
}

async function readRoot(repository: ReadRepository, digest: Digest, options: AbortOptions): Promise<Root> {
  const manifests: Digest[] = [];
  const blobs = new Map<Digest, number>();
  let manifestBytes = 0;
  let config: Descriptor | undefined;
  let layers: readonly Descriptor[] = [];
  const open = [digest];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (manifests.includes(next)) continue;
    if (manifests.length >= MOST_MANIFESTS)
      throw new CodedError('resource_exhausted', `${digest} leads to more than ${MOST_MANIFESTS} manifests`);
    // An index may name what was never pushed; what is asked for by itself is there.
    const found = await orGone(
      repository.getManifest(next, { ...options, maxBytes: MAX_MANIFEST_BYTES }),
      next === digest,
    );
    if (found === undefined) continue;
    manifests.push(next);
    manifestBytes += found.bytes.length;
    const parsed = parseManifestOrIndex(found.bytes, found.descriptor.mediaType);
    const listed =
      parsed.kind === 'index' ? parsed.index.manifests : [parsed.manifest.config, ...parsed.manifest.layers];
    for (const descriptor of listed) {
      const { mediaType } = descriptor;
      if (parsed.kind === 'index' && (isManifestType(mediaType) || isIndexType(mediaType)))
        open.push(descriptor.digest);
      else blobs.set(descriptor.digest, descriptor.size);
      if (next === digest && (mediaType === CACHE_CONFIG_TYPE || mediaType === MOUNT_CONFIG_TYPE)) config = descriptor;
    }
    if (next === digest && parsed.kind === 'manifest') layers = parsed.manifest.layers;
  }
  const reached = { digest, manifests, blobs, manifestBytes };
  if (config === undefined) return { ...reached, kind: 'other' };
  if (config.mediaType === MOUNT_CONFIG_TYPE)
    return { ...reached, kind: 'mounts', ...(await saidOfMount(repository, config, layers, options)) };
  return { ...reached, kind: 'cache', ...(await said(repository, config, options)) };
}

/** What the records of a cache tell of it as a whole. @throws CodedError where the registry does not give them for now */
async function said(
  repository: ReadRepository,
  config: Descriptor,
  options: AbortOptions,
): Promise<Pick<Tagged, 'records' | 'createdAt' | 'fault'>> {
  try {
    const bytes = await repository.getBlob(config, { ...options, maxBytes: MAX_CACHE_CONFIG_BYTES });
    const { records } = await inSlices(readCacheConfig(bytes), options);
    let newest = 0;
    for (const { results } of records) for (const { createdAt } of results) newest = Math.max(newest, createdAt);
    return { records: records.length, ...(newest === 0 ? {} : { createdAt: newest }) };
  } catch (error) {
    options.signal.throwIfAborted();
    if (!isDamage(error)) throw error;
    return { fault: error.message };
  }
}

async function saidOfMount(
  repository: ReadRepository,
  config: Descriptor,
  layers: readonly Descriptor[],
  options: AbortOptions,
): Promise<Pick<Tagged, 'createdAt' | 'fault'>> {
  try {
    const bytes = await repository.getBlob(config, { ...options, maxBytes: MAX_MOUNT_CONFIG_BYTES });
    return { createdAt: decodeMount(bytes, layers).savedAt };
  } catch (error) {
    options.signal.throwIfAborted();
    if (!isDamage(error)) throw error;
    return { fault: error.message };
  }
}

/** Whether it would be the same at the next try: what a registry does not give just now says nothing of a cache. */
function isDamage(error: unknown): error is CodedError {
  if (error instanceof RegistryError) return error.status === 404;
  if (!(error instanceof CodedError)) return false;
  return error.code === 'data_loss' || error.reason === 'CACHE_MALFORMED' || error.reason === 'REGISTRY_TOO_LARGE';
}

/** Manifests that say of themselves that they belong to one of these, and are named by no tag: with their blobs. */
export async function readReferrers(
  repository: ReadRepository,
  subjects: Iterable<Digest>,
  options: AbortOptions,
): Promise<ReadonlySet<Digest>> {
  const needed = new Set<Digest>();
  const seen = new Set<Digest>(subjects);
  const places = new Semaphore(PARALLEL);
  const follow = async (subject: Digest): Promise<readonly Digest[]> => {
    using _place = await places.acquire(options);
    return (await repository.referrers(subject, options)).map(({ digest }) => digest);
  };
  for (let open = [...seen]; open.length > 0; ) {
    const found = new Set((await Promise.all(open.map(follow))).flat().filter((digest) => !seen.has(digest)));
    open = [...found];
    for (const digest of open) {
      seen.add(digest);
      const root = await orGone(readRoot(repository, digest, options), false);
      for (const one of [digest, ...(root?.manifests ?? []), ...(root?.blobs.keys() ?? [])]) needed.add(one);
    }
  }
  return needed;
}
