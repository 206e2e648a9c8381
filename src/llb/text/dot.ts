import { loadDefinition } from '../load/load.ts';
import type { Definition } from '../op.ts';

const SHAPES: Readonly<Record<string, string>> = { source: 'ellipse', exec: 'box', file: 'note', build: 'box3d' };

/** The graph for Graphviz, steps named as in progress. @throws CodedError invalid_argument for a broken definition. */
export function definitionToDot(definition: Definition): string {
  const graph = loadDefinition(definition, { checkCaps: false });
  const lines = ['digraph {', '  rankdir=LR;'];
  for (const vertex of graph?.vertices ?? []) {
    const shape = SHAPES[vertex.op.op.body.kind] ?? 'diamond';
    lines.push(`  ${quote(vertex.digest)} [label=${quote(vertex.name)} shape=${shape}];`);
    for (const { vertex: from, index } of vertex.inputs) {
      const label = index === 0 ? '' : ` [label=${quote(String(index))}]`;
      lines.push(`  ${quote(from.digest)} -> ${quote(vertex.digest)}${label};`);
    }
  }
  lines.push('}');
  return `${lines.join('\n')}\n`;
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
