import { invalidArgument } from './errors.ts';
import { millisecondsIn } from './go-duration.ts';

/** A Go duration (`1h30m`) or a number of seconds, in milliseconds. @throws CodedError invalid_argument */
export function parseDuration(value: string | number, name: string): number {
  if (typeof value === 'number' || /^\d+$/.test(value)) return Number(value) * 1000;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(value)) {
    throw invalidArgument(`${name}: ${JSON.stringify(value)} is no duration such as 48h or 90m`);
  }
  return millisecondsIn(value);
}

const SIZES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 1 << 10,
  mi: 1 << 20,
  gi: 1 << 30,
  ti: 2 ** 40,
};

/** Bytes: a number, `10GB`, `512MiB`, or a part of the disk such as `20%`. @throws CodedError invalid_argument */
export function parseSize(value: string | number, name: string, diskBytes: number): number {
  if (typeof value === 'number') return value;
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(value);
  if (percent !== null) return Math.floor((diskBytes * Number(percent[1])) / 100);
  const size = /^(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?$/i.exec(value);
  if (size === null) throw invalidArgument(`${name}: ${JSON.stringify(value)} is no size such as 10GB or 20%`);
  return Math.floor(Number(size[1]) * SIZES[size[2]!.toLowerCase()]!);
}
