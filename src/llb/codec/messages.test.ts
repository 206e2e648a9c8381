import path from 'node:path';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import type { ExecOp } from '../op.ts';
import { decodeOp, encodeOp } from './index.ts';
import * as messages from './messages.ts';
import type { Field, Schema } from './schema.ts';

const proto = protobuf.loadSync(path.resolve(import.meta.dirname, '../../../proto/ops.proto')).lookup('pb');
const declared = (proto as protobuf.Namespace).nestedArray;
const tables = new Map(Object.values(messages).map((schema: Schema) => [schema.name, schema]));

/** What the table of a message must say of it. */
function rowsOf(type: protobuf.Type) {
  return type.fieldsArray
    .map((field) => {
      const { resolvedType } = field.resolve();
      // The codec keeps an enum as the number that it is on the wire.
      const kind = resolvedType instanceof protobuf.Enum ? 'int32' : (resolvedType?.name ?? field.type);
      const cardinality = field.map ? 'map' : field.repeated ? 'many' : field.partOf ? 'oneof' : 'one';
      return { number: field.id, name: field.name, type: kind, cardinality, group: field.partOf?.name };
    })
    .sort((a, b) => a.number - b.number);
}

function rowOf({ number, name, type, cardinality, group }: Field) {
  return { number, name, type: typeof type === 'string' ? type : type().name, cardinality, group };
}

describe('tables of fields and ops.proto', () => {
  test('have the same messages', () => {
    const names = declared.filter((one) => one instanceof protobuf.Type).map(({ name }) => name);
    expect([...tables.keys()].sort()).toEqual(names.sort());
  });

  test.each(
    declared.filter((one) => one instanceof protobuf.Type).map((type) => [type.name, type] as const),
  )('%s has the same fields', (name, type) => {
    const fields = tables.get(name)?.fields ?? [];
    expect(fields.map(rowOf).sort((a, b) => a.number - b.number)).toEqual(rowsOf(type));
  });

  test('keys of maps are strings', () => {
    const others = declared
      .flatMap((one) => (one instanceof protobuf.Type ? one.fieldsArray : []))
      .filter((field) => field instanceof protobuf.MapField && field.keyType !== 'string');
    expect(others.map(({ fullName }) => fullName)).toEqual([]);
  });
});

/** Where an exec op has each enum: on the wire, and what it is read as. */
const ENUMS: Readonly<Record<string, { wire(value: number): object; read(exec: ExecOp): string | undefined }>> = {
  NetMode: { wire: (network) => ({ network }), read: ({ network }) => network },
  SecurityMode: { wire: (security) => ({ security }), read: ({ security }) => security },
  MountType: { wire: (mountType) => ({ mounts: [{ mountType }] }), read: ({ mounts }) => mounts[0]?.type },
  MountContentCache: {
    wire: (contentCache) => ({ mounts: [{ contentCache }] }),
    read: ({ mounts }) => mounts[0]?.contentCache,
  },
  CacheSharingOpt: {
    wire: (sharing) => ({ mounts: [{ cacheOpt: { sharing } }] }),
    read: ({ mounts }) => mounts[0]?.cache?.sharing,
  },
};

describe('enums of ops.proto', () => {
  const enums = declared.filter((one) => one instanceof protobuf.Enum);
  const op = (proto as protobuf.Namespace).lookupType('Op');
  const wireOp = (type: string, value: number) =>
    op.encode({ exec: { meta: {}, ...ENUMS[type]?.wire(value) } }).finish();

  test('are all looked at here', () => {
    expect(Object.keys(ENUMS).sort()).toEqual(enums.map(({ name }) => name).sort());
  });

  test.each(enums.map((type) => [type.name, type] as const))('%s has the same values', (name, { values }) => {
    const prefix = `${name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()}_`;
    const last = Math.max(...Object.values(values));
    for (const [constant, value] of Object.entries(values)) {
      const read = decodeOp(wireOp(name, value));
      const exec = read.body.kind === 'exec' ? read.body.exec : undefined;
      expect(exec && `${prefix}${ENUMS[name]?.read(exec)?.toUpperCase()}`).toBe(constant);
      expect(decodeOp(encodeOp(read))).toEqual(read);
    }
    expect(() => decodeOp(wireOp(name, last + 1))).toThrow(`${last + 1}`);
  });
});
