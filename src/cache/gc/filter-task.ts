import type { DiskUsage } from './disk-usage.ts';
import { type Filter, matchesFilter } from './filter.ts';

/** Worker task: which records match, by index. A pattern that never ends takes this thread, not the serving one. */
export function match({
  filter,
  records,
}: {
  readonly filter: Filter;
  readonly records: readonly DiskUsage[];
}): number[] {
  return records.flatMap((record, index) => (matchesFilter(filter, record) ? [index] : []));
}
