import { invalidArgument, isTimeUnit, nanosecondsIn } from '../base/index.ts';
import { quote } from './text.ts';

/** `1h2m3.5s` in nanoseconds. @throws CodedError invalid_argument */
export function parseDuration(text: string): number {
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)$/u.exec(text);
  if (match === null) throw invalidArgument(`time: ${faultOf(text)} duration ${quote(text)}`);
  const nanoseconds = Math.trunc(nanosecondsIn(match[2]!));
  if (!Number.isSafeInteger(nanoseconds)) throw invalidArgument(`time: invalid duration ${quote(text)}`);
  return match[1] === '-' ? -nanoseconds : nanoseconds;
}

/** What Go's time package says of a text that is no duration. */
function faultOf(text: string): string {
  const unsigned = text.replace(/^[+-]/, '');
  if (!/^\.?\d/.test(unsigned)) return 'invalid';
  for (const [, unit = ''] of unsigned.matchAll(/(?:\d+\.?\d*|\.\d+)([^\d.]*)/gu)) {
    if (unit === '') return 'missing unit in';
    if (!isTimeUnit(unit)) return `unknown unit ${quote(unit)} in`;
  }
  return 'invalid';
}

/** `1h0m5s`, `1.5s`, `20ms`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${nanoseconds / 1e3}µs`;
  if (nanoseconds < 1e9) return `${nanoseconds / 1e6}ms`;
  const hours = Math.floor(nanoseconds / 3600e9);
  const minutes = Math.floor((nanoseconds % 3600e9) / 60e9);
  const seconds = `${(nanoseconds % 60e9) / 1e9}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
