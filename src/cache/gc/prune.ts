import { type AbortOptions, isTurnSpent, LargeMap, nextTurn } from '../../base/index.ts';
import { fileSystemUsage } from '../../sys/index.ts';
import type { Refs } from '../refs/index.ts';
import { type CollectOptions, collectBlobs } from './blobs.ts';
import type { DiskUsage } from './disk-usage.ts';
import { parseFilters } from './filter.ts';
import { Heap } from './heap.ts';
import { type GcRule, keepBytes } from './policy.ts';
import { diskUsage, filterRecords } from './usage.ts';

export interface PruneOptions extends AbortOptions, GcRule, Pick<CollectOptions, 'busySince'> {
  /** Records of this scope only. */
  readonly scope?: string;
  /** Told of each record removed. */
  readonly onRecord?: (record: DiskUsage) => void;
  /** Blobs that no ref or lease names go when older than this; 10 minutes by default, since what was just taken may be named next. */
  readonly blobGraceMs?: number;
}

const BLOB_GRACE_MS = 600_000;
/** What a use weighs against time since the last one. */
const USE_WEIGHT_MS = 3_600_000;
const MAX_USES = 48;

/**
 * Removes what a rule names, least worth first, one record at a time, until the rule's limit is met; what is in use, leased, or under something that
 * stays, stays. @returns the records removed
 */
export async function prune(refs: Refs, options: PruneOptions): Promise<DiskUsage[]> {
  const { records } = refs;
  const filter = parseFilters(options.filters ?? [], 'prune');
  const all = await diskUsage(refs, options);
  const used = all.reduce((sum, { size }) => sum + size, 0);
  const { free } = fileSystemUsage(records.options.mountDirectory);
  const keep = keepBytes(options, used, free);
  const { maxRecords } = options;
  const removed: DiskUsage[] = [];
  // Without a limit all of them go, also what takes no room.
  const excess = keep === undefined ? Number.POSITIVE_INFINITY : used - keep;
  const isEnough =
    maxRecords === undefined ? (freed: number) => freed >= excess : () => removed.length >= all.length - maxRecords;
  if (!isEnough(0)) {
    const until = records.now() - (options.keepDurationMs ?? 0);
    const named = await filterRecords(refs, all, filter, options);
    const candidates = named.filter((record) => {
      if (record.inUse || record.shared || (options.keepDurationMs !== undefined && record.lastUsedAt > until))
        return false;
      return options.all || (record.recordType !== 'internal' && record.recordType !== 'frontend');
    });
    await removeUntil(refs, candidates, isEnough, options, removed);
  }
  await collectBlobs(refs, { ...options, graceMs: options.blobGraceMs ?? BLOB_GRACE_MS });
  // What is told as removed is free, for whoever builds next and for the next rule.
  await records.options.snapshotter.reclaimed(options);
  return removed;
}

async function removeUntil(
  refs: Refs,
  candidates: readonly DiskUsage[],
  isEnough: (freed: number) => boolean,
  { signal, onRecord }: PruneOptions,
  removed: DiskUsage[],
): Promise<void> {
  const byId = LargeMap.byText<string, DiskUsage>();
  const worth = ({ lastUsedAt, usageCount }: DiskUsage) => lastUsedAt + Math.min(usageCount, MAX_USES) * USE_WEIGHT_MS;
  // Leaves only: a parent becomes one when its last child goes.
  const leaves = new Heap<DiskUsage>((a, b) => worth(a) - worth(b));
  for (const record of candidates) {
    if (isTurnSpent()) await nextTurn({ signal });
    byId.set(record.id, record);
    if (!refs.records.hasChildren(record.id)) leaves.push(record);
  }
  let freed = 0;
  for (let record = leaves.pop(); record !== undefined && !isEnough(freed); record = leaves.pop()) {
    signal.throwIfAborted();
    if (isTurnSpent()) await nextTurn({ signal });
    if (!(await refs.remove(record.id))) continue;
    freed += record.size;
    removed.push(record);
    onRecord?.(record);
    for (const id of new Set(record.parents)) {
      const parent = byId.get(id);
      if (parent !== undefined && !refs.records.hasChildren(id)) leaves.push(parent);
    }
  }
}
