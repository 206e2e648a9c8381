import { type Definition, decodeOp } from '../../../llb/index.ts';
import type { BuildRef } from '../build-ref.ts';
import type { ImageSource, Sources } from './capture.ts';
import { isSameRequest, type RequestFacts, requestFacts, toldArgs } from './parameters.ts';

/** What a frontend was asked. */
interface AskedOf {
  readonly frontend: string;
  readonly options: ReadonlyMap<string, string>;
  readonly inputs: ReadonlyMap<string, Definition>;
}

/** Images that one frontend has looked up, of which the provenance tells. */
const MOST_IMAGES = 10_000;

/**
 * What one frontend was asked and has asked in its turn: one for each run of a frontend, and one for the client, whose request may drive the build itself. Provenance
 * tells of a result by the request that it was made for.
 */
export class RequestScope {
  /** Undefined for the client's own. */
  readonly asked: AskedOf | undefined;
  /** What the client asked for. */
  readonly root: AskedOf;
  readonly images: ImageSource[] = [];
  /** Graphs that it has had loaded. */
  readonly refs: BuildRef[] = [];
  readonly #children: RequestScope[] = [];
  readonly #made: MadeInputs;

  constructor(root: AskedOf, made: MadeInputs, asked?: AskedOf) {
    this.root = root;
    this.asked = asked;
    this.#made = made;
  }

  /** Of a frontend that this one asks. */
  child(asked: AskedOf): RequestScope {
    const { frontend, options, inputs } = this.root;
    const isSaid = frontend !== '' || options.size > 0 || inputs.size > 0;
    const child = new RequestScope(isSaid ? this.root : (this.asked ?? this.root), this.#made, asked);
    this.#children.push(child);
    return child;
  }

  addImage(image: ImageSource): void {
    if (this.images.length < MOST_IMAGES) this.images.push(image);
  }

  /** Itself and all that it has asked. */
  *all(): Generator<RequestScope> {
    const open: RequestScope[] = [this];
    for (let scope = open.pop(); scope !== undefined; scope = open.pop()) {
      yield scope;
      open.push(...scope.#children.toReversed());
    }
  }

  /** What it was asked, as provenance tells it; undefined for the client's own scope. */
  own(sources: Sources): RequestFacts | undefined {
    return this.asked === undefined ? undefined : this.#tell(this.asked, sources);
  }

  /** What the client asked for, where that is something else. */
  fromRoot(sources: Sources): RequestFacts | undefined {
    if (this.asked === undefined) return undefined;
    const root = this.#tell(this.root, sources);
    const isSaid = Object.keys(root.request).length > 0;
    return isSaid && !isSameRequest(root, this.#tell(this.asked, sources)) ? root : undefined;
  }

  #tell({ frontend, options, inputs }: AskedOf, sources: Sources): RequestFacts {
    return requestFacts(frontend, toldArgs(options), sources, this.#made.of(inputs));
  }
}

/**
 * What graphs were made for, of one client's builds that are under way: where one of them is the input of another request, its provenance tells by which
 * request it was made. Others' requests are not told: their graphs may end in the same op, and their options are not for everyone.
 */
export class MadeInputs {
  readonly #made = new Map<string, Set<RequestFacts>>();

  /** Until it is disposed of. */
  add(definition: Definition, facts: RequestFacts): Disposable {
    const head = headOf(definition);
    if (head === undefined) return { [Symbol.dispose]: () => {} };
    const all = this.#made.get(head) ?? new Set();
    all.add(facts);
    this.#made.set(head, all);
    return {
      [Symbol.dispose]: () => {
        all.delete(facts);
        if (all.size === 0 && this.#made.get(head) === all) this.#made.delete(head);
      },
    };
  }

  of(inputs: ReadonlyMap<string, Definition>): Readonly<Record<string, RequestFacts>> {
    const found: Record<string, RequestFacts> = {};
    for (const [name, definition] of inputs) {
      const [first, ...others] = this.#made.get(headOf(definition) ?? '') ?? [];
      // Made for two requests, it is not said for which.
      if (first !== undefined && others.every((other) => isSameRequest(first, other))) found[name] = first;
    }
    return found;
  }
}

/** The op that a graph returns. */
function headOf({ ops }: Definition): string | undefined {
  const pointer = ops.at(-1);
  try {
    return pointer === undefined ? undefined : decodeOp(pointer).inputs[0]?.digest;
  } catch {
    return undefined;
  }
}
