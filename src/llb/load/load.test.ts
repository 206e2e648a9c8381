import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf, neverAborted as signal } from '../../base/index.ts';
import { runs } from '../../base/testing/runs.ts';
import {
  decodeDefinition,
  decodeDefinitionInSlices,
  decodeOp,
  decodeWireOp,
  encodeDefinition,
  encodeOp,
  encodeWireOp,
} from '../codec/index.ts';
import * as schemas from '../codec/messages.ts';
import type { Schema } from '../codec/schema.ts';
import { diff, FileActions, image, merge, scratch } from '../graph/index.ts';
import type { Definition, Op, OpMetadata } from '../op.ts';
import { definitionToDot } from '../text/dot.ts';
import { definitionFromJson, definitionToJson } from '../text/json.ts';
import { definitionFromYaml, definitionToYaml } from '../text/yaml.ts';
import { loadDefinition, loadDefinitionInSlices } from './load.ts';

const vectors: { definitions: Record<string, { wire: string }> } = JSON.parse(
  readFileSync(new URL('../testdata/go-client.json', import.meta.url), 'utf8'),
);
const definitions = Object.values(vectors.definitions).map(({ wire }) => Uint8Array.fromBase64(wire));
const files = new FileActions();

test('a large graph is taken in slices: others have their turn all the while, and it is the same graph', async () => {
  let state = scratch();
  for (let i = 0; i < 3000; i++) state = state.file(new FileActions().mkdir(`/${i}`, 0o755), { name: `step ${i}` });
  const definition = state.marshal();
  const bytes = encodeDefinition({
    ...definition,
    source: {
      infos: [{ filename: 'Dockerfile', data: Buffer.from('x'), language: '' }],
      locations: new Map(definition.ops.map((op) => [digestOf(op), [{ sourceIndex: 0, ranges: [] }]])),
    },
  });
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const decoded = await decodeDefinitionInSlices(bytes, { signal });
  const graph = await loadDefinitionInSlices(decoded, { signal });
  clearInterval(timer);
  expect(turns).toBeGreaterThan(3);
  expect(decoded).toEqual(decodeDefinition(bytes));
  expect(graph?.root.vertex.digest).toBe(loadDefinition(bytes)?.root.vertex.digest);
  expect(graph?.vertices).toHaveLength(3000);
  const aborted = AbortSignal.abort(new Error('enough'));
  await expect(loadDefinitionInSlices(decoded, { signal: aborted })).rejects.toThrow('enough');
});

test('what a canonical client sent keeps its digests as vertices', () => {
  for (const bytes of definitions) {
    const graph = loadDefinition(bytes)!;
    expect([...graph.digests.keys()]).toEqual([...graph.digests.values()]);
    expect(graph.unknownFields).toBe(0);
  }
});

test('names are those that progress shows', () => {
  const base = image('busybox');
  const named = base.run({ args: ['echo', 'a b'] }).root;
  const files2 = files.mkdir('/d', 0o755).symlink('old', '/new').rm('/x');
  const name = (state: typeof base) => loadDefinition(state.marshal())!.root.vertex.name;
  expect(name(base)).toBe('docker-image://docker.io/library/busybox:latest');
  expect(name(named)).toBe('echo a b');
  expect(name(base.file(files2))).toBe('mkdir /d, symlink /new -> old, rm /x');
  expect(name(merge([base, named]))).toBe('merge (docker-image://docker.io/library/busybox:latest, echo a b)');
  expect(name(diff(base, scratch()))).toBe('diff (docker-image://docker.io/library/busybox:latest) -> scratch');
  expect(name(base.run({ args: ['true'], name: 'mine' }).root)).toBe('mine');
});

test('platforms: normalized, the default where none is named, none where it does not matter', () => {
  const arm64 = { os: 'linux', architecture: 'arm64', variant: 'v8' };
  const state = image('busybox', { platform: arm64 })
    .run({ args: ['true'] })
    .root.file(files.rm('/x'));
  const graph = loadDefinition(state.marshal())!;
  expect(graph.vertices.map((vertex) => vertex.op.platform)).toEqual([
    { os: 'linux', architecture: 'arm64' },
    { os: 'linux', architecture: 'arm64' },
    undefined,
  ]);
});

test('an op with its fields in another order is the same vertex, an unknown field makes another one', () => {
  const definition = image('busybox').marshal();
  const [op, pointer] = definition.ops as [Uint8Array, Uint8Array];
  const digest = loadDefinition(definition)!.root.vertex.digest;
  // Source first, then platform and constraints.
  const tail = Buffer.from(op).indexOf(0x1a);
  const reordered = Buffer.concat([op.subarray(tail), op.subarray(0, tail)]);
  const again = pointTo(reordered, definition);
  expect(loadDefinition(again)!.root.vertex.digest).toBe(digest);
  const future = Buffer.concat([op, Buffer.from([0xa2, 0x06, 1, 7])]);
  const graph = loadDefinition(pointTo(future, definition))!;
  expect(graph.unknownFields).toBe(1);
  expect(graph.root.vertex.digest).toBe(digestOf(future));
  expect(pointer.length).toBeGreaterThan(0);
});

function pointTo(op: Uint8Array, definition: Definition): Definition {
  const pointer = encodeOp({ inputs: [{ digest: digestOf(op), index: 0 }], body: { kind: 'pointer' } });
  return { ...definition, ops: [op, pointer] };
}

test('a capability that is not known is refused by name', () => {
  const definition = image('busybox').marshal();
  const metadata = new Map(definition.metadata);
  const [digest, first] = [...metadata][0] as [`sha256:${string}`, OpMetadata];
  metadata.set(digest, { ...first, caps: { 'exec.from.the.future': true } });
  expect(() => loadDefinition({ ...definition, metadata })).toThrow(
    'requested experimental feature exec.from.the.future is not supported by build server',
  );
});

test.each<[string, (op: Op) => Op, string]>([
  ['no args', (op) => exec(op, { meta: { args: [] } }), 'invalid exec op with no args'],
  ['no mounts', (op) => exec(op, { mounts: [] }), 'invalid exec op with no mounts'],
  ['input index', (op) => exec(op, { mounts: [{ input: 7 }] }), 'invalid input of mount /: index 7'],
  ['negative input', (op) => exec(op, { mounts: [{ input: -2 }] }), 'index -2'],
  ['no body', (op) => ({ ...op, body: { kind: 'pointer' } }), 'kind that this builder does not know'],
  ['missing input', (op) => ({ ...op, inputs: [{ digest: digestOf('x'), index: 0 }] }), 'invalid missing input digest'],
  ['negative output', (op) => ({ ...op, inputs: [{ ...op.inputs[0]!, index: -1 }] }), 'output index -1'],
  ['output too high', (op) => ({ ...op, inputs: [{ ...op.inputs[0]!, index: 1 }] }), 'has 1 outputs'],
])('refused: %s', (_, change, message) => {
  const definition = image('busybox')
    .run({ args: ['true'] })
    .root.marshal();
  const op = change(decodeOp(definition.ops[1]!));
  const bytes = encodeOp(op);
  const pointer = encodeOp({ inputs: [{ digest: digestOf(bytes), index: 0 }], body: { kind: 'pointer' } });
  expect(() => loadDefinition({ ...definition, ops: [definition.ops[0]!, bytes, pointer] })).toThrow(message);
});

function exec(op: Op, change: { meta?: object; mounts?: object[] }): Op {
  if (op.body.kind !== 'exec') throw new Error('not an exec op');
  const { exec: before } = op.body;
  return {
    ...op,
    body: {
      kind: 'exec',
      exec: {
        ...before,
        meta: { ...before.meta, ...change.meta },
        mounts: (change.mounts ?? before.mounts).map((mount, i) => ({ ...before.mounts[i]!, ...mount })),
      },
    },
  };
}

test('limits hold', () => {
  const definition = image('busybox').marshal();
  expect(() => loadDefinition(definition, { limits: { maxOps: 1, maxBytes: 1e6 } })).toThrow('above the limit');
  expect(() => loadDefinition(definition, { limits: { maxOps: 10, maxBytes: 10 } })).toThrow('above the limit');
  expect(() => loadDefinition(encodeDefinition(definition), { limits: { maxOps: 10, maxBytes: 10 } })).toThrow(
    'above the limit',
  );
});

test('deep graphs load, and names of nested merges stay short', () => {
  let chain = scratch();
  for (let i = 0; i < 20_000; i++) chain = chain.file(files.mkdir(`/${i}`, 0o755));
  expect(loadDefinition(chain.marshal())!.vertices.length).toBe(20_000);
  let doubled = merge([image('a'), image('b')]);
  for (let i = 0; i < 40; i++) doubled = merge([doubled, doubled]);
  expect(loadDefinition(doubled.marshal())!.root.vertex.name.length).toBeLessThan(5000);
});

test('damaged bytes are refused cleanly, never crash', () => {
  fc.assert(
    fc.property(fc.constantFrom(...definitions), fc.nat(), fc.integer({ min: 0, max: 255 }), (bytes, at, value) => {
      const damaged = Uint8Array.from(bytes);
      damaged[at % damaged.length] = value;
      try {
        loadDefinition(damaged, { checkCaps: false });
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_argument' });
      }
    }),
    runs(3000),
  );
});

test('nesting is bounded', () => {
  // A Definition whose Source holds a SourceInfo whose definition is the one before.
  const wrap = (tag: number, bytes: Uint8Array) => {
    const length = bytes.length;
    return Buffer.concat([Buffer.from([tag, (length & 0x7f) | 0x80, length >> 7]), bytes]);
  };
  let bytes: Uint8Array = new Uint8Array();
  for (let i = 0; i < 100; i++) bytes = wrap(0x1a, wrap(0x12, wrap(0x1a, bytes)));
  expect(() => decodeDefinition(bytes)).toThrow('nested deeper');
});

test('canonical encoding does not depend on the order of a map', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string()), (attrs) => {
      const make = (entries: [string, string][]) =>
        encodeOp({
          inputs: [],
          body: { kind: 'source', source: { identifier: 'local://x', attrs: Object.fromEntries(entries) } },
        });
      const entries = Object.entries(attrs);
      expect(make(entries)).toEqual(make(entries.toReversed()));
      expect(encodeWireOp(decodeWireOp(make(entries)))).toEqual(make(entries));
    }),
  );
});

test('the readable form gives back the same ops, the drawing names them', () => {
  for (const bytes of definitions) {
    const definition = decodeDefinition(bytes);
    const json = JSON.parse(JSON.stringify(definitionToJson(definition)));
    expect(definitionFromJson(json).ops.map(digestOf)).toEqual(definition.ops.map(digestOf));
    expect(definitionFromYaml(definitionToYaml(definition)).ops.map(digestOf)).toEqual(definition.ops.map(digestOf));
    expect(definitionToDot(definition)).toMatch(/^digraph \{/);
  }
});

test.each<[string, string, string]>([
  ['no YAML', 'a: [', 'invalid YAML'],
  ['no graph', 'a: 1', 'a graph needs `steps`'],
  ['an input that is not there', 'steps: [{id: a, inputs: [b], op: {}}]\nresult: a', 'unknown step "b"'],
  ['an id used twice', 'steps: [{id: a, op: {body: {kind: pointer}}}, {id: a, op: {}}]\nresult: a', 'there twice'],
  ['an op that is none', 'steps: [{id: a, op: 3}]\nresult: a', 'step "a"'],
  ['an op with members missing', 'steps: [{id: a, op: {body: {kind: exec}}}]\nresult: a', 'step "a"'],
])('the readable form refuses %s', (_, text, message) => {
  expect(() => definitionFromYaml(text)).toThrow(message);
});

test('proto/ops.proto and the codec have the same field numbers', () => {
  const proto = readFileSync(new URL('../../../proto/ops.proto', import.meta.url), 'utf8');
  const declared: Record<string, string[]> = {};
  let current = '';
  for (const line of proto.split('\n')) {
    const start = /^message (\w+)/.exec(line);
    if (start) current = start[1]!;
    else if (line === '}') current = '';
    const field = /(\w+) = (\d+);$/.exec(line);
    if (field && current) {
      declared[current] ??= [];
      declared[current]?.push(`${field[2]} ${field[1]!.replaceAll(/_(\w)/g, (_, c: string) => c.toUpperCase())}`);
    }
  }
  const ours = Object.values(schemas as Record<string, Schema>).map((schema) => [
    schema.name,
    schema.fields.map((field) => `${field.number} ${field.name}`).sort(),
  ]);
  expect(Object.fromEntries(ours)).toEqual(
    Object.fromEntries(Object.entries(declared).map(([name, fields]) => [name, fields.sort()])),
  );
});
