import { type Digest, digestOf, hostPlatform, invalidArgument, newId, type Platform } from '../../base/index.ts';
import { encodeOp } from '../codec/index.ts';
import type { Definition, OpMetadata, SourceInfo, SourceLocation, SourceMap } from '../op.ts';
import type { GraphNode, MarshalContext, Output } from './node.ts';
import { mergeMetadata, pointerMetadata, type SourceFile } from './options.ts';

export interface MarshalOptions {
  /** Of steps that name none. `builder` leaves it to the builder; default: this machine's. */
  readonly platform?: Platform | 'builder';
  readonly constraints?: readonly string[];
  /** Capability ids of the builder, where known; without them every feature is written as asked. */
  readonly caps?: ReadonlySet<string>;
  /** Makes local sources without a session unique to one client; random when left out. */
  readonly localUniqueId?: string;
}

/** Serializes all that `output` needs, inputs before users. Equal graphs give equal bytes. An undefined output (scratch) has no ops. */
export function marshalOutput(output: Output | undefined, options: MarshalOptions = {}): Definition {
  const head = output?.node;
  if (!output || !head) return { ops: [], metadata: new Map() };
  const digests = new Map<GraphNode, Digest>();
  const ops: Uint8Array[] = [];
  const metadata = new Map<Digest, OpMetadata>();
  const sources = new SourceCollector();
  const context: MarshalContext = {
    input(output) {
      if (!output.node) throw invalidArgument('scratch cannot be the input of this step');
      return { digest: digests.get(output.node)!, index: output.index() };
    },
    platform: options.platform === 'builder' ? undefined : (options.platform ?? hostPlatform()),
    constraints: options.constraints ?? [],
    caps: options.caps,
    localUniqueId: options.localUniqueId ?? newId(),
  };
  for (const node of inputsFirst(head, producersOf)) {
    const built = node.build(context);
    const bytes = built.op instanceof Uint8Array ? built.op : encodeOp(built.op);
    const digest = digestOf(bytes);
    digests.set(node, digest);
    if (!metadata.has(digest)) ops.push(bytes);
    metadata.set(digest, mergeMetadata(metadata.get(digest), built.metadata));
    for (const { file, ranges } of node.options.locations ?? []) sources.add(digest, file, ranges);
  }
  const pointer = encodeOp({ inputs: [context.input(output)], body: { kind: 'pointer' } });
  ops.push(pointer);
  metadata.set(digestOf(pointer), pointerMetadata(metadata.values()));
  const source = sources.finish();
  return { ops, metadata, ...(source ? { source } : {}) };
}

function* producersOf(node: GraphNode): Generator<GraphNode> {
  for (const input of node.inputs()) if (input.node) yield input.node;
}

/** All that is reachable from `head`, each once and after its inputs; by a stack of its own, since graphs are deep. */
function* inputsFirst<T>(head: T, inputsOf: (node: T) => Iterable<T>): Generator<T> {
  const entered = new Set([head]);
  const open = [{ node: head, inputs: inputsOf(head)[Symbol.iterator]() }];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const { done, value: input } = top.inputs.next();
    if (done) {
      open.pop();
      yield top.node;
    } else if (!entered.has(input)) {
      entered.add(input);
      open.push({ node: input, inputs: inputsOf(input)[Symbol.iterator]() });
    }
  }
}

class SourceCollector {
  readonly #infos: SourceInfo[] = [];
  readonly #indexes = new Map<SourceFile, number>();
  readonly #locations = new Map<Digest, SourceLocation[]>();

  add(digest: Digest, file: SourceFile, ranges: SourceLocation['ranges']): void {
    const locations = this.#locations.get(digest) ?? [];
    locations.push({ sourceIndex: this.#index(file), ranges });
    this.#locations.set(digest, locations);
  }

  finish(): SourceMap | undefined {
    return this.#infos.length === 0 ? undefined : { infos: this.#infos, locations: this.#locations };
  }

  #index(file: SourceFile): number {
    let index = this.#indexes.get(file);
    if (index === undefined) {
      index = this.#infos.findIndex(
        (info) =>
          info.filename === file.filename &&
          info.language === file.language &&
          info.definition === file.definition &&
          Buffer.compare(info.data, file.data) === 0,
      );
      if (index < 0) index = this.#infos.push(file) - 1;
      this.#indexes.set(file, index);
    }
    return index;
  }
}
