import type { IntegerVertex, Made } from './integer-world.ts';

/** What an edge is called in a graph of integer vertices. */
interface EdgeOf {
  readonly vertex: IntegerVertex;
  readonly index: number;
}

/**
 * Says whether a result is one that an edge's own steps made: its op made it, from inputs that are each one that the input's own steps made, or, where
 * content decides, of the content of such a one.
 */
export class Provenance {
  readonly #made: ReadonlyMap<string, Made>;
  readonly #known = new Map<string, boolean>();

  constructor(made: ReadonlyMap<string, Made>) {
    this.#made = made;
  }

  /** Asked again when more has been made, it may say yes where it said no. */
  isOf(id: string, { vertex, index }: EdgeOf): boolean {
    const name = `${id} ${vertex.digest} ${index}`;
    let known = this.#known.get(name);
    if (known === undefined) {
      known = this.#isOf(id, vertex, index);
      if (known) this.#known.set(name, known);
    }
    return known;
  }

  #isOf(id: string, { op, inputs }: IntegerVertex, index: number): boolean {
    const made = this.#made.get(id);
    if (made === undefined || made.output !== index || !sameOp(made.op, op)) return false;
    return inputs.every((input, i) => {
      const used = made.inputs[i]!;
      if (op.contentOf?.includes(i) !== true) {
        return made.op.selectors?.[i] === op.selectors?.[i] && this.isOf(used, input);
      }
      const content = this.#contentOf(used, op.contentDivisor);
      return [...this.#made.keys()].some(
        (other) => this.#contentOf(other, op.contentDivisor) === content && this.isOf(other, input),
      );
    });
  }

  #contentOf(id: string, divisor = 1): number {
    return Math.floor(this.#made.get(id)!.value / divisor);
  }
}

/** Ops are the same by any of their cache maps. */
function sameOp(a: IntegerVertex['op'], b: IntegerVertex['op']): boolean {
  const names = [a.cacheName, ...(a.moreMaps ?? [])];
  return [b.cacheName, ...(b.moreMaps ?? [])].some((name) => names.includes(name));
}
