import type { VertexOp } from '../../llb/index.ts';
import type { Edge, Vertex } from '../../solver/index.ts';

/** An image has no more layers than can be mounted. */
const MAX_EDGES = 1000;

/** Names an edge in {@link exportedChain}. */
export function edgeName(vertex: Pick<Vertex, 'digest'>, index: number): string {
  return `${vertex.digest} ${index}`;
}

/** The edges whose own layers will be in an image of these, as far as the graph says it: from each down to what its result is written on. */
export function exportedChain(edges: readonly Edge<VertexOp>[]): ReadonlySet<string> {
  const chain = new Set<string>();
  const open = [...edges];
  for (let edge = open.pop(); edge !== undefined && chain.size < MAX_EDGES; edge = open.pop()) {
    const name = edgeName(edge.vertex, edge.index);
    if (chain.has(name)) continue;
    chain.add(name);
    open.push(...basesOf(edge));
  }
  return chain;
}

/** What the result of an edge is made on. Of a diff only the result tells which layers it has. */
function basesOf({ vertex, index }: Edge<VertexOp>): readonly Edge<VertexOp>[] {
  const { body } = vertex.op.op;
  const inputs = (numbers: readonly (number | undefined)[]) =>
    numbers.flatMap((n) => (n === undefined ? [] : (vertex.inputs[n] ?? [])));
  switch (body.kind) {
    case 'exec':
      return inputs([body.exec.mounts.find(({ output }) => output === index)?.input]);
    case 'merge':
      return inputs(body.merge.inputs);
    case 'file': {
      const { actions } = body.file;
      let at = actions.find(({ output }) => output === index)?.input;
      // An action works on what an earlier one has made.
      while (at !== undefined && at >= vertex.inputs.length) {
        const before: number | undefined = actions[at - vertex.inputs.length]?.input;
        at = before !== undefined && before < at ? before : undefined;
      }
      return inputs([at]);
    }
    default:
      return [];
  }
}
