import { CodedError, parseDuration, parseSize } from '../../base/index.ts';
import type { CacheBounds } from '../../cache/remote/index.ts';
import { AHEAD_BANDWIDTH, type ExportOptions } from '../exporters/index.ts';

/** Of a cache that takes up what is there, where nothing else is said: without bounds it would grow for ever. */
const MERGED = { keepLast: 5, maxAgeMs: 30 * 24 * 3600_000 };
const INTERVAL_MS = 10_000;

/** `keep-last`, `max-age` and `max-size` of a cache to be written. @throws CodedError CACHE_ATTRIBUTE */
export function cacheBounds(options: ExportOptions, merged: boolean): CacheBounds {
  const fallback: CacheBounds = merged ? MERGED : {};
  const keepLast = options.text('keep-last');
  if (keepLast !== undefined && !/^[1-9]\d{0,8}$/.test(keepLast))
    throw malformed('keep-last', keepLast, 'a number from 1 on');
  return {
    keepLast: keepLast === undefined ? fallback.keepLast : Number(keepLast),
    maxAgeMs: durationOption(options, 'max-age') ?? fallback.maxAgeMs,
    maxBytes: sizeOption(options, 'max-size'),
  };
}

/** `continuous-interval`, in ms. @throws CodedError CACHE_ATTRIBUTE */
export function intervalOf(options: ExportOptions): number {
  return durationOption(options, 'continuous-interval') ?? INTERVAL_MS;
}

/** `continuous-bandwidth`, in bytes a second, of this export alone; infinite for 0. @throws CodedError CACHE_ATTRIBUTE */
export function bandwidthOf(options: ExportOptions): number {
  const bandwidth = sizeOption(options, 'continuous-bandwidth') ?? AHEAD_BANDWIDTH;
  return bandwidth === 0 ? Number.POSITIVE_INFINITY : bandwidth;
}

/** In ms; undefined where it is not given. @throws CodedError CACHE_ATTRIBUTE */
export function durationOption(options: ExportOptions, key: string): number | undefined {
  const text = options.text(key);
  if (text === undefined) return undefined;
  try {
    return parseDuration(text, key);
  } catch {
    throw malformed(key, text, 'a duration such as 48h or 90m');
  }
}

/** In bytes; undefined where it is not given. @throws CodedError CACHE_ATTRIBUTE */
export function sizeOption(options: ExportOptions, key: string): number | undefined {
  const text = options.text(key);
  if (text === undefined) return undefined;
  try {
    const bytes = parseSize(text, key, Number.NaN);
    if (Number.isFinite(bytes)) return bytes;
  } catch {}
  throw malformed(key, text, 'a size such as 10GB or 512MiB');
}

function malformed(key: string, value: string, wanted: string): CodedError {
  return CodedError.of('CACHE_ATTRIBUTE', `${key}=${value} of a cache: ${wanted} is expected`, {
    hint: `write ${key} as ${wanted}`,
  });
}
