import { type AbortOptions, CodedError, type Digest, toCodedError } from '../../base/index.ts';
import { RegistryError, type Repository } from '../../oci/registry-client/index.ts';
import { isCache, type ReadRepository, readLeftovers, readReferrers, readTags, type Tagged } from './tagged.ts';

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
  /** What is attached to it under names of its own, e.g. signatures. */
  readonly attached: readonly Tagged[];
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
  const attachedTo = Map.groupBy(tags, ({ of }) => of);
  for (const tagged of tags) {
    const { tag, digest, createdAt, blobs } = tagged;
    if (!isCache(tagged)) continue;
    const known = groups.get(digest);
    const attached = attachedTo.get(digest) ?? [];
    if (known === undefined) groups.set(digest, { digest, tags: [tag], createdAt, blobs, attached });
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
  /** When a cache was last used, in ms since the epoch, by its tag: Infinity while it is, and then it stays. Where it says nothing the time counts at which it was written. */
  readonly usedAt?: (tag: string) => number | undefined;
  /** Told of each cache once it is gone, or would be. */
  readonly onDeleted?: (group: CacheGroup) => void;
}

interface Pruned {
  readonly kept: readonly CacheGroup[];
  readonly deleted: readonly CacheGroup[];
  /** Tags of signatures and the like that went: of the caches that were deleted, and of those that are named no more. */
  readonly attached: readonly string[];
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
  const { keep, dryRun, now, onDeleted, usedAt = () => undefined } = options;
  const before = await readTags(repository, options);
  const { kept, doomed } = chooseCaches(asUsed(before, usedAt), keep, now);
  const deleted: CacheGroup[] = [];
  const attached: Tagged[] = [];
  const drop = async (one: Tagged) => {
    // By its digest, which another name may stand for, too.
    if (before.some(({ tag, digest }) => digest === one.digest && tag !== one.tag)) return;
    if (dryRun || (await deleteNamed(repository, { digest: one.digest, tags: [one.tag] }, options))) attached.push(one);
  };
  // The oldest first: what is left if this is cut off is the newest.
  for (const group of doomed.toReversed()) {
    if (!dryRun && !(await deleteNamed(repository, group, options))) continue;
    deleted.push(group);
    // After it: nobody finds a cache without its signature.
    for (const one of group.attached) await drop(one);
    onDeleted?.(group);
  }
  const leftovers = await readLeftovers(repository, before, options);
  if (deleted.length === 0 && leftovers.length === 0)
    return { kept, deleted, attached: [], blobs: { count: 0, bytes: 0 } };
  // As it is now: others may have written meanwhile.
  const current = dryRun ? before : await readTags(repository, options);
  const still = new Set((dryRun ? leftovers : await readLeftovers(repository, current, options)).map(({ tag }) => tag));
  for (const one of leftovers) if (still.has(one.tag)) await drop(one);
  const gone = new Set([...deleted, ...attached].map(({ digest }) => digest));
  const after = current.filter(({ digest }) => !gone.has(digest));
  const needed = new Set(after.flatMap(({ blobs, manifests }) => [...blobs.keys(), ...manifests]));
  const roots = new Set(after.flatMap(({ manifests }) => manifests));
  for (const digest of await readReferrers(repository, roots, options)) needed.add(digest);
  const free = new Map<Digest, number>();
  for (const { blobs } of [...deleted, ...attached])
    for (const [digest, size] of blobs) if (!needed.has(digest)) free.set(digest, size);
  const bytes = [...free.values()].reduce((sum, size) => sum + size, 0);
  const told = { count: free.size, bytes };
  const pruned = { kept, deleted, attached: attached.map(({ tag }) => tag) };
  if (!options.blobs) return { ...pruned, blobs: { ...told, left: LEFT } };
  const left = dryRun ? undefined : await deleteBlobs(repository, [...free.keys()], options);
  return { ...pruned, blobs: left === undefined ? told : { ...told, left } };
}

/** With the age since they were last used, under whichever of their names. */
function asUsed(tags: readonly Tagged[], usedAt: (tag: string) => number | undefined): readonly Tagged[] {
  const used = new Map<Digest, number>();
  for (const { tag, digest } of tags) used.set(digest, Math.max(used.get(digest) ?? 0, usedAt(tag) ?? 0));
  return tags.map((tagged) => {
    const { createdAt, ...rest } = tagged;
    const at = used.get(tagged.digest) ?? 0;
    if (at === Infinity) return rest;
    return createdAt === undefined ? tagged : { ...rest, createdAt: Math.max(createdAt, at) };
  });
}

/** A manifest under all its tags. False when it is not what it was: somebody wrote another under one of them, so it is named no more, or by less than was known. */
async function deleteNamed(
  repository: PrunedRepository,
  { digest, tags }: Pick<CacheGroup, 'digest' | 'tags'>,
  options: AbortOptions,
): Promise<boolean> {
  for (const tag of tags) {
    const now = await repository.resolve(tag, options).catch((error: unknown) => {
      if (error instanceof RegistryError && error.status === 404) return undefined;
      throw error;
    });
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
