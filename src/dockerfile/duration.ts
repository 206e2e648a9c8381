import { invalidArgument } from '../base/index.ts';
import { quote } from './text.ts';

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** `1h2m3.5s` in nanoseconds. @throws CodedError invalid_argument */
export function parseDuration(text: string): number {
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)$/u.exec(text);
  if (match === null) throw invalidArgument(`time: ${faultOf(text)} duration ${quote(text)}`);
  let total = 0;
  for (const [, number, unit] of match[2]!.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gu))
    total += Number(number) * UNITS[unit!]!;
  const nanoseconds = Math.trunc(total);
  if (!Number.isSafeInteger(nanoseconds)) throw invalidArgument(`time: invalid duration ${quote(text)}`);
  return match[1] === '-' ? -nanoseconds : nanoseconds;
}

/** What Go's time package says of a text that is no duration. */
function faultOf(text: string): string {
  const unsigned = text.replace(/^[+-]/, '');
  if (!/^\.?\d/.test(unsigned)) return 'invalid';
  for (const [, unit = ''] of unsigned.matchAll(/(?:\d+\.?\d*|\.\d+)([^\d.]*)/gu)) {
    if (unit === '') return 'missing unit in';
    if (!Object.hasOwn(UNITS, unit)) return `unknown unit ${quote(unit)} in`;
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
