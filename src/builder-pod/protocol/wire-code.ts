import { failureKind } from '../../base/index.ts';
import type { WireCode } from '../../builder-api/index.ts';

/** Details of failures whose code clients of BuildKit look at; the table of reasons has the others. */
const CODED_DETAILS: ReadonlySet<string> = new Set(['errdefs.FrontendCap']);

/**
 * BuildKit gives most failures no code, and its clients print every code before the text: so only cancellations and what they act upon have
 * theirs. What a failure really is goes with its details, for clients of ours.
 */
export const buildkitCode: WireCode = ({ code, reason, details }) =>
  code === 'cancelled' ||
  code === 'deadline_exceeded' ||
  (reason !== undefined && failureKind(reason).coded === true) ||
  details.some(({ type }) => CODED_DETAILS.has(type))
    ? code
    : 'unknown';
