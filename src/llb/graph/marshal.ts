import { type Digest, digestOf, hostPlatform, newId, type Platform } from '../../base/index.ts';
import { encodeOp } from '../codec/index.ts';
import type { Definition, OpMetadata, SourceInfo, SourceLocation, SourceMap } from '../op.ts';
import type { GraphNode, MarshalContext, Output } from './node.ts';
import { EMPTY_METADATA, mergeMetadata, type SourceFile } from './options.ts';

export interface MarshalOptions {
  /** Default: this machine's. */
  readonly platform?: Platform;
  readonly constraints?: readonly string[];
  /** Capability ids of the builder, where known; without them every feature is written as asked. */
  readonly caps?: ReadonlySet<string>;
  /** Makes local sources without a session unique to one client; random when left out. */
  readonly localUniqueId?: string;
}

/** Serializes all that `output` needs, inputs before users. Equal graphs give equal bytes. An undefined output (scratch) has no ops. */
export function marshalOutput(output: Output | undefined, options: MarshalOptions = {}): Definition {
  if (!output) return { ops: [], metadata: new Map() };
  const digests = new Map<GraphNode, Digest>();
  const ops: Uint8Array[] = [];
  const metadata = new Map<Digest, OpMetadata>();
  const sources = new SourceCollector();
  const context: MarshalContext = {
    input: ({ node, index }) => ({ digest: digests.get(node)!, index: index() }),
    platform: options.platform ?? hostPlatform(),
    constraints: options.constraints ?? [],
    caps: options.caps,
    localUniqueId: options.localUniqueId ?? newId(),
  };
  for (const node of inOrder(output.node)) {
    const built = node.build(context);
    const bytes = encodeOp(built.op);
    const digest = digestOf(bytes);
    digests.set(node, digest);
    if (!metadata.has(digest)) ops.push(bytes);
    metadata.set(digest, mergeMetadata(metadata.get(digest), built.metadata));
    for (const { file, ranges } of node.options.locations ?? []) sources.add(digest, file, ranges);
  }
  const pointer = encodeOp({ inputs: [context.input(output)], body: { kind: 'pointer' } });
  const caps: Record<string, boolean> = { constraints: true, platform: true };
  for (const each of metadata.values()) {
    if (each.ignoreCache) caps['meta.ignorecache'] = true;
    if (Object.keys(each.description).length > 0) caps['meta.description'] = true;
    if (each.exportCache !== undefined) caps['meta.exportcache'] = true;
  }
  ops.push(pointer);
  metadata.set(digestOf(pointer), { ...EMPTY_METADATA, caps });
  const source = sources.finish();
  return { ops, metadata, ...(source ? { source } : {}) };
}

/** Nodes reachable from `root`, inputs first, each once; by an own stack, since graphs are deep. */
function inOrder(root: GraphNode): GraphNode[] {
  const order: GraphNode[] = [];
  const seen = new Set<GraphNode>([root]);
  const stack: { node: GraphNode; inputs: readonly Output[]; next: number }[] = [
    { node: root, inputs: root.inputs(), next: 0 },
  ];
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const input = top.inputs[top.next++];
    if (!input) {
      order.push(top.node);
      stack.pop();
    } else if (!seen.has(input.node)) {
      seen.add(input.node);
      stack.push({ node: input.node, inputs: input.node.inputs(), next: 0 });
    }
  }
  return order;
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
