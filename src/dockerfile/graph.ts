import { type Digest, digestOf, invalidArgument, type Platform } from '../base/index.ts';
import { decodeOp, EMPTY_METADATA, encodeOp, inputsFirst, mergeMetadata, pointerMetadata } from '../llb/index.ts';
import type {
  Definition,
  Input,
  LinuxResources,
  Op,
  OpBody,
  OpMetadata,
  ProgressGroup,
  SourceInfo,
  SourceLocation,
  SourceRange,
} from '../llb/op.ts';
import { type Location, rangesOf } from './location.ts';

/** An output of a vertex that may be decided later: the build context's paths are known only when every stage has been read. */
export interface Output {
  /** Undefined is scratch. */
  vertex(): Vertex | undefined;
  readonly index: number;
}

/** What goes with an op but not into its digest. */
export interface VertexNotes {
  readonly name?: string;
  /** The Dockerfile instruction, as the description `com.docker.dockerfile.v1.command`. */
  readonly instruction?: string;
  readonly location?: Location | undefined;
  readonly ignoreCache?: boolean;
  readonly caps?: readonly string[];
  readonly progressGroup?: ProgressGroup;
  readonly linuxResources?: LinuxResources | undefined;
}

/** Index of an output among the op's inputs; -1 for scratch. Asked in the order in which inputs are to be listed. */
export type InputIndex = (output: Output | undefined) => number;

export interface Vertex {
  readonly inputs: readonly Output[];
  /** Set on ops whose platform counts (exec, images); undefined takes the definition's. */
  readonly platform: Platform | undefined | 'none';
  readonly notes: VertexNotes;
  body(indexOf: InputIndex): OpBody;
  /** The bytes as they came, for vertices of a graph made elsewhere. */
  readonly wire?: {
    readonly bytes: Uint8Array;
    readonly metadata: OpMetadata | undefined;
    /** Where in the files of that graph it stands. */
    readonly places: readonly Place[];
  };
}

interface Place {
  readonly info: SourceInfo;
  readonly ranges: readonly SourceRange[];
}

export function outputOf(vertex: Vertex, index = 0): Output {
  return { vertex: () => vertex, index };
}

interface Encoded {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/**
 * The definition whose result is `output`: inputs before users, the pointer last. Equal ops become one entry.
 * Depth does not matter: chains of ten thousand steps are walked without recursion.
 */
export function definitionOf(
  output: Output | undefined,
  options: { readonly platform: Platform; readonly source: SourceInfo | undefined },
): Definition {
  const head = output?.vertex();
  if (output === undefined || head === undefined) return { ops: [], metadata: new Map() };
  const encoded = new Map<Vertex, Encoded>();
  const ops = new Map<Digest, Uint8Array>();
  const metadata = new Map<Digest, OpMetadata>();
  const locations = new Map<Digest, SourceLocation[]>();
  const infos: SourceInfo[] = [];
  const indexOf = (info: SourceInfo): number => {
    const known = infos.indexOf(info);
    return known >= 0 ? known : infos.push(info) - 1;
  };
  for (const vertex of inputsFirst(head, producersOf)) {
    const entry = encode(vertex, encoded, options.platform);
    encoded.set(vertex, entry);
    ops.set(entry.digest, entry.bytes);
    metadata.set(entry.digest, mergeMetadata(metadata.get(entry.digest), metadataOf(vertex)));
    const known = locations.get(entry.digest) ?? [];
    if (vertex.notes.location !== undefined && options.source !== undefined)
      known.push({ sourceIndex: indexOf(options.source), ranges: rangesOf(vertex.notes.location) });
    for (const { info, ranges } of vertex.wire?.places ?? []) known.push({ sourceIndex: indexOf(info), ranges });
    locations.set(entry.digest, known);
  }
  const pointer = encodeOp({
    inputs: [{ digest: encoded.get(head)!.digest, index: output.index }],
    body: { kind: 'pointer' },
  });
  metadata.set(digestOf(pointer), pointerMetadata(metadata.values()));
  return {
    ops: [...ops.values(), pointer],
    metadata,
    source: { infos, locations },
  };
}

/** The output of a graph made elsewhere, its ops kept byte for byte; that of a graph without ops is scratch. @throws CodedError for what is no graph */
export function outputOfDefinition(definition: Definition): Output {
  if (definition.metadata.size === 0) throw invalidArgument('invalid nil input definition to definition op');
  const vertices = new Map<Digest, Vertex>();
  let last: Op | undefined;
  for (const bytes of definition.ops) {
    const op = decodeOp(bytes);
    last = op;
    const digest = digestOf(bytes);
    vertices.set(digest, {
      inputs: op.inputs.map((input) => ({ vertex: () => vertices.get(input.digest), index: input.index })),
      platform: op.platform ?? 'none',
      notes: {},
      body: () => op.body,
      wire: { bytes, metadata: definition.metadata.get(digest), places: placesOf(definition, digest) },
    });
  }
  if (last === undefined) return { vertex: () => undefined, index: 0 };
  const pointer = last.inputs[0];
  if (pointer === undefined) throw invalidArgument('invalid definition with no inputs on last vertex');
  return { vertex: () => vertices.get(pointer.digest), index: pointer.index };
}

function placesOf({ source }: Definition, digest: Digest): Place[] {
  return (source?.locations.get(digest) ?? []).flatMap(({ sourceIndex, ranges }) => {
    const info = source?.infos[sourceIndex];
    return info === undefined ? [] : [{ info, ranges }];
  });
}

/** An output that cannot be had: whoever makes a graph of it gets the failure. */
export function missingOutput(failure: unknown): Output {
  return {
    index: 0,
    vertex: () => {
      throw failure;
    },
  };
}

function* producersOf({ inputs }: Vertex): Generator<Vertex> {
  for (const input of inputs) {
    const vertex = input.vertex();
    if (vertex !== undefined) yield vertex;
  }
}

function encode(vertex: Vertex, encoded: ReadonlyMap<Vertex, Encoded>, platform: Platform): Encoded {
  if (vertex.wire !== undefined) return { digest: digestOf(vertex.wire.bytes), bytes: vertex.wire.bytes };
  const inputs: Input[] = [];
  const indexOf = (output: Output | undefined): number => {
    const producer = output?.vertex();
    if (output === undefined || producer === undefined) return -1;
    const { digest } = encoded.get(producer)!;
    const known = inputs.findIndex((input) => input.digest === digest && input.index === output.index);
    if (known >= 0) return known;
    inputs.push({ digest, index: output.index });
    return inputs.length - 1;
  };
  const body = vertex.body(indexOf);
  const own = vertex.platform === 'none' ? undefined : (vertex.platform ?? platform);
  const bytes = encodeOp({ inputs, constraints: [], body, ...(own === undefined ? {} : { platform: own }) });
  return { digest: digestOf(bytes), bytes };
}

function metadataOf({ notes, wire }: Vertex): OpMetadata {
  if (wire !== undefined) return wire.metadata ?? EMPTY_METADATA;
  const description: Record<string, string> = {};
  if (notes.instruction !== undefined) description['com.docker.dockerfile.v1.command'] = notes.instruction;
  if (notes.name !== undefined) description['llb.customname'] = notes.name;
  return {
    ignoreCache: notes.ignoreCache ?? false,
    description,
    caps: Object.fromEntries((notes.caps ?? []).map((cap) => [cap, true])),
    ...(notes.progressGroup === undefined ? {} : { progressGroup: notes.progressGroup }),
    ...(notes.linuxResources === undefined ? {} : { linuxResources: notes.linuxResources }),
  };
}

/** An output that is decided later, before the graph is made: the build context, whose paths are known once every stage has been read. */
export class LateOutput implements Output {
  #bound: Output | undefined;

  get index(): number {
    return this.#bound?.index ?? 0;
  }

  bind(output: Output): void {
    this.#bound = output;
  }

  vertex(): Vertex | undefined {
    return this.#bound?.vertex();
  }
}
