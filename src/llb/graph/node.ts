import type { Platform } from '../../base/index.ts';
import type { ExecMeta, ExecOp, Input, Op, OpMetadata } from '../op.ts';
import type { StepOptions } from './options.ts';

/** An op under construction; its bytes are made when the graph is marshalled, since they hold its inputs' digests. */
export interface GraphNode {
  /** In the order that the op lists them; the same output may come twice. */
  inputs(): readonly Output[];
  build(context: MarshalContext): BuiltStep;
  readonly options: StepOptions;
}

export interface BuiltStep {
  /** Bytes where they are there already, as those of a graph made elsewhere. */
  readonly op: Op | Uint8Array;
  readonly metadata: OpMetadata;
}

/** Output `index` of a node; of no node it is scratch. Both are asked when the graph is marshalled: by then all mounts are there, and what was late is known. */
export interface Output {
  readonly node: GraphNode | undefined;
  index(): number;
  readonly platform?: Platform;
}

/** What runs on a state are given. */
export interface StateValues {
  readonly dir: string;
  readonly env: ReadonlyMap<string, string>;
  readonly user: string;
  readonly platform?: Platform;
  readonly hostname: string;
  readonly network: ExecOp['network'];
  readonly security: ExecOp['security'];
  readonly extraHosts: ExecMeta['extraHosts'];
  readonly ulimits: ExecMeta['ulimits'];
  readonly cgroupParent: string;
}

/** A file system as steps take it: `State` is one. */
export interface FileSystem {
  /** Undefined for scratch. */
  readonly output: Output | undefined;
  readonly values: StateValues;
}

export interface MarshalContext {
  /** Digest and index of an output whose node is marshalled already. */
  input(output: Output): Input;
  /** Platform of steps that name none; undefined for the builder's. */
  readonly platform: Platform | undefined;
  readonly constraints: readonly string[];
  /** What the builder supports, when known. */
  readonly caps: ReadonlySet<string> | undefined;
  /** `local.unique` of local sources without a session. */
  readonly localUniqueId: string;
}

/** The inputs of an op, each once, and where each output landed. */
export class InputList {
  readonly list: Input[] = [];
  readonly #context: MarshalContext;
  readonly #indexes = new Map<string, number>();

  constructor(context: MarshalContext) {
    this.#context = context;
  }

  /** Index of the output among the op's inputs; -1 for scratch. */
  add(output: Output | undefined): number {
    if (!output?.node) return -1;
    const input = this.#context.input(output);
    const key = `${input.digest}#${input.index}`;
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    this.#indexes.set(key, this.list.length);
    return this.list.push(input) - 1;
  }
}

/** Platform and worker filters of an op. */
export function envelope(
  context: MarshalContext,
  options: StepOptions,
  platform?: Platform,
): { readonly platform?: Platform; readonly constraints: readonly string[] } {
  const named = options.platform ?? platform ?? context.platform;
  return {
    ...(named === undefined ? {} : { platform: named }),
    constraints: [...context.constraints, ...(options.constraints ?? [])],
  };
}
