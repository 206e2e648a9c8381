export { collectBlobs } from './blobs.ts';
export { GarbageCollector } from './collector.ts';
export type { DiskUsage } from './disk-usage.ts';
export { type Filter, matchesFields, parseFilters } from './filter.ts';
export { keptBytes } from './kept-bytes.ts';
export { defaultGcPolicy, type GcRule, leastFree } from './policy.ts';
export { prune } from './prune.ts';
export { diskUsage } from './usage.ts';
