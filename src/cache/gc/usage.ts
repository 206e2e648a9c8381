import { type AbortOptions, CodedError, HOUSE, isTurnSpent, nextTurn } from '../../base/index.ts';
import { siblingModule, tasksOf } from '../../sys/index.ts';
import type { RecordType } from '../ports.ts';
import type { Refs } from '../refs/index.ts';
import type { DiskUsage } from './disk-usage.ts';
import { type Filter, hasPattern, matchesFilter } from './filter.ts';

interface Row {
  readonly id: string;
  readonly kind: string;
  readonly snapshot: string | null;
  readonly size: number | null;
  readonly created_at: number;
  readonly last_used_at: number;
  readonly usage_count: number;
  readonly description: string;
  readonly record_type: RecordType;
  readonly leased: number;
  readonly scope: string;
}

const task = tasksOf<typeof import('./filter-task.ts')>(siblingModule(import.meta.url, './filter-task'));
const FILTER_TIMEOUT_MS = 2_000;
/** Records that are read, or copied into a worker, at once. */
const PAGE = 200;

/** All records, or those that match. Sizes not known yet are measured in workers and remembered. */
export async function diskUsage(
  refs: Refs,
  options: AbortOptions & { readonly filter?: Filter; readonly scope?: string },
): Promise<DiskUsage[]> {
  const records: DiskUsage[] = [];
  for (const row of rowsOf(refs)) {
    if (isTurnSpent()) await nextTurn(options);
    if (options.scope !== undefined && row.scope !== options.scope) continue;
    records.push({
      id: row.id,
      mutable: row.kind === 'mutable',
      inUse: refs.records.inUse(row.id),
      size: row.size ?? (await measure(refs, row, options)),
      parents: refs.records.parents(row.id),
      createdAt: row.created_at,
      lastUsedAt: row.last_used_at,
      usageCount: row.usage_count,
      description: row.description,
      recordType: row.record_type,
      shared: row.leased === 1,
      scope: row.scope,
    });
  }
  return options.filter === undefined ? records : filterRecords(refs, records, options.filter, options);
}

/** All refs, read in pages: of a hundred thousand the rows alone take long. */
function* rowsOf(refs: Refs): Generator<Row, void, void> {
  const { db } = refs.records.options;
  let after = '';
  while (true) {
    const rows = db.all<Row>(
      `SELECT r.*, EXISTS (SELECT 1 FROM lease_resources l WHERE l.kind = 'ref' AND l.resource = r.id) AS leased
       FROM refs r WHERE r.id > ? ORDER BY r.id LIMIT ?`,
      ...[after, PAGE],
    );
    yield* rows;
    if (rows.length < PAGE) return;
    after = rows.at(-1)!.id;
  }
}

/** The records that match; patterns are tried in a worker, for a bounded time. */
export async function filterRecords(
  refs: Refs,
  records: readonly DiskUsage[],
  filter: Filter,
  { signal }: AbortOptions,
): Promise<DiskUsage[]> {
  const matching: DiskUsage[] = [];
  if (!hasPattern(filter)) {
    for (const record of records) {
      if (isTurnSpent()) await nextTurn({ signal });
      if (matchesFilter(filter, record)) matching.push(record);
    }
    return matching;
  }
  const timeout = AbortSignal.timeout(FILTER_TIMEOUT_MS);
  try {
    const { short } = refs.records.options.pools;
    // To copy all of a hundred thousand at once takes long.
    for (let at = 0; at < records.length; at += PAGE) {
      if (isTurnSpent()) await nextTurn({ signal });
      const page = records.slice(at, at + PAGE);
      const options = { signal: AbortSignal.any([signal, timeout]), owner: HOUSE };
      const indexes = await short.run(task('match'), { filter, records: page }, options);
      matching.push(...indexes.map((index) => page[index] as DiskUsage));
    }
    return matching;
  } catch (error) {
    if (signal.aborted || !timeout.aborted) throw error;
    throw new CodedError('deadline_exceeded', 'a pattern of the filter takes too long', {
      fault: 'user',
      cause: error,
    });
  }
}

async function measure(refs: Refs, row: Row, { signal }: AbortOptions): Promise<number> {
  const { db, snapshotter, content } = refs.records.options;
  const snapshot = row.kind === 'mutable' ? row.id : row.snapshot;
  let size = 0;
  // One that several refs share counts for the first.
  const first = db.get<{ id: string | null }>('SELECT min(id) AS id FROM refs WHERE snapshot = ?', snapshot)?.id;
  if (snapshot !== null && (first ?? row.id) === row.id && snapshotter.has(snapshot))
    size += (await snapshotter.usage(snapshot, { signal, owner: HOUSE })).bytes;
  for (const blob of refs.records.blobs(row.id)) {
    if (blob.held === 1) size += content.info(blob.digest as `sha256:${string}`)?.size ?? 0;
  }
  const kept = 'SELECT coalesce(sum(length(value)), 0) AS bytes FROM ref_metadata WHERE ref = ?';
  size += db.get<{ bytes: number }>(kept, row.id)?.bytes ?? 0;
  // What is being written changes on.
  if (row.kind !== 'mutable' || !refs.records.inUse(row.id))
    db.ifRoom(() => db.run('UPDATE refs SET size = ? WHERE id = ?', size, row.id));
  return size;
}
