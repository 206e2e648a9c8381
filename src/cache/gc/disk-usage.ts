import type { RecordType } from '../ports.ts';

/** One record of what the cache takes. Sizes in bytes, times in ms since the epoch. */
export interface DiskUsage {
  readonly id: string;
  readonly mutable: boolean;
  readonly inUse: boolean;
  /** Own snapshot and own blobs, without parents. */
  readonly size: number;
  readonly parents: readonly string[];
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly usageCount: number;
  readonly description: string;
  readonly recordType: RecordType;
  /** Something beside the cache (a lease) needs it. */
  readonly shared: boolean;
  readonly scope: string;
}
