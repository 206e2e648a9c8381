import { type Digest, digestOf, invalidArgument } from '../../base/index.ts';
import { decodeOp } from '../codec/index.ts';
import type { Definition, Op, OpBody } from '../op.ts';
import { type BuiltStep, envelope, type GraphNode, InputList, type MarshalContext, type Output } from './node.ts';
import { EMPTY_METADATA, type StepOptions, stepMetadata } from './options.ts';

/** Index of an output among the op's inputs; -1 for scratch. Asked in the order in which the op lists them. */
export type InputIndex = (output: Output | undefined) => number;

/** An op given as such, for who makes graphs by other means than {@link State}, such as a frontend with settings of its own. */
export interface RawStep {
  /** All that the body asks an index for. */
  readonly inputs: readonly (Output | undefined)[];
  readonly body: (indexOf: InputIndex) => OpBody;
  readonly caps: Iterable<string>;
  /** The op does the same on every platform, and names none. */
  readonly anyPlatform?: boolean;
}

export function rawStep(step: RawStep, options: StepOptions = {}, index = 0): Output {
  return { node: new RawNode(step, options), index: () => index };
}

class RawNode implements GraphNode {
  readonly options: StepOptions;
  readonly #step: RawStep;

  constructor(step: RawStep, options: StepOptions) {
    this.#step = step;
    this.options = options;
  }

  inputs(): readonly Output[] {
    return this.#step.inputs.filter((input) => input !== undefined);
  }

  build(context: MarshalContext): BuiltStep {
    const inputs = new InputList(context);
    const { platform, constraints } = envelope(context, this.options);
    const body = this.#step.body((output) => inputs.add(output));
    return {
      op: {
        inputs: inputs.list,
        ...(this.#step.anyPlatform || platform === undefined ? {} : { platform }),
        constraints,
        body,
      },
      metadata: stepMetadata(this.options, this.#step.caps),
    };
  }
}

/** A step of a graph made elsewhere: it stays byte for byte what it was. */
class GivenNode implements GraphNode {
  readonly options: StepOptions;
  readonly #inputs: readonly Output[];
  readonly #built: BuiltStep;

  constructor(inputs: readonly Output[], built: BuiltStep, options: StepOptions) {
    this.#inputs = inputs;
    this.#built = built;
    this.options = options;
  }

  inputs(): readonly Output[] {
    return this.#inputs;
  }

  build(): BuiltStep {
    return this.#built;
  }
}

/** The output of a graph made elsewhere; that of a graph without ops is scratch. @throws CodedError for what is no graph */
export function givenOutput(definition: Definition): Output {
  if (definition.metadata.size === 0) throw invalidArgument('invalid nil input definition to definition op');
  const nodes = new Map<Digest, GraphNode>();
  const outputOf = (digest: Digest, index: number) =>
    lateOutput(() => ({ node: nodes.get(digest), index: () => index }));
  let last: Op | undefined;
  for (const bytes of definition.ops) {
    last = decodeOp(bytes);
    const digest = digestOf(bytes);
    const inputs = last.inputs.map((input) => outputOf(input.digest, input.index));
    const metadata = definition.metadata.get(digest) ?? EMPTY_METADATA;
    nodes.set(digest, new GivenNode(inputs, { op: bytes, metadata }, { locations: locationsOf(definition, digest) }));
  }
  if (last === undefined) return { node: undefined, index: () => 0 };
  const pointer = last.inputs[0];
  if (pointer === undefined) throw invalidArgument('invalid definition with no inputs on last vertex');
  return outputOf(pointer.digest, pointer.index);
}

function locationsOf({ source }: Definition, digest: Digest): NonNullable<StepOptions['locations']> {
  return (source?.locations.get(digest) ?? []).flatMap(({ sourceIndex, ranges }) => {
    const file = source?.infos[sourceIndex];
    return file === undefined ? [] : [{ file, ranges }];
  });
}

/** An output that is decided, once, when the graph is marshalled; what deciding throws fails the graph. */
export function lateOutput(decide: () => Output | undefined): Output {
  let decided: { readonly output: Output | undefined } | undefined;
  const output = () => {
    decided ??= { output: decide() };
    return decided.output;
  };
  return {
    get node() {
      return output()?.node;
    },
    index: () => output()?.index() ?? 0,
  };
}
