import { LargeMap } from '../../base/index.ts';
import { malformed, WireReader } from './reader.ts';
import { WireWriter } from './writer.ts';

type ScalarType = 'string' | 'bytes' | 'bool' | 'int32' | 'int64' | 'uint32' | 'uint64';
type FieldType = ScalarType | (() => Schema);

export interface Field {
  readonly number: number;
  readonly name: string;
  readonly type: FieldType;
  readonly cardinality: 'one' | 'many' | 'map' | 'oneof';
  /** Name of the oneof group. */
  readonly group?: string;
}

export interface Schema {
  readonly name: string;
  /** In the order they are written in: by number, members of a oneof after all others (as Go's protobuf library has it). */
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
  /** Those whose values are messages. */
  readonly messages: readonly MessageField[];
  /** Those of many values. */
  readonly lists: readonly Field[];
}

interface MessageField extends Field {
  readonly type: () => Schema;
}

/** Fields that this version does not know, as received, tag included; they are written back after the known ones. */
export const UNKNOWN = Symbol('unknown fields');

/** A decoded message by field name; what was not on the wire is absent. 64-bit integers are bigint where a number is not exact. */
export interface WireMessage {
  [field: string]: WireValue | undefined;
  [UNKNOWN]?: Uint8Array[];
}
export type WireValue =
  | string
  | Uint8Array
  | boolean
  | number
  | bigint
  | WireMessage
  | readonly WireValue[]
  | ReadonlyMap<string, WireValue>;

export function message(name: string, fields: readonly Field[]): Schema {
  const sorted = fields.toSorted(
    (a, b) => Number(a.group !== undefined) - Number(b.group !== undefined) || a.number - b.number,
  );
  const messages = sorted.filter((field): field is MessageField => typeof field.type === 'function');
  const lists = sorted.filter(({ cardinality }) => cardinality === 'many' || cardinality === 'map');
  return { name, fields: sorted, byNumber: new Map(sorted.map((field) => [field.number, field])), messages, lists };
}
export const one = (number: number, name: string, type: FieldType): Field => ({
  number,
  name,
  type,
  cardinality: 'one',
});
export const many = (number: number, name: string, type: FieldType): Field => ({
  number,
  name,
  type,
  cardinality: 'many',
});
/** Keys are always strings here. */
export const map = (number: number, name: string, type: FieldType): Field => ({
  number,
  name,
  type,
  cardinality: 'map',
});
export const oneof = (number: number, name: string, type: FieldType, group: string): Field => ({
  number,
  name,
  type,
  cardinality: 'oneof',
  group,
});

/** Definitions nest in source maps and build ops; deeper than this is an attack. */
const MAX_DEPTH = 64;

/** @throws CodedError invalid_argument on malformed input. */
export function decodeMessage(schema: Schema, bytes: Uint8Array): WireMessage {
  return decodeInto(schema, {}, bytes, 0);
}

function decodeInto(schema: Schema, target: WireMessage, bytes: Uint8Array, depth: number): WireMessage {
  if (depth > MAX_DEPTH) throw malformed(`nested deeper than ${MAX_DEPTH} messages`);
  const reader = new WireReader(bytes);
  while (!reader.done) readField(schema, target, reader, depth);
  return target;
}

/** A message of so many bytes is short work, whatever it is. */
const SHORT_BYTES = 16 * 1024;

/** {@link decodeMessage} that yields after each field, of the message and of longer ones in it. */
export function* decodeSteps(
  schema: Schema,
  bytes: Uint8Array,
  target: WireMessage = {},
  depth = 0,
): Generator<void, WireMessage, void> {
  if (depth > MAX_DEPTH) throw malformed(`nested deeper than ${MAX_DEPTH} messages`);
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const start = reader.at;
    const tag = reader.uint32();
    const field = schema.byNumber.get(tag >>> 3);
    const inner = (tag & 7) === 2 && typeof field?.type === 'function' ? reader.delimited() : undefined;
    if (field === undefined || inner === undefined || inner.length <= SHORT_BYTES) {
      reader.at = start;
      readField(schema, target, reader, depth);
    } else if (field.cardinality === 'map') {
      // An entry is a message of a key and a value.
      const { key, value } = yield* decodeSteps(entryOfField(field), inner, {}, depth);
      put(target, field, (key ?? '') as string, value ?? zero(field.type));
    } else {
      const type = (field.type as () => Schema)();
      const before = field.cardinality === 'many' ? {} : ((target[field.name] ?? {}) as WireMessage);
      if (field.group !== undefined) leaveGroup(schema, target, field);
      const value = yield* decodeSteps(type, inner, before, depth + 1);
      if (field.cardinality !== 'many') target[field.name] = value;
      else if (target[field.name] === undefined) target[field.name] = [value];
      else (target[field.name] as WireValue[]).push(value);
    }
    yield;
  }
  return target;
}

const ENTRIES = new WeakMap<Field, Schema>();

export function fieldOf({ fields }: Schema, name: string): Field {
  return fields.find((field) => field.name === name)!;
}

/** A message as which an entry of this map is written. */
export function entryOf(schema: Schema, name: string): Schema {
  return entryOfField(fieldOf(schema, name));
}

function entryOfField(field: Field): Schema {
  let entry = ENTRIES.get(field);
  if (entry === undefined) {
    entry = message(`${field.name} entry`, [one(1, 'key', 'string'), one(2, 'value', field.type)]);
    ENTRIES.set(field, entry);
  }
  return entry;
}

function put(target: WireMessage, field: Field, key: string, value: WireValue): void {
  let entries = target[field.name] as Map<string, WireValue> | LargeMap<string, WireValue> | undefined;
  // What a whole graph is described by: there may be as many entries as ops.
  entries ??= typeof field.type === 'function' ? LargeMap.byText() : new Map();
  entries.set(key, value);
  target[field.name] = entries;
}

function leaveGroup(schema: Schema, target: WireMessage, field: Field): void {
  for (const other of schema.fields) if (other.group === field.group && other !== field) delete target[other.name];
}

function readField(schema: Schema, target: WireMessage, reader: WireReader, depth: number): void {
  const start = reader.at;
  const tag = reader.uint32();
  const wireType = tag & 7;
  const number = tag >>> 3;
  if (number === 0) throw malformed('field number 0');
  const field = schema.byNumber.get(number);
  const packed =
    field?.cardinality === 'many' && wireType === 2 && field.type !== 'bytes' && wireTypeOf(field.type) === 0;
  if (!field || (!packed && wireType !== (field.cardinality === 'map' ? 2 : wireTypeOf(field.type)))) {
    reader.skip(wireType);
    target[UNKNOWN] ??= [];
    target[UNKNOWN].push(reader.bytes.subarray(start, reader.at));
    return;
  }
  if (field.group !== undefined) leaveGroup(schema, target, field);
  if (field.cardinality === 'map') put(target, field, ...readMapEntry(field, reader.delimited(), depth));
  else if (field.cardinality === 'many') {
    const list = (target[field.name] ?? []) as WireValue[];
    if (packed) {
      const values = new WireReader(reader.delimited());
      while (!values.done) list.push(readScalar(field.type as ScalarType, values));
    } else list.push(readValue(field.type, reader, depth, undefined));
    target[field.name] = list;
  } else target[field.name] = readValue(field.type, reader, depth, target[field.name]);
}

function readMapEntry(field: Field, bytes: Uint8Array, depth: number): [string, WireValue] {
  const reader = new WireReader(bytes);
  let key = '';
  let value: WireValue | undefined;
  while (!reader.done) {
    const tag = reader.uint32();
    if (tag === 0x0a) key = reader.string();
    else if (tag === 16 + wireTypeOf(field.type)) value = readValue(field.type, reader, depth, undefined);
    else reader.skip(tag & 7);
  }
  return [key, value ?? zero(field.type)];
}

function readValue(type: FieldType, reader: WireReader, depth: number, before: WireValue | undefined): WireValue {
  if (typeof type === 'string') return readScalar(type, reader);
  // A singular message that comes twice is merged (protobuf encoding, "Last One Wins").
  return decodeInto(type(), (before as WireMessage | undefined) ?? {}, reader.delimited(), depth + 1);
}

function readScalar(type: ScalarType, reader: WireReader): WireValue {
  switch (type) {
    case 'string':
      return reader.string();
    case 'bytes':
      return reader.delimited();
    case 'bool':
      return Number(reader.varint()) !== 0;
    case 'int32':
      return reader.int32();
    case 'uint32':
      return reader.uint32();
    case 'int64':
      return reader.int64();
    case 'uint64':
      return reader.varint();
  }
}

function wireTypeOf(type: FieldType): 0 | 2 {
  return typeof type === 'function' || type === 'string' || type === 'bytes' ? 2 : 0;
}

function zero(type: FieldType): WireValue {
  if (typeof type === 'function') return {};
  if (type === 'string') return '';
  if (type === 'bytes') return new Uint8Array();
  return type === 'bool' ? false : 0;
}

/** The canonical encoding: fields in the schema's order, defaults left out, map entries by key bytes, unknown fields last in the order received. */
export function encodeMessage(schema: Schema, value: WireMessage): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter();
  writeMessage(schema, value, writer);
  return writer.finish();
}

function writeMessage(schema: Schema, value: WireMessage, writer: WireWriter): void {
  for (const field of schema.fields) {
    const item = value[field.name];
    if (item === undefined) continue;
    if (field.cardinality === 'map') writeMap(field, item as ReadonlyMap<string, WireValue>, writer);
    else if (field.cardinality === 'many') writeMany(field, item as readonly WireValue[], writer);
    else if (field.cardinality === 'oneof' || typeof field.type === 'function' || !isZero(item))
      writeField(field.number, field.type, item, writer);
  }
  for (const bytes of value[UNKNOWN] ?? []) writer.raw(bytes);
}

function writeMany(field: Field, items: readonly WireValue[], writer: WireWriter): void {
  if (items.length === 0) return;
  if (wireTypeOf(field.type) === 0) {
    writer.tag(field.number, 2);
    writer.delimited(() => {
      for (const item of items) writeScalar(field.type as ScalarType, item, writer);
    });
  } else for (const item of items) writeField(field.number, field.type, item, writer);
}

function writeMap(field: Field, entries: ReadonlyMap<string, WireValue>, writer: WireWriter): void {
  for (const key of [...entries.keys()].sort(compareUtf8)) {
    writer.tag(field.number, 2);
    writer.delimited(() => {
      writeField(1, 'string', key, writer);
      writeField(2, field.type, entries.get(key)!, writer);
    });
  }
}

function writeField(number: number, type: FieldType, value: WireValue, writer: WireWriter): void {
  writer.tag(number, wireTypeOf(type));
  if (typeof type === 'function') writer.delimited(() => writeMessage(type(), value as WireMessage, writer));
  else writeScalar(type, value, writer);
}

function writeScalar(type: ScalarType, value: WireValue, writer: WireWriter): void {
  if (type === 'string') writer.string(value as string);
  else if (type === 'bytes') writer.bytes(value as Uint8Array);
  else if (type === 'bool') writer.varint(value ? 1 : 0);
  else writer.varint(value as number | bigint);
}

export function isZero(value: WireValue): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === 0 || value === '' || value === false || value === 0n;
}

/** Order of the UTF-8 bytes: as code units, but astral characters sort last. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xSurrogate = x >= 0xd800 && x < 0xe000;
    const ySurrogate = y >= 0xd800 && y < 0xe000;
    return xSurrogate === ySurrogate ? x - y : xSurrogate ? 1 : -1;
  }
  return a.length - b.length;
}

/** How many fields of this message and those within are unknown. Yields within a list of many; what is below its messages is counted at one go. */
export function* countUnknown(schema: Schema, value: WireMessage): Generator<void, number, void> {
  let count = value[UNKNOWN]?.length ?? 0;
  for (const field of schema.messages) {
    const item = value[field.name];
    if (item === undefined) continue;
    const inner = field.type();
    let counted = 0;
    for (const each of valuesOf(field, item)) {
      count += unknownIn(inner, each as WireMessage);
      if (++counted % FEW === 0) yield;
    }
  }
  return count;
}

/** Values of which a step takes all. */
const FEW = 32;

function unknownIn(schema: Schema, value: WireMessage): number {
  let count = value[UNKNOWN]?.length ?? 0;
  for (const field of schema.messages) {
    const item = value[field.name];
    if (item === undefined) continue;
    for (const each of valuesOf(field, item)) count += unknownIn(field.type(), each as WireMessage);
  }
  return count;
}

function valuesOf({ cardinality }: Field, item: WireValue): Iterable<WireValue> {
  if (cardinality === 'map') return (item as ReadonlyMap<string, WireValue>).values();
  return cardinality === 'many' ? (item as readonly WireValue[]) : [item];
}

/** How many are left of `most` entries when those of all lists in a message, and in those within, are taken from them; less than nothing once it is too many. */
function entriesLeft(schema: Schema, value: WireMessage, most: number, spared: ReadonlySet<string>): number {
  let left = most - (value[UNKNOWN]?.length ?? 0);
  for (const field of schema.lists) {
    const item = value[field.name];
    if (item !== undefined && !spared.has(field.name)) left -= lengthOf(field, item);
  }
  for (const field of schema.messages) {
    const item = value[field.name];
    if (left < 0 || item === undefined || spared.has(field.name)) continue;
    for (const each of valuesOf(field, item)) {
      left = entriesLeft(field.type(), each as WireMessage, left, NONE);
      if (left < 0) break;
    }
  }
  return left;
}

const NONE: ReadonlySet<string> = new Set();

function lengthOf({ cardinality }: Field, item: WireValue): number {
  return cardinality === 'map' ? (item as ReadonlyMap<string, WireValue>).size : (item as readonly WireValue[]).length;
}

/**
 * The list that brings the entries of all lists in a message, and in those within, above `most`: how it is called, by names of fields. No more of them are looked
 * at than that. Fields of the message itself may be spared.
 */
export function beyondBound(
  schema: Schema,
  value: WireMessage,
  most: number,
  spared: ReadonlySet<string> = NONE,
): string | undefined {
  // Nearly none is, and names cost more than counting.
  if (entriesLeft(schema, value, most, spared) >= 0) return undefined;
  let left = most;
  const look = (of: Schema, message: WireMessage, path: string): string | undefined => {
    for (const field of of.fields) {
      const item = message[field.name];
      const name = `${path}${field.name}`;
      if (item === undefined || spared.has(name)) continue;
      if (of.lists.includes(field)) {
        left -= lengthOf(field, item);
        if (left < 0) return name;
      }
      if (typeof field.type !== 'function') continue;
      for (const each of valuesOf(field, item)) {
        const beyond = look(field.type(), each as WireMessage, `${name}.`);
        if (beyond !== undefined) return beyond;
      }
    }
    const unknown = message[UNKNOWN]?.length ?? 0;
    left -= unknown;
    return left < 0 ? `${path}unknown` : undefined;
  };
  return look(schema, value, '');
}
