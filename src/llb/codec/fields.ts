import { CodedError } from '../../base/index.ts';
import type { WireMessage, WireValue } from './schema.ts';

// Readers of wire messages that fill in proto3 defaults, and builders that leave absent members out.

export const str = (message: WireMessage, name: string): string => (message[name] as string | undefined) ?? '';
export const bool = (message: WireMessage, name: string): boolean => (message[name] as boolean | undefined) ?? false;
export const bytes = (message: WireMessage, name: string): Uint8Array =>
  (message[name] as Uint8Array | undefined) ?? new Uint8Array();
export const big = (message: WireMessage, name: string): bigint =>
  BigInt((message[name] as number | bigint | undefined) ?? 0);
export const sub = (message: WireMessage, name: string): WireMessage | undefined =>
  message[name] as WireMessage | undefined;
export const strings = (message: WireMessage, name: string): readonly string[] =>
  (message[name] as readonly string[] | undefined) ?? [];
export const list = (message: WireMessage, name: string): readonly WireMessage[] =>
  (message[name] as readonly WireMessage[] | undefined) ?? [];

/** An integer; those beyond 2^53 lose their lowest bits. */
export const num = (message: WireMessage, name: string): number =>
  Number((message[name] as number | bigint | undefined) ?? 0);

export function numbers(message: WireMessage, name: string): readonly number[] {
  return ((message[name] as readonly (number | bigint)[] | undefined) ?? []).map(Number);
}

export function record<T>(message: WireMessage, name: string, read: (value: WireValue) => T): Record<string, T> {
  const entries = message[name] as ReadonlyMap<string, WireValue> | undefined;
  const result: Record<string, T> = Object.create(null) as Record<string, T>;
  for (const [key, value] of entries ?? []) result[key] = read(value);
  return result;
}

export function toMap<T>(values: Readonly<Record<string, T>>, write: (value: T) => WireValue): Map<string, WireValue> {
  return new Map(Object.entries(values).map(([key, value]) => [key, write(value)]));
}

/** A closed enum by position; `what` names it in errors. @throws CodedError invalid_argument for a number that this version does not know. */
export function enumOf<const T extends readonly string[]>(
  what: string,
  names: T,
): {
  read(message: WireMessage, field: string): T[number];
  write(name: T[number]): number;
} {
  return {
    read(message, field) {
      const value = num(message, field);
      const name = names[value];
      if (name === undefined) throw CodedError.of('MALFORMED_MESSAGE', `invalid ${what} ${value}`);
      return name;
    },
    write: (name) => names.indexOf(name),
  };
}

/** Drops members that are undefined, for exactOptionalPropertyTypes. */
export function compact<T extends Record<string, unknown>>(
  value: T,
): { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
} {
  const result: Record<string, unknown> = {};
  for (const key in value) if (value[key] !== undefined) result[key] = value[key];
  return result as never;
}
