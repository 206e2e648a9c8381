import { type BuilderPool, parseDuration } from '../../resources/index.ts';
import type { KnownRun } from '../known.ts';

const DEFAULT_MS = 3_600_000;
const DEFAULT_MOST_MS = 24 * 3_600_000;

/** How long an attempt may take, and who says so. */
export interface TimeLimit {
  readonly ms: number;
  /** For a person whose build has met it. */
  readonly from: string;
}

/** The Build's own timeout or the pool's default, and never more than the pool's maximum. */
export function timeLimit(
  { spec }: Pick<KnownRun, 'spec'>,
  pool: Pick<BuilderPool, 'metadata' | 'spec'> | undefined,
): TimeLimit {
  const { timeout } = spec.buildSpec;
  const { defaultTimeout, maxTimeout } = pool?.spec ?? {};
  const of = `the BuilderPool${pool === undefined ? '' : ` ${pool.metadata.name}`}`;
  const most = maxTimeout === undefined ? DEFAULT_MOST_MS : parseDuration(maxTimeout);
  const wanted: TimeLimit =
    timeout !== undefined
      ? { ms: parseDuration(timeout), from: 'spec.timeout' }
      : defaultTimeout !== undefined
        ? { ms: parseDuration(defaultTimeout), from: `defaultTimeout of ${of}; spec.timeout sets another` }
        : { ms: DEFAULT_MS, from: 'the default; spec.timeout sets another' };
  if (wanted.ms <= most) return wanted;
  return { ms: most, from: `maxTimeout of ${of}` };
}
