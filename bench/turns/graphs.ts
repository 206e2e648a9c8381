import { randomBytes } from 'node:crypto';
import { type Digest, digestOf } from '../../src/base/index.ts';
import { type Definition, encodeDefinition, encodeOp, type Op } from '../../src/llb/index.ts';

/** Ops in order, inputs first; the last is what is built. */
export class Graph {
  readonly ops: Uint8Array[] = [];

  add(body: Op['body'], inputs: readonly number[] = []): number {
    const digests = inputs.map((n) => ({ digest: this.#digests[n]!, index: 0 }));
    const bytes = encodeOp({ inputs: digests, body });
    this.#digests.push(digestOf(bytes));
    return this.ops.push(bytes) - 1;
  }

  readonly #digests: Digest[] = [];

  /** Makes a file, after all its inputs. */
  file(name: string, inputs: readonly number[] = [], data = new Uint8Array()): number {
    const mkfile = { path: `/${name}`, data, mode: 0o644, timestamp: -1n };
    const actions = [{ input: -1, secondaryInput: -1, output: 0, body: { kind: 'mkfile' as const, mkfile } }];
    return this.add({ kind: 'file', file: { actions } } as never, inputs);
  }

  encode(): Uint8Array {
    const pointer = encodeOp({ inputs: [{ digest: this.#digests.at(-1)!, index: 0 }], body: { kind: 'pointer' } });
    const definition: Definition = { ops: [...this.ops, pointer], metadata: new Map() } as never;
    return encodeDefinition(definition);
  }
}

/** Each vertex stands on the one before, all of them on a source that cannot be had. */
export function failingChain(vertices: number, port: number): Uint8Array {
  const graph = new Graph();
  let top = graph.add({ kind: 'source', source: { identifier: `http://127.0.0.1:${port}/chain`, attrs: {} } });
  for (let n = 1; n < vertices; n++) top = graph.file(`${n}`, [top]);
  return graph.encode();
}

/** One source that cannot be had, all others on it, and one that needs them all. */
export function failingFan(vertices: number, port: number): Uint8Array {
  const graph = new Graph();
  const source = graph.add({ kind: 'source', source: { identifier: `http://127.0.0.1:${port}/fan`, attrs: {} } });
  const all = Array.from({ length: vertices - 2 }, (_, n) => graph.file(`${n}`, [source]));
  graph.file('all', all);
  return graph.encode();
}

/** What costs next to nothing to make: merges of pairs of few layers, which groups of them need, and one that needs these. */
export function merges(vertices: number, mark: string): Uint8Array {
  const graph = new Graph();
  const sides = Math.ceil(Math.sqrt(vertices)) + 1;
  const files = Array.from({ length: sides }, (_, n) => graph.file(`${mark}-${n}`));
  const pairs: number[] = [];
  for (let a = 0; a < sides; a++)
    for (let b = 0; b < sides && pairs.length < vertices - 2 * sides; b++)
      if (a !== b) pairs.push(graph.add({ kind: 'merge', merge: { inputs: [0, 1] } }, [files[a]!, files[b]!]));
  const groups: number[] = [];
  for (let at = 0; at < pairs.length; at += sides) groups.push(graph.file(`group ${at}`, pairs.slice(at, at + sides)));
  graph.file(`all ${mark}`, groups);
  return graph.encode();
}

/** Few files, and one op that has them for very many inputs. */
export function wide(inputs: number, mark: string): Uint8Array {
  const graph = new Graph();
  const files = Array.from({ length: 200 }, (_, n) => graph.file(`${mark}-${n}`));
  const all = Array.from({ length: inputs }, (_, n) => files[n % files.length]!);
  graph.file(`all ${mark}`, all);
  return graph.encode();
}

/** One step with very many arguments. */
export function manyArguments(count: number): Uint8Array {
  return step(
    Array.from({ length: count }, (_, n) => `${n % 10}`),
    0,
  );
}

/** One step that may have very many secrets. */
export function manySecrets(count: number): Uint8Array {
  return step(['true'], count);
}

function step(args: readonly string[], secrets: number): Uint8Array {
  const graph = new Graph();
  const root = graph.file('root');
  const meta = {
    ...{ args, env: [], cwd: '/', user: '', extraHosts: [] },
    ...{ hostname: '', ulimits: [], cgroupParent: '', removeMountStubsRecursive: false, validExitCodes: [] },
  };
  const mount = { input: 0, selector: '', dest: '/', output: 0, readonly: false, type: 'bind', resultId: '' };
  const exec = { meta, mounts: [{ ...mount, contentCache: 'default' }], network: 'none', security: 'sandbox' };
  const secretEnv = Array.from({ length: secrets }, (_, n) => ({ id: `secret-${n}`, name: `S${n}`, optional: true }));
  graph.add({ kind: 'exec', exec: { ...exec, secretEnv, cdiDevices: [] } } as never, [root]);
  return graph.encode();
}

/** A file that is part of the graph. */
export function largeFile(bytes: number): Uint8Array {
  const graph = new Graph();
  graph.file('large', [], randomBytes(bytes));
  return graph.encode();
}
