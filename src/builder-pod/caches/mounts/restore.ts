import {
  CodedError,
  NO_LIMITS,
  systemClock,
  timeoutSignal,
  toCodedError,
  type WorkOptions,
} from '../../../base/index.ts';
import {
  type MountIdentity,
  mountKey,
  mountName,
  mountTag,
  readMount,
  type SavedMount,
} from '../../../cache/mounts/index.ts';
import type { ContentStore, NamedFill } from '../../../cache/ports.ts';
import {
  hasRoom,
  noRoom,
  type UnpackLimits,
  unpackDirectoryChunks,
  unpackLimitsFor,
} from '../../../oci/layers/index.ts';
import type { Repository } from '../../../oci/registry-client/index.ts';
import type { OpContext, VertexProgress } from '../../../solver/index.ts';
import type { Pools, Privileges } from '../../../sys/index.ts';
import { withRow } from '../../exporters/index.ts';
import { endAll } from '../end-all.ts';
import type { MountsOptions } from './options.ts';

const PARALLEL = 4;

export interface RestoreDeps {
  readonly content: ContentStore;
  readonly pools: Pools;
  readonly privileges: Privileges;
  readonly unpackLimits?: UnpackLimits | undefined;
  /** Bytes of the disk that are left to others. */
  readonly keepFree: number;
}

interface Restoring extends Pick<OpContext, 'progress' | 'limits'> {
  /** What lies there is not what it says it is: nothing is to be made of it. */
  readonly onDamage: (from: MountsOptions, identity: MountIdentity) => void;
}

/** A repository that a build has mounts restored from. */
export interface MountsImport {
  /** Whose mounts it may have, the nearest first. */
  readonly scopes: readonly string[];
  readonly options: MountsOptions;
  readonly open: () => Repository;
  readonly sessions: () => readonly string[];
  /** It has failed, and is not asked again by its build. */
  isDead: boolean;
}

/**
 * Fills a new volume with what was saved of it, or of the same mount in another scope that the build may read: of the nearest scope, by the first repository that has it. Whatever goes wrong costs time, and one warning.
 */
export function restoring(
  mount: MountIdentity,
  imports: readonly MountsImport[],
  { progress, limits, onDamage }: Restoring,
  deps: RestoreDeps,
): NamedFill {
  return async (target, options) => {
    for (const { from, identity } of candidates(mount, imports)) {
      if (from.isDead) continue;
      const { timeoutMs } = from.options;
      const late = timeoutSignal(timeoutMs);
      const bounded = { ...options, signal: AbortSignal.any([options.signal, late]) };
      let isWritten = false;
      try {
        const saved = await find(identity, from, bounded, deps);
        if (saved === undefined) continue;
        const { keepFree } = deps;
        const least = leastRoom(saved);
        if (!hasRoom(target.directory, least, keepFree)) noRoom(least, keepFree);
        await withRow({ progress }, `restoring cache mount ${mountName(identity.id)}`, async (update) => {
          const total = saved.chunks.reduce((sum, { blob }) => sum + blob.size, 0);
          const blobs = await pull(saved, from, deps, { ...bounded, onProgress: (bytes) => update(bytes, total) });
          isWritten = true;
          const most = unpackLimitsFor(limits() ?? NO_LIMITS, deps.unpackLimits);
          await unpackDirectoryChunks(deps.pools.bulk, {
            ...{ blobs, diffId: saved.diffId, root: saved.root, privileges: deps.privileges, keepFree },
            limits: { ...most, maxUnpackedBytes: Math.min(most.maxUnpackedBytes, saved.diffSize) },
            ...target,
            ...bounded,
          });
          update(total, total);
        });
        return true;
      } catch (error) {
        options.signal.throwIfAborted();
        const cause = late.aborted ? tooLate(timeoutMs) : toCodedError(error);
        const isDamaged = isDamage(cause);
        const isRoomless = cause.reason === 'CACHE_DISK';
        // Another mount may be whole, or smaller.
        from.isDead = !isDamaged && !isRoomless;
        if (isDamaged) onDamage(from.options, identity);
        tell(identity, from, cause, progress);
        // Another one needs an empty directory, and as much room.
        if (isWritten || isRoomless) return false;
      }
    }
    return false;
  };
}

/** Where it may be had, in that order. */
function* candidates(mount: MountIdentity, imports: readonly MountsImport[]) {
  const most = Math.max(...imports.map(({ scopes }) => scopes.length));
  for (let nth = 0; nth < most; nth++)
    for (const from of imports) {
      const scope = from.scopes[nth];
      if (scope !== undefined) yield { from, identity: { ...mount, scope } };
    }
}

async function find(
  identity: MountIdentity,
  { options, open, sessions }: MountsImport,
  { signal, owner }: WorkOptions,
  { pools }: RestoreDeps,
): Promise<SavedMount | undefined> {
  const key = mountKey(identity);
  const repository = open();
  const { check } = options.trust;
  const { domain, path } = options.reference;
  const saved = await readMount(repository, mountTag(options.prefix, key), {
    check: check && ((digest) => check(repository, { domain, path, digest }, { signal, sessions })),
    signal,
    worker: { pool: pools.short, owner },
  });
  if (saved === undefined) return undefined;
  if (saved.key !== key) throw CodedError.of('CACHE_MALFORMED', 'what is saved there is of another cache mount');
  if (systemClock.now() - saved.savedAt > options.maxAgeMs) return undefined;
  if (saved.diffSize > options.maxBytes)
    throw CodedError.of('CACHE_MALFORMED', `it has ${saved.diffSize} bytes, more than ${options.maxBytes} (max-size)`);
  return saved;
}

/** Brings all chunks here, each once; paths of their blobs, in the order of chunks. Each blob is held to its digest on its way. */
async function pull(
  { chunks }: SavedMount,
  { open }: MountsImport,
  { content }: RestoreDeps,
  context: WorkOptions & { readonly onProgress: (bytes: number) => void },
): Promise<readonly string[]> {
  const repository = open();
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const queue = new Map(chunks.map(({ blob }) => [blob.digest, blob])).values();
  let bytes = 0;
  const workers = Array.from({ length: PARALLEL }, async () => {
    for (const blob of queue) {
      signal.throwIfAborted();
      await content.ingest(await repository.openBlob(blob, { signal }), blob, { signal });
      bytes += blob.size;
      context.onProgress(bytes);
    }
  });
  await endAll(workers, { failed, signal: context.signal });
  return chunks.map(({ blob }) => content.path(blob.digest));
}

/** Bytes that it takes at the least, as it comes and unpacked, but for holes within chunks. Those of holes alone are the same. */
function leastRoom({ chunks }: SavedMount): number {
  const distinct = new Map(chunks.map(({ digest, size, blob }) => [digest, size + blob.size])).values();
  return distinct.reduce((sum, bytes) => sum + bytes, 0);
}

/** Whether it is what is saved that is wrong, and not where it lies. */
function isDamage({ code, reason }: CodedError): boolean {
  return code === 'data_loss' || code === 'invalid_argument' || code === 'not_found' || reason === 'UNPACK_LIMIT';
}

function tooLate(timeoutMs: number): CodedError {
  return new CodedError('deadline_exceeded', `it took longer than ${timeoutMs / 1000} s (timeout)`);
}

function tell({ id }: MountIdentity, { options }: MountsImport, error: CodedError, progress: VertexProgress): void {
  progress.warn({
    level: 1,
    short: `the cache mount ${mountName(id)} could not be restored from ${options.name}: it starts empty`,
    detail: [error.message],
  });
}
