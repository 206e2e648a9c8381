import type { ActiveVertex, EdgeState } from './active.ts';
import { type KeyedOutput, type KeyedVertex, MOST_KEYED_INPUTS } from './ports.ts';

/** Ways to a key that are told of one input. */
const MOST_WAYS = 4;

/** Read off while the vertex is active; undefined for one whose key nobody asked for. */
export function keyedVertex(active: ActiveVertex): KeyedVertex | undefined {
  const { vertex, maps, inputs, contents } = active;
  if (maps.length === 0) return undefined;
  return {
    digest: vertex.digest,
    name: vertex.name,
    maps: [...maps],
    inputs: inputs.slice(0, MOST_KEYED_INPUTS).map((input, i) => {
      const selector = active.selector(i);
      const content = contents[i];
      const selection = maps[0]?.inputs[i]?.selection;
      return {
        ...{ vertex: input.vertex.vertex.digest, output: input.index },
        ...(selector === '' ? {} : { selector }),
        ...(content === undefined ? {} : { content: content.digest, of: content.of }),
        ...(content === undefined || selection === undefined ? {} : { selection }),
      };
    }),
    outputs: [...active.edges.values()].map((edge) => keyedOutput(edge)),
  };
}

/** The same, to be read off later: who keeps that keeps nothing else of what is done about the vertex. */
export function keyedLater(active: ActiveVertex): () => KeyedVertex | undefined {
  return () => keyedVertex(active);
}

/** From which ids each input of an edge leads to a key of it, as far as that is told. */
export function waysTo({ vertex, lookup }: EdgeState, key: string): readonly (readonly string[])[] {
  return vertex.inputs.slice(0, MOST_KEYED_INPUTS).map((_, i) => lookup.own.ways(i, key).slice(0, MOST_WAYS));
}

function keyedOutput(edge: EdgeState): KeyedOutput {
  const { vertex, index: output, lookup, missed } = edge;
  const result = edge.held ?? vertex.outputs[output];
  const used = result?.record === undefined ? {} : { record: result.record };
  if (result?.hit === true) {
    const { keys, origin, ways: ground = [] } = result;
    return { output, outcome: { kind: 'found', cache: origin?.cache ?? '' }, ...used, keys, ground };
  }
  if (missed === undefined) {
    const keys = result?.keys ?? [...lookup.own.candidates];
    const kind = result === undefined ? 'idle' : 'run';
    return { output, outcome: { kind }, ...used, keys: keys.slice(0, MOST_WAYS), ground: [] };
  }
  const ways = missed.on
    .slice(0, MOST_KEYED_INPUTS)
    .map(({ content, keys }) => (content === undefined ? keys : [content, ...keys]));
  const ground = ways.map((keys) => keys.slice(0, MOST_WAYS));
  return { output, outcome: { kind: 'run' }, miss: missed.why, ...used, keys: result?.keys ?? [], ground };
}
