import { type BuildLimits, CodedError, type Limit } from '../../base/index.ts';

/** What one layer or archive may grow to when it is unpacked. */
export interface UnpackLimits {
  /** Bytes of the unpacked archive, and of the files in it with the holes of sparse ones. */
  readonly maxUnpackedBytes: number;
  readonly maxUnpackedEntries: number;
  /** What those are called that are not the builder's own. */
  readonly names?: { readonly [name in 'maxUnpackedBytes' | 'maxUnpackedEntries']?: string };
}

type Bound = keyof NonNullable<UnpackLimits['names']>;

/** Above any image that is made on purpose, below what fills a builder's disk unseen. */
export const DEFAULT_UNPACK_LIMITS: UnpackLimits = { maxUnpackedBytes: 32 * 2 ** 30, maxUnpackedEntries: 2_000_000 };

/** The builder's limits, or the build's where they are stricter. */
export function unpackLimitsFor(build: BuildLimits, own: UnpackLimits = DEFAULT_UNPACK_LIMITS): UnpackLimits {
  const { unpackedLayerBytes: bytes, unpackedLayerEntries: entries } = build;
  const ofBuild: [Bound, Limit | undefined][] = [
    ['maxUnpackedBytes', bytes],
    ['maxUnpackedEntries', entries],
  ];
  let limits = own;
  for (const [bound, limit] of ofBuild)
    if (limit !== undefined && limit.most < limits[bound])
      limits = { ...limits, [bound]: limit.most, names: { ...limits.names, [bound]: limit.name } };
  return limits;
}

/** The error of a bound that was hit, with the bound's name and value. */
export function unpackLimit(bound: Bound, limits: UnpackLimits, cause?: unknown): CodedError {
  const what = bound === 'maxUnpackedBytes' ? 'bytes' : 'entries';
  const name = limits.names?.[bound] ?? bound;
  return CodedError.of('UNPACK_LIMIT', `it unpacks to more than ${limits[bound]} ${what} (${name})`, {
    cause,
    hint: `whoever runs the builder can raise ${name}`,
  });
}

/** What readers found too large, as {@link unpackLimit}; other errors as they are. */
export function limitError(error: unknown, limits: UnpackLimits): unknown {
  if (!(error instanceof CodedError)) return error;
  switch (error.reason) {
    case 'COMPRESSION_TOO_LARGE':
    case 'TAR_TOO_LARGE':
      return unpackLimit('maxUnpackedBytes', limits, error);
    case 'TAR_TOO_MANY':
      return unpackLimit('maxUnpackedEntries', limits, error);
    default:
      return error;
  }
}
