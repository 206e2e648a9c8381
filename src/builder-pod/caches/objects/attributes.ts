import { CodedError, millisecondsIn } from '../../../base/index.ts';
import type { ExportOptions } from '../../exporters/index.ts';

/** Documents that one cache is written as. */
const MAX_NAMES = 32;
const DURATION = /^\+?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/u;

/** Names under which a cache is written, separated by semicolons. @throws CodedError CACHE_ATTRIBUTE */
export function namesOf(options: ExportOptions): readonly string[] {
  const names = (options.text('name') ?? 'buildkit').split(';');
  if (names.length <= MAX_NAMES) return names;
  throw wrongAttribute(`a cache has ${MAX_NAMES} names at most`);
}

/** @throws CodedError CACHE_ATTRIBUTE */
export function positiveInteger(text: string, key: string): number {
  if (/^\+?\d{1,9}$/.test(text) && Number(text) > 0) return Number(text);
  throw wrongAttribute(`${key} must be a positive integer`);
}

/** Milliseconds of a duration as Go writes it; undefined for what is none. */
export function durationOf(text: string): number | undefined {
  return DURATION.test(text) ? millisecondsIn(text) : undefined;
}

export function wrongAttribute(message: string, hint?: string): CodedError {
  return CodedError.of('CACHE_ATTRIBUTE', message, hint === undefined ? {} : { hint });
}

/** Whether it is an address that is asked over HTTP. */
export function isHttpUrl(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? '');
}
