import { EMPTY_INPUT } from '../op.ts';
import { type BuiltStep, envelope, type FileSystem, type GraphNode, type MarshalContext, type Output } from './node.ts';
import { type StepOptions, stepMetadata } from './options.ts';

export class MergeNode implements GraphNode {
  readonly options: StepOptions;
  readonly #outputs: readonly Output[];

  constructor(states: readonly FileSystem[], options: StepOptions) {
    this.options = options;
    this.#outputs = states.flatMap((state) => state.output ?? []);
  }

  inputs(): readonly Output[] {
    return this.#outputs;
  }

  build(context: MarshalContext): BuiltStep {
    return {
      op: {
        inputs: this.#outputs.map((output) => context.input(output)),
        constraints: envelope(context, this.options).constraints,
        body: { kind: 'merge', merge: { inputs: this.#outputs.map((_, index) => index) } },
      },
      metadata: stepMetadata(this.options, ['mergeop']),
    };
  }
}

export class DiffNode implements GraphNode {
  readonly options: StepOptions;
  readonly #lower: Output | undefined;
  readonly #upper: Output | undefined;

  constructor(lower: FileSystem, upper: FileSystem, options: StepOptions) {
    this.options = options;
    this.#lower = lower.output;
    this.#upper = upper.output;
  }

  inputs(): readonly Output[] {
    return [this.#lower, this.#upper].filter((output) => output !== undefined);
  }

  build(context: MarshalContext): BuiltStep {
    const lower = this.#lower ? 0 : EMPTY_INPUT;
    return {
      op: {
        inputs: this.inputs().map((output) => context.input(output)),
        constraints: envelope(context, this.options).constraints,
        body: { kind: 'diff', diff: { lower, upper: this.#upper ? lower + 1 : EMPTY_INPUT } },
      },
      metadata: stepMetadata(this.options, ['diffop']),
    };
  }
}

/** Hands its first input on once all are made. */
export class PassthroughNode implements GraphNode {
  readonly options: StepOptions = {};
  readonly #id: string;
  readonly #outputs: readonly Output[];

  constructor(id: string, state: FileSystem, others: readonly FileSystem[]) {
    this.#id = id;
    this.#outputs = [state, ...others].flatMap((each) => each.output ?? []);
  }

  inputs(): readonly Output[] {
    return this.#outputs;
  }

  build(context: MarshalContext): BuiltStep {
    return {
      op: {
        inputs: this.#outputs.map((output) => context.input(output)),
        constraints: envelope(context, this.options).constraints,
        body: { kind: 'passthrough', passthrough: { id: this.#id, outputs: [0] } },
      },
      metadata: stepMetadata(this.options, ['passthroughop']),
    };
  }
}
