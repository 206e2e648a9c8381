import { expect, test } from 'vitest';
import { type Digest, digestOf, neverAborted as signal } from '../../base/index.ts';
import { leastLongestTurn } from '../../base/testing/turns.ts';
import { decodeDefinitionInSlices, encodeDefinition, encodeDefinitionInSlices, encodeOp } from '../codec/index.ts';
import type { Definition, Op, OpMetadata, SourceLocation } from '../op.ts';
import { loadDefinitionInSlices } from './load.ts';

const MANY = 30_000;
const LONG_MS = 20;

/** A graph of very many vertices, all of which are described and have a place in a file. */
class Graph {
  readonly #ops: Uint8Array[] = [];
  readonly #metadata = new Map<Digest, OpMetadata>();
  readonly #locations = new Map<Digest, readonly SourceLocation[]>();

  add(name: string, inputs: readonly Digest[]): Digest {
    const mkfile = { path: `/${name}`, data: new Uint8Array(), mode: 0o644, timestamp: -1n };
    const action = { input: -1, secondaryInput: -1, output: 0, body: { kind: 'mkfile', mkfile } };
    const edges = inputs.map((digest) => ({ digest, index: 0 }));
    return this.#add({ inputs: edges, body: { kind: 'file', file: { actions: [action] } } } as Op);
  }

  #add(op: Op): Digest {
    const bytes = encodeOp(op);
    const digest = digestOf(bytes);
    this.#ops.push(bytes);
    this.#metadata.set(digest, { ignoreCache: false, description: { name: 'a file' }, caps: { 'file.base': true } });
    this.#locations.set(digest, [{ sourceIndex: 0, ranges: [] }]);
    return digest;
  }

  definition(top: Digest): Definition {
    this.#add({ inputs: [{ digest: top, index: 0 }], body: { kind: 'pointer' } });
    const infos = [{ filename: 'Dockerfile', data: Buffer.alloc(1 << 20, 'x'), language: 'Dockerfile' }];
    return { ops: this.#ops, metadata: this.#metadata, source: { infos, locations: this.#locations } };
  }
}

function chain(): Definition {
  const graph = new Graph();
  let top = graph.add('0', []);
  for (let n = 1; n < MANY - 1; n++) top = graph.add(`${n}`, [top]);
  return graph.definition(top);
}

function fan(): Definition {
  const graph = new Graph();
  const source = graph.add('source', []);
  const all = Array.from({ length: MANY - 3 }, (_, n) => graph.add(`${n}`, [source]));
  return graph.definition(graph.add('all', all));
}

/** Written in an unusual way, so that each has another name than it came by. */
function renamed(): Definition {
  const graph = new Graph();
  const source = graph.add('source', []);
  const all = Array.from({ length: MANY / 4 }, (_, n) => graph.add(`${n}`, [source]));
  const { ops } = graph.definition(graph.add('all', all));
  const names = new Map<string, string>();
  const unusual: Uint8Array[] = [];
  for (const op of ops) {
    let text = Buffer.from(op)
      .toString('latin1')
      .replace(/sha256:[0-9a-f]{64}/g, (name) => names.get(name) ?? name);
    // A default that is written out.
    text += '\x52\x00';
    const bytes = Buffer.from(text, 'latin1');
    names.set(digestOf(op), digestOf(bytes));
    unusual.push(bytes);
  }
  return { ops: unusual, metadata: new Map() };
}

test.each([
  ['each of which stands on the one before', chain],
  ['one of which stands on all others', fan],
  ['which are called otherwise than they came', renamed],
])('a graph of many vertices, %s, is read, loaded and written without a long turn', async (_, make) => {
  const given = make();
  const bytes = encodeDefinition(given);
  let vertices: number | undefined;
  let written: readonly Uint8Array[] = [];
  const turn = await leastLongestTurn(async () => async () => {
    const definition = await decodeDefinitionInSlices(bytes, { signal });
    vertices = (await loadDefinitionInSlices(definition, { signal }))?.vertices.length;
    written = await encodeDefinitionInSlices(definition, { signal });
  });
  expect([vertices, written.reduce((sum, { length }) => sum + length, 0)]).toEqual([
    given.ops.length - 1,
    bytes.length,
  ]);
  expect(turn).toBeLessThan(LONG_MS);
});
