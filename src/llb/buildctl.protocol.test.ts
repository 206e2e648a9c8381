import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { tool } from '../../test/tools.ts';
import { digestOf } from '../base/index.ts';
import { decodeOp, encodeOp, encodeWireOp, opToProtoJson, type WireMessage } from './codec/index.ts';
import { Op } from './codec/messages.ts';
import type { Field, Schema } from './codec/schema.ts';
import { encodeDefinition, FileActions, image, local, merge } from './index.ts';

test('buildctl reads our definitions, with the same digests', () => {
  const base = image('busybox').run({ args: ['true'], mounts: [{ target: '/c', cache: { id: 'c' } }] }).root;
  const graph = merge([
    base.file(new FileActions().copy(local('ctx'), '/a', '/b', { timestamp: 5n })),
    image('alpine'),
  ]);
  const definition = graph.marshal();
  const out = execFileSync(tool('buildctl'), ['debug', 'dump-llb'], { input: encodeDefinition(definition) }).toString();
  const dumped = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { Digest: string; OpMetadata: object });
  expect(dumped.map(({ Digest }) => Digest)).toEqual(definition.ops.map(digestOf));
  expect(decodeOp(definition.ops.at(-1)!).body.kind).toBe('pointer');
});

type WireValue = NonNullable<WireMessage[string]>;

/** Messages in which every field has a value, one for each member of a oneof; what is within itself is left out there. */
function filled(schema: Schema, above: readonly Schema[] = []): readonly WireMessage[] {
  const within = [...above, schema];
  const valuesOf = (type: Field['type']): readonly WireValue[] => {
    if (typeof type === 'function') return within.includes(type()) ? [] : filled(type(), within);
    if (type === 'string') return ['text'];
    if (type === 'bytes') return [Buffer.from('bytes')];
    return [type === 'bool' ? true : 1];
  };
  const common: WireMessage = {};
  const members: WireMessage[] = [];
  for (const { name, cardinality, type } of schema.fields) {
    const values = valuesOf(type);
    if (values.length === 0) continue;
    if (cardinality === 'oneof') members.push(...values.map((value) => ({ [name]: value })));
    else
      common[name] =
        cardinality === 'many' ? values : cardinality === 'map' ? new Map([['key', values[0]!]]) : values[0]!;
  }
  return members.length === 0 ? [common] : members.map((member) => ({ ...common, ...member }));
}

/** Names in JSON, each below the one of what it is in; oneofs are no message. buildctl prints the names of `.proto` files, of which protobuf's JSON takes the underscores out. */
function namesIn(value: unknown, above = '', names = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(value)) for (const item of value) namesIn(item, above, names);
  else if (typeof value === 'object' && value !== null)
    for (const [printed, inner] of Object.entries(value)) {
      const name = printed.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      const isOneof = name === 'Op' || name === 'Action' || name === 'User';
      if (!isOneof) names.add(`${above}.${name}`);
      namesIn(inner, isOneof ? above : name, names);
    }
  return names;
}

test('fields of ops have the names in JSON that buildctl gives them', () => {
  const ops = filled(Op).map((wire) => decodeOp(encodeWireOp(wire)));
  expect(new Set(ops.map(({ body }) => body.kind)).size).toBeGreaterThan(6);
  const input = encodeDefinition({ ops: ops.map(encodeOp), metadata: new Map() });
  const dumped = execFileSync(tool('buildctl'), ['debug', 'dump-llb'], { input }).toString().trim().split('\n');
  for (const [n, op] of ops.entries()) {
    const theirs = namesIn((JSON.parse(dumped[n]!) as { readonly Op: unknown }).Op);
    // It prints no symlinks.
    const ours = [...namesIn(opToProtoJson(op))].filter((name) => !/\bsymlink\b/.test(name));
    expect(ours.sort()).toEqual([...theirs].sort());
  }
});
