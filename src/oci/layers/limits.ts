import { CodedError } from '../../base/index.ts';

/** What one layer or archive may grow to when it is unpacked. */
export interface UnpackLimits {
  /** Bytes of the unpacked archive, and of the files in it with the holes of sparse ones. */
  readonly maxUnpackedBytes: number;
  readonly maxUnpackedEntries: number;
}

/** Above any image that is made on purpose, below what fills a builder's disk unseen. */
export const DEFAULT_UNPACK_LIMITS: UnpackLimits = { maxUnpackedBytes: 32 * 2 ** 30, maxUnpackedEntries: 2_000_000 };

/** The error of a bound that was hit, with the bound's name and value. */
export function unpackLimit(name: keyof UnpackLimits, limits: UnpackLimits, cause?: unknown): CodedError {
  const what = name === 'maxUnpackedBytes' ? 'bytes' : 'entries';
  return new CodedError('resource_exhausted', `it unpacks to more than ${limits[name]} ${what} (${name})`, {
    cause,
    fault: 'policy',
    reason: 'UNPACK_LIMIT',
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
