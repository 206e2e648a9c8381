import type { EdgeState, VertexBuild } from './active.ts';

/** A line lets go of what it has passed by so many at once. */
const FORGET_AFTER = 1000;

/** Edges of one build, in the order in which they were woken. */
interface Line {
  readonly edges: EdgeState[];
  next: number;
}

/** Edges that are to be looked at. Builds take turns, edge by edge: nobody waits for all that another build has to look at. */
export class EdgeQueue {
  /** The first has the next turn. What several builds want stands in the line of the oldest of them. */
  readonly #lines = new Map<VertexBuild | undefined, Line>();

  push(edge: EdgeState): void {
    const [build] = edge.vertex.builds;
    const line = this.#lines.get(build);
    if (line === undefined) this.#lines.set(build, { edges: [edge], next: 0 });
    else line.edges.push(edge);
  }

  shift(): EdgeState | undefined {
    for (const [build, line] of this.#lines) {
      const edge = line.edges[line.next++];
      if (line.next === FORGET_AFTER) {
        line.edges.splice(0, FORGET_AFTER);
        line.next = 0;
      }
      this.#lines.delete(build);
      if (line.next < line.edges.length) this.#lines.set(build, line);
      return edge;
    }
    return undefined;
  }
}
