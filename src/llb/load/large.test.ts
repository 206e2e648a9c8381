import { expect, test } from 'vitest';
import { digestOf, neverAborted as signal } from '../../base/index.ts';
import {
  decodeDefinition,
  decodeDefinitionInSlices,
  encodeDefinition,
  encodeDefinitionInSlices,
  encodeOp,
} from '../codec/index.ts';
import type { Definition, Op, OpMetadata } from '../op.ts';
import { loadDefinition, loadDefinitionInSlices } from './load.ts';

function mkfile(path: string): Op {
  const file = { path, data: new Uint8Array(), mode: 0o644, timestamp: -1n };
  return { inputs: [], body: { kind: 'file', file: { actions: [action({ kind: 'mkfile', mkfile: file })] } } };
}

function action(body: unknown) {
  return { input: -1, secondaryInput: -1, output: 0, body } as never;
}

/** The ops with a pointer at the last one. */
function definitionOf(ops: readonly Op[], more: Partial<Definition> = {}): Definition {
  const bytes = ops.map(encodeOp);
  const pointer = encodeOp({ inputs: [{ digest: digestOf(bytes.at(-1)!), index: 0 }], body: { kind: 'pointer' } });
  return { ops: [...bytes, pointer], metadata: new Map(), ...more };
}

function execOf(lists: { readonly args?: number; readonly env?: number; readonly mounts?: number }): Op {
  const many = (count: number, text: string) => Array.from({ length: count }, (_, n) => `${text}${n}`);
  const mount = { input: 0, selector: '', output: -1, readonly: false, type: 'bind', resultId: '' };
  return {
    inputs: [{ digest: digestOf(encodeOp(mkfile('/a'))), index: 0 }],
    body: {
      kind: 'exec',
      exec: {
        meta: {
          ...{ args: many(lists.args ?? 1, 'a'), env: many(lists.env ?? 0, 'E='), cwd: '/', user: '', extraHosts: [] },
          ...{ hostname: '', ulimits: [], cgroupParent: '', removeMountStubsRecursive: false, validExitCodes: [] },
        },
        mounts: many(lists.mounts ?? 1, '/').map((dest, n) => ({
          ...{ ...mount, dest: n === 0 ? '/' : dest, output: n === 0 ? 0 : -1, contentCache: 'default' },
        })) as never,
        ...{ network: 'none', security: 'sandbox', secretEnv: [], cdiDevices: [] },
      },
    },
  };
}

test.each([
  ['exec.meta.args', execOf({ args: 20_000 })],
  ['exec.meta.env', execOf({ args: 10, env: 10_000 })],
  ['exec.mounts', execOf({ mounts: 10_001 })],
])('an op with more in its lists than is worked on at one go is refused by its field: %s', async (field, op) => {
  const definition = definitionOf([mkfile('/a'), op]);
  const told = `op ${digestOf(encodeOp(op))} has more than 10000 entries in ${field}`;
  expect(() => loadDefinition(definition)).toThrow(told);
  await expect(loadDefinitionInSlices(encodeDefinition(definition), { signal })).rejects.toMatchObject({
    reason: 'DEFINITION_TOO_LARGE',
    message: expect.stringContaining(told),
  });
});

test('what a step that is as long as any has is taken as it is', () => {
  const op = execOf({ args: 4000, env: 3000, mounts: 2000 });
  expect(loadDefinition(definitionOf([mkfile('/a'), op]))!.root.vertex.op.op).toMatchObject({ body: op.body });
});

test('so is what is said of an op', () => {
  const op = mkfile('/a');
  const description = Object.fromEntries(Array.from({ length: 10_001 }, (_, n) => [`${n}`, '']));
  const metadata: OpMetadata = { ignoreCache: false, description, caps: {} };
  const definition = definitionOf([op], { metadata: new Map([[digestOf(encodeOp(op)), metadata]]) });
  expect(() => decodeDefinition(encodeDefinition(definition))).toThrow('more than 10000 entries in description');
});

test('a vertex of many inputs is called by its canonical bytes, also where these are not those that came', () => {
  const files = Array.from({ length: 700 }, (_, n) => mkfile(`/${n}`));
  const inputs = files.map((op) => ({ digest: digestOf(encodeOp(op)), index: 0 }));
  const top: Op = { ...mkfile('/top'), inputs };
  const canonical = loadDefinition(definitionOf([...files, top]))!.root.vertex.digest;
  expect(canonical).toBe(digestOf(encodeOp(top)));
  // The first file comes with an unusual encoding: a default that is written out.
  const unusual = Buffer.concat([encodeOp(files[0]!), Buffer.from([0x52, 0])]);
  const renamed = encodeOp({ ...top, inputs: [{ digest: digestOf(unusual), index: 0 }, ...inputs.slice(1)] });
  const pointer = encodeOp({ inputs: [{ digest: digestOf(renamed), index: 0 }], body: { kind: 'pointer' } });
  const ops = [unusual, ...files.slice(1).map(encodeOp), renamed, pointer];
  const graph = loadDefinition({ ops, metadata: new Map() })!;
  const expected: Op = {
    ...top,
    inputs: graph.root.vertex.inputs.map(({ vertex, index }) => ({ digest: vertex.digest, index })),
  };
  expect(graph.root.vertex.digest).toBe(digestOf(encodeOp(expected)));
  expect(graph.root.vertex.digest).not.toBe(digestOf(renamed));
});

test('what is long in a definition is read and written in slices, and is the same', async () => {
  const ops = [mkfile('/a'), mkfile('/b')].map(encodeOp);
  const long = Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`key ${n}`, `value ${n}`]));
  const definition: Definition = {
    ops,
    metadata: new Map(
      ops
        .map((op) => digestOf(op))
        .sort()
        .map((digest) => [digest, { ignoreCache: true, description: long, caps: { a: true } }]),
    ),
    source: {
      infos: [
        {
          filename: 'Dockerfile',
          data: Buffer.alloc(50_000, 'x'),
          language: 'Dockerfile',
          definition: definitionOf([mkfile('/a')]),
        },
      ],
      locations: new Map(
        ops
          .map((op) => digestOf(op))
          .sort()
          .map((digest) => [
            digest,
            Array.from({ length: 2000 }, (_, line) => ({
              sourceIndex: 0,
              ranges: [{ start: { line, character: 0 }, end: { line: line + 1, character: 2 } }],
            })),
          ]),
      ),
    },
  };
  const bytes = encodeDefinition(definition);
  expect(Buffer.concat(await encodeDefinitionInSlices(definition, { signal })).equals(bytes)).toBe(true);
  const decoded = await decodeDefinitionInSlices(bytes, { signal });
  expect(decoded).toEqual(decodeDefinition(bytes));
  expect(Buffer.from(encodeDefinition(decoded)).equals(bytes)).toBe(true);
});
