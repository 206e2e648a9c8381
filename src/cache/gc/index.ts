export { collectBlobs } from './blobs.ts';
export { GarbageCollector, type GarbageCollectorOptions } from './collector.ts';
export type { DiskUsage } from './disk-usage.ts';
export { type Filter, parseFilters } from './filter.ts';
export { defaultGcPolicy, type GcRule, keepBytes } from './policy.ts';
export { type PruneOptions, prune } from './prune.ts';
export { diskUsage } from './usage.ts';
