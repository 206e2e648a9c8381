import type Long from 'long';
import type { google } from '../wire/messages.js';

/** A decoded 64-bit field as a number; exact up to 2^53. */
export function toNumber(value: number | Long | null | undefined): number {
  return value == null ? 0 : typeof value === 'number' ? value : value.toNumber();
}

/** A decoded 64-bit field, exactly. */
export function toBigInt(value: number | Long | null | undefined): bigint {
  if (value == null) return 0n;
  return typeof value === 'number' ? BigInt(value) : (BigInt(value.high) << 32n) | BigInt(value.low >>> 0);
}

/** A 64-bit field to encode, exactly: the parts of a Long that the encoder reads. */
export function longOf(value: bigint): Long {
  const bits = BigInt.asIntN(64, value);
  return { low: Number(BigInt.asIntN(32, bits)), high: Number(bits >> 32n), unsigned: false } as Long;
}

/** A Timestamp of milliseconds since the epoch (fractions kept to the nanosecond as far as a number has them). */
export function timestampOf(ms: number): { seconds: number; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6)) };
}

/** Milliseconds since the epoch of a Timestamp; undefined when it is not set. */
export function millisecondsOf(
  timestamp: google.protobuf.Timestamp.$Properties | null | undefined,
): number | undefined {
  if (timestamp == null) return undefined;
  return toNumber(timestamp.seconds) * 1000 + (timestamp.nanos ?? 0) / 1e6;
}
