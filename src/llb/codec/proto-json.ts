import type { Op } from '../op.ts';
import * as pb from './messages.ts';
import { opToWire } from './op-convert.ts';
import { type Field, isZero, type Schema, type WireMessage, type WireValue } from './schema.ts';

type Names = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Fields that BuildKit's `.proto` files write with other capitals, by message: in JSON of whatever kind a name is what it is there. */
export const CAPITALS: Names = {
  Platform: {
    architecture: 'Architecture',
    os: 'OS',
    variant: 'Variant',
    osVersion: 'OSVersion',
    osFeatures: 'OSFeatures',
  },
  HostIP: { host: 'Host', ip: 'IP' },
  Ulimit: { name: 'Name', soft: 'Soft', hard: 'Hard' },
  SecretEnv: { id: 'ID' },
  CacheOpt: { id: 'ID' },
  SecretOpt: { id: 'ID' },
  SSHOpt: { id: 'ID' },
  Mount: { tmpfsOpt: 'TmpfsOpt', sshOpt: 'SSHOpt', resultId: 'resultID' },
  Definition: { source: 'Source' },
};
const NAMES: Names = { ...CAPITALS, UserOpt: { byId: 'byID' }, ExportCache: { value: 'Value' } };

/** An op as protobuf's JSON mapping has it, for readers of BuildKit's messages: enums are numbers, 64-bit integers text, bytes base64. */
export function opToProtoJson(op: Op): object {
  return toJson(pb.Op, opToWire(op));
}

function toJson(schema: Schema, message: WireMessage): object {
  const result: Record<string, unknown> = {};
  for (const field of schema.fields) {
    const value = message[field.name];
    if (value === undefined || (field.cardinality !== 'oneof' && isDefault(value))) continue;
    result[NAMES[schema.name]?.[field.name] ?? field.name] = fieldJson(field, value);
  }
  return result;
}

function isDefault(value: WireValue): boolean {
  return isZero(value) || (Array.isArray(value) && value.length === 0) || (value instanceof Map && value.size === 0);
}

function fieldJson({ cardinality, type }: Field, value: WireValue): unknown {
  if (cardinality === 'many') return (value as readonly WireValue[]).map((item) => valueJson(type, item));
  if (cardinality !== 'map') return valueJson(type, value);
  const entries = [...(value as ReadonlyMap<string, WireValue>)];
  return Object.fromEntries(entries.map(([key, item]) => [key, valueJson(type, item)]));
}

function valueJson(type: Field['type'], value: WireValue): unknown {
  if (typeof type === 'function') return toJson(type(), value as WireMessage);
  if (type === 'bytes') return Buffer.from(value as Uint8Array).toString('base64');
  return type === 'int64' || type === 'uint64' ? String(value) : value;
}
