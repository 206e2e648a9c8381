import path from 'node:path';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
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
