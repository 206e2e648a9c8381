import { type AbortOptions, CodedError, type Digest, toCodedError } from '../../base/index.ts';
import { RegistryError, type Repository } from '../../oci/registry-client/index.ts';
import { type ReadRepository, readReferrers, readTags, type Tagged } from './tagged.ts';

/** Which caches stay: the newest `keepLast` always; of the others those that are not too old and, newest first, have room. */
export interface KeepCaches {
  readonly keepLast?: number | undefined;
  readonly olderThanMs?: number | undefined;
  /** Bytes of their layers and documents, each counted once. */
  readonly maxBytes?: number | undefined;
}

/** A cache under its tags. */
export interface CacheGroup {
  readonly digest: Digest;
  readonly tags: readonly string[];
  readonly createdAt: number | undefined;
  readonly blobs: ReadonlyMap<Digest, number>;
}

interface PruneChoice {
  readonly kept: readonly CacheGroup[];
  readonly doomed: readonly CacheGroup[];
}

/**
 * Newest first. What says no age (as a cache whose records cannot be read) stays and takes no place, nor room, from those that do; it goes where all are
 * to go.
 */
export function chooseCaches(tags: readonly Tagged[], keep: KeepCaches, now: number): PruneChoice {
  const groups = new Map<Digest, CacheGroup & { readonly tags: string[] }>();
  for (const { tag, digest, kind, createdAt, blobs } of tags) {
    if (kind !== 'cache') continue;
    const known = groups.get(digest);
    if (known === undefined) groups.set(digest, { digest, tags: [tag], createdAt, blobs });
    else known.tags.push(tag);
  }
  // What an index that stays is made of is not a cache of its own.
  const parts = new Set(tags.flatMap(({ manifests }) => manifests.slice(1)));
  const order = [...groups.values()].sort(
    (a, b) => (b.createdAt ?? Infinity) - (a.createdAt ?? Infinity) || (a.digest < b.digest ? -1 : 1),
  );
  const kept: CacheGroup[] = [];
  const doomed: CacheGroup[] = [];
  const held = new Set<Digest>();
  const { keepLast = 0, olderThanMs, maxBytes } = keep;
  const onlyCounts = olderThanMs === undefined && maxBytes === undefined;
  let bytes = 0;
  let isFull = false;
  let place = 0;
  for (const group of order) {
    if (group.createdAt === undefined && !(onlyCounts && keepLast === 0)) {
      kept.push(group);
      continue;
    }
    let added = 0;
    for (const [digest, size] of group.blobs) if (!held.has(digest)) added += size;
    const isOld = olderThanMs !== undefined && now - (group.createdAt ?? now) > olderThanMs;
    isFull ||= maxBytes !== undefined && bytes + added > maxBytes;
    const stays = place++ < keepLast || parts.has(group.digest) || !(onlyCounts || isOld || isFull);
    (stays ? kept : doomed).push(group);
    if (!stays) continue;
    bytes += added;
    for (const digest of group.blobs.keys()) held.add(digest);
  }
  return { kept, doomed };
}

interface PruneOptions extends AbortOptions {
  readonly keep: KeepCaches;
  /**
   * Whether blobs are deleted that nothing needs any more, as far as a registry tells. It lists no images without a tag, and tells nothing of who just found a
   * blob there and is about to push a manifest that names it.
   */
  readonly blobs: boolean;
  readonly dryRun: boolean;
  readonly now: number;
  /** Told of each cache once it is gone, or would be. */
  readonly onDeleted?: (group: CacheGroup) => void;
}

interface Pruned {
  readonly kept: readonly CacheGroup[];
  readonly deleted: readonly CacheGroup[];
  /** Blobs that no kept thing needs, and their bytes: deleted, or left to the registry for this reason. */
  readonly blobs: { readonly count: number; readonly bytes: number; readonly left?: string };
}

const LEFT = "the registry's own collection deletes them; so does --blobs, for when nobody writes to the repository";

type PrunedRepository = ReadRepository & Pick<Repository, 'deleteManifest' | 'deleteBlob'>;

/**
 * Deletes caches, whole ones only, each manifest before anything that it names: whenever it ends, all that is still there by name can be read. @throws CodedError,
 * before anything is deleted where something of the repository could not be read
 */
export async function pruneCaches(repository: PrunedRepository, options: PruneOptions): Promise<Pruned> {
  const { keep, dryRun, now, onDeleted } = options;
  const before = await readTags(repository, options);
  const { kept, doomed } = chooseCaches(before, keep, now);
  const deleted: CacheGroup[] = [];
  // The oldest first: what is left if this is cut off is the newest.
  for (const group of doomed.toReversed()) {
    if (!dryRun && !(await deleteCache(repository, group, options))) continue;
    deleted.push(group);
    onDeleted?.(group);
  }
  if (deleted.length === 0) return { kept, deleted, blobs: { count: 0, bytes: 0 } };
  // As it is now: others may have written meanwhile.
  const gone = new Set(deleted.map(({ digest }) => digest));
  const after = (dryRun ? before : await readTags(repository, options)).filter(({ digest }) => !gone.has(digest));
  const needed = new Set(after.flatMap(({ blobs, manifests }) => [...blobs.keys(), ...manifests]));
  const roots = new Set(after.flatMap(({ manifests }) => manifests));
  for (const digest of await readReferrers(repository, roots, options)) needed.add(digest);
  const free = new Map<Digest, number>();
  for (const { blobs } of deleted) for (const [digest, size] of blobs) if (!needed.has(digest)) free.set(digest, size);
  const bytes = [...free.values()].reduce((sum, size) => sum + size, 0);
  const told = { count: free.size, bytes };
  if (!options.blobs) return { kept, deleted, blobs: { ...told, left: LEFT } };
  const left = dryRun ? undefined : await deleteBlobs(repository, [...free.keys()], options);
  return { kept, deleted, blobs: left === undefined ? told : { ...told, left } };
}

/** False when it is not what it was. */
async function deleteCache(
  repository: PrunedRepository,
  { digest, tags }: CacheGroup,
  options: AbortOptions,
): Promise<boolean> {
  for (const tag of tags) {
    const now = await repository.resolve(tag, options).catch((error: unknown) => {
      if (error instanceof RegistryError && error.status === 404) return undefined;
      throw error;
    });
    // Somebody wrote another cache under this name: this one is named no more, or by less than was known.
    if (now !== undefined && now.digest !== digest) return false;
  }
  try {
    return await repository.deleteManifest(digest, options);
  } catch (error) {
    throw isUnsupported(error) ? deletionRefused(error) : error;
  }
}

/** Why blobs were left, if they were. */
async function deleteBlobs(
  repository: PrunedRepository,
  digests: readonly Digest[],
  options: AbortOptions,
): Promise<string | undefined> {
  for (const digest of digests) {
    try {
      await repository.deleteBlob(digest, options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (isUnsupported(error)) return 'the registry deletes no blobs when it is asked; its own collection does';
      return `the registry did not delete all of them: ${toCodedError(error).message}`;
    }
  }
  return undefined;
}

function isUnsupported(error: unknown): boolean {
  return error instanceof RegistryError && (error.status === 405 || error.status === 501);
}

function deletionRefused(cause: unknown): CodedError {
  return new CodedError('unimplemented', 'the registry deletes nothing when it is asked (405): no cache was removed', {
    fault: 'user',
    cause,
    hint: 'enable deletion in its configuration (docker-registry: storage.delete.enabled), or remove tags with its own tools',
  });
}
