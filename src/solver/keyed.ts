import type { Digest } from '../base/index.ts';
import type { ActiveVertex, EdgeState } from './active.ts';
import type { CacheMap, Miss } from './ports.ts';

/** Ways to a key that are told of one input. */
const MOST_WAYS = 4;

/** What a build has found out about the keys of a vertex. */
export interface KeyedVertex {
  readonly digest: Digest;
  readonly name: string;
  readonly maps: readonly CacheMap[];
  readonly inputs: readonly KeyedInput[];
  readonly outputs: readonly KeyedOutput[];
}

interface KeyedInput {
  readonly vertex: Digest;
  readonly output: number;
  readonly selector?: string;
  /** Of what is selected in the input's result, where it was computed. */
  readonly content?: Digest;
}

interface KeyedOutput {
  readonly output: number;
  /** The op was run for it, or a cache had it (whose id is told; empty for the builder's own); `idle` when no result of it was needed. */
  readonly outcome: { readonly kind: 'run' | 'idle' } | { readonly kind: 'found'; readonly cache: string };
  /** Why the op was run. */
  readonly miss?: Miss;
  /** Keys by which it was found or is entered; empty when none was reached. */
  readonly keys: readonly string[];
  /** Keys of each input that these were reached from. */
  readonly ground: readonly (readonly string[])[];
}

/** Read off while the vertex is active; undefined for one whose key nobody asked for. */
export function keyedVertex(active: ActiveVertex): KeyedVertex | undefined {
  const { vertex, maps, inputs, contents } = active;
  if (maps.length === 0) return undefined;
  return {
    digest: vertex.digest,
    name: vertex.name,
    maps: [...maps],
    inputs: inputs.map((input, i) => {
      const selector = active.selector(i);
      const content = contents[i]?.digest;
      return {
        ...{ vertex: input.vertex.vertex.digest, output: input.index },
        ...(selector === '' ? {} : { selector }),
        ...(content === undefined ? {} : { content }),
      };
    }),
    outputs: [...active.edges.values()].map((edge) => keyedOutput(edge)),
  };
}

function keyedOutput(edge: EdgeState): KeyedOutput {
  const { vertex, index: output, lookup, missed } = edge;
  const result = edge.held ?? vertex.outputs[output];
  if (result?.hit === true) {
    const [key = ''] = result.keys;
    const ground = vertex.inputs.map((_, i) => lookup.own.ways(i, key).slice(0, MOST_WAYS));
    return { output, outcome: { kind: 'found', cache: result.origin?.cache ?? '' }, keys: result.keys, ground };
  }
  if (missed === undefined) {
    const keys = result?.keys ?? [...lookup.own.candidates];
    const kind = result === undefined ? 'idle' : 'run';
    return { output, outcome: { kind }, keys: keys.slice(0, MOST_WAYS), ground: [] };
  }
  const ways = missed.on.map(({ content, keys }) => (content === undefined ? keys : [content, ...keys]));
  const ground = ways.map((keys) => keys.slice(0, MOST_WAYS));
  return { output, outcome: { kind: 'run' }, miss: missed.why, keys: result?.keys ?? [], ground };
}
