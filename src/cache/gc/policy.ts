/** One rule of garbage collection (buildkitd.toml gcpolicy). Bytes and milliseconds; absent is no limit. */
export interface GcRule {
  /** Also internal, frontend and shared records. */
  readonly all?: boolean;
  /** containerd filters; alternatives. */
  readonly filters?: readonly string[];
  /** Records used within this time stay. */
  readonly keepDurationMs?: number;
  /** Never goes below this many bytes. */
  readonly reservedSpace?: number;
  /** Goes down to this many bytes. */
  readonly maxUsedSpace?: number;
  /** Frees the disk up to this many bytes. */
  readonly minFreeSpace?: number;
  /** Goes down to this many records, and looks at nothing else. */
  readonly maxRecords?: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const GB = 1_000_000_000;

/** The policy of a builder that is told none, from the size of its disk in bytes. */
export function defaultGcPolicy(disk: { readonly total: number }): readonly GcRule[] {
  const limits = {
    reservedSpace: Math.min(Math.floor(disk.total * 0.1), 10 * GB),
    maxUsedSpace: Math.min(Math.floor(disk.total * 0.8), 100 * GB),
    minFreeSpace: Math.floor(disk.total * 0.2),
  };
  return [
    {
      filters: ['type==source.local', 'type==exec.cachemount', 'type==source.git.checkout'],
      keepDurationMs: 48 * HOUR,
      maxUsedSpace: 512_000_000,
    },
    { keepDurationMs: 60 * DAY, ...limits },
    limits,
    { all: true, ...limits },
  ];
}

/**
 * Bytes of a disk that what clients send leaves free: a tenth of what collection frees, so that this comes first and others still have room to end their
 * work; a hundredth of the disk where nothing is collected by that.
 */
export function leastFree(policy: readonly GcRule[], disk: { readonly total: number }): number {
  const minFree = Math.max(...policy.map(({ minFreeSpace = 0 }) => minFreeSpace), 0);
  return Math.min(minFree > 0 ? minFree / 10 : disk.total / 100, disk.total / 10);
}

/** Whatever the policy, since records cost room too that they are not counted by: one for each step that writes nothing. */
export const RECORDS_RULE = { all: true, maxRecords: 100_000 } satisfies GcRule;

/** How many bytes of `used` a rule lets stay; undefined when it has no limit, so that all it names goes. */
export function keepBytes(rule: GcRule, used: number, free: number): number | undefined {
  const { reservedSpace = 0, maxUsedSpace = 0, minFreeSpace = 0 } = rule;
  if (reservedSpace === 0 && maxUsedSpace === 0 && minFreeSpace === 0) return undefined;
  const upper = [
    ...(maxUsedSpace > 0 ? [maxUsedSpace] : []),
    ...(minFreeSpace > 0 ? [used - (minFreeSpace - free)] : []),
  ];
  return Math.max(upper.length === 0 ? 0 : Math.min(...upper), reservedSpace);
}
