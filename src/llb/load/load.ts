import {
  type AbortOptions,
  CodedError,
  type Digest,
  digester,
  digestOf,
  hostPlatform,
  inSlices,
  invalidArgument,
  isDigest,
  LargeMap,
  normalizePlatform,
  type Platform,
} from '../../base/index.ts';
import { assertKnownCaps } from '../caps.ts';
import { assertOpBounded } from '../codec/bounds.ts';
import { isCanonical } from '../codec/canonical.ts';
import { DEFAULT_LIMITS, type DefinitionLimits, decodeDefinition } from '../codec/index.ts';
import * as pb from '../codec/messages.ts';
import { opFromWire } from '../codec/op-convert.ts';
import { countUnknown, decodeMessage, decodeSteps, encodeMessage, type WireMessage } from '../codec/schema.ts';
import { EMPTY_METADATA } from '../graph/options.ts';
import type { Definition, Input, Op, OpMetadata, SourceMap } from '../op.ts';
import { vertexName } from './names.ts';
import { outputCount, validateOp } from './validate.ts';
import type { LlbEdge, LlbGraph, LlbVertex, VertexOp } from './vertex.ts';

export interface LoadOptions {
  /** Platform of ops that name none; this machine's when left out. */
  readonly platform?: Platform;
  readonly limits?: DefinitionLimits;
  /** Off for definitions whose capabilities were checked when they came in. On when left out. */
  readonly checkCaps?: boolean;
}

/**
 * Turns a definition into the graph to solve: checks it, renames inputs to vertex digests, fills in platforms. The input may be
 * hostile. Undefined for a definition without ops, which is scratch.
 * @throws CodedError invalid_argument for what is wrong with it, resource_exhausted above the limits.
 */
export function loadDefinition(input: Uint8Array | Definition, options: LoadOptions = {}): LlbGraph | undefined {
  const steps = load(input, options);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** {@link loadDefinition} in slices, between which others have their turn: a large graph takes seconds. */
export async function loadDefinitionInSlices(
  input: Uint8Array | Definition,
  { signal, ...options }: LoadOptions & AbortOptions,
): Promise<LlbGraph | undefined> {
  return await inSlices(load(input, options), { signal });
}

/** An op that is decoded in steps: one of very many inputs takes long. */
const LARGE_BYTES = 64 * 1024;

/** Yields after each op that it has looked at. */
function* load(input: Uint8Array | Definition, options: LoadOptions): Generator<void, LlbGraph | undefined, void> {
  const limits = options.limits ?? DEFAULT_LIMITS;
  if (input instanceof Uint8Array && input.length > limits.maxBytes) throw tooLarge(`${input.length} bytes`, limits);
  const definition = input instanceof Uint8Array ? decodeDefinition(input) : input;
  if (definition.ops.length === 0) return undefined;
  if (definition.ops.length > limits.maxOps) throw tooLarge(`${definition.ops.length} ops`, limits);
  yield* checkLocations(definition.source);

  const ops = LargeMap.byText<Digest, WireOp>();
  let last: Digest | undefined;
  let bytes = 0;
  for (const op of definition.ops) {
    bytes += op.length;
    if (bytes > limits.maxBytes) throw tooLarge(`more than ${limits.maxBytes} bytes of ops`, limits);
    last = digestOf(op);
    const message = op.length > LARGE_BYTES ? yield* decodeSteps(pb.Op, op) : decodeMessage(pb.Op, op);
    assertOpBounded(pb.Op, message, { bytes: op.length, what: `op ${last}` });
    const inputs = (message['inputs'] ?? []) as readonly WireMessage[];
    if (inputs.length > limits.maxOps) throw tooLarge(`an op with ${inputs.length} inputs`, limits);
    ops.set(last, { digest: last, bytes: op, message, inputs: yield* inputsOf(inputs) });
    yield;
  }
  if (ops.size < 2) throw invalidArgument(`invalid LLB with ${ops.size} vertexes`);
  const pointer = ops.get(last!)!;
  const target = pointer.inputs[0];
  if (!target) throw invalidArgument('invalid LLB with no inputs on last vertex');
  if (options.checkCaps !== false) {
    for (const metadata of definition.metadata.values()) {
      assertKnownCaps(Object.keys(metadata.caps));
      yield;
    }
  }

  const defaultPlatform = normalizePlatform(options.platform ?? hostPlatform());
  const known = LargeMap.byText<Digest, true>();
  const vertices: LlbVertex[] = [];
  const digests = LargeMap.byText<Digest, Digest>();
  let unknownFields = 0;
  for (const wire of yield* inputsFirst(ops, target.digest)) {
    unknownFields += yield* countUnknown(pb.Op, wire.message);
    const vertex = yield* makeVertex(wire, ops, definition, defaultPlatform);
    wire.vertex = vertex;
    // Two encodings of one op are one vertex.
    if (!known.has(vertex.digest)) vertices.push(vertex);
    known.set(vertex.digest, true);
    digests.set(wire.digest, vertex.digest);
    yield;
  }
  return {
    root: edgeTo(ops, target),
    vertices,
    digests,
    unknownFields,
  };
}

type WireOps = ReadonlyMap<Digest, WireOp>;

/** An op as it came. */
interface WireOp {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly message: WireMessage;
  readonly inputs: readonly Input[];
  /** Whether all that it needs is in order, or being put there. */
  order?: 'open' | 'done';
  /** What was made of it. */
  vertex?: LlbVertex;
}

/** Inputs of one op that are looked at in one step. */
const MOST_INPUTS = 250;

/** @throws CodedError invalid_argument for one that cannot be */
function* inputsOf(given: readonly WireMessage[]): Generator<void, readonly Input[], void> {
  const inputs: Input[] = [];
  for (const [i, input] of given.entries()) {
    const digest = (input['digest'] as string | undefined) ?? '';
    const index = Number(input['index'] ?? 0);
    if (!isDigest(digest)) throw invalidArgument(`invalid input ${i} digest ${JSON.stringify(digest)}`);
    if (!Number.isSafeInteger(index) || index < 0) throw invalidArgument(`invalid input ${i} output index ${index}`);
    inputs.push({ digest, index });
    if (inputs.length % MOST_INPUTS === 0) yield;
  }
  return inputs.slice(); // without room to grow
}

/** All that `root` needs, inputs before users; by an own stack, since a chain may be 100,000 long. */
function* inputsFirst(ops: WireOps, root: Digest): Generator<void, WireOp[], void> {
  const order: WireOp[] = [];
  const stack: { readonly op: WireOp; next: number }[] = [];
  const visit = (digest: Digest) => {
    const op = ops.get(digest);
    if (!op) throw invalidArgument(`invalid missing input digest ${digest}`);
    if (op.order === 'open') throw invalidArgument(`invalid LLB: ${digest} needs itself`);
    if (op.order === 'done') return;
    op.order = 'open';
    stack.push({ op, next: 0 });
  };
  visit(root);
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    yield;
    const input = top.op.inputs[top.next++];
    if (input) visit(input.digest);
    else {
      stack.pop();
      top.op.order = 'done';
      order.push(top.op);
    }
  }
  return order;
}

/** Yields after each step of what is long for an op of many inputs. */
function* makeVertex(
  { digest: wireDigest, bytes, message, inputs: given }: WireOp,
  ops: WireOps,
  definition: Definition,
  defaultPlatform: Platform,
): Generator<void, LlbVertex, void> {
  const inputs: LlbEdge[] = [];
  /** By which they go, if any of them is called otherwise than it came. */
  const names: Input[] = [];
  let isRenamed = false;
  for (const input of given) {
    const edge = edgeTo(ops, input);
    const { digest } = edge.vertex;
    isRenamed ||= digest !== input.digest;
    inputs.push(edge);
    names.push(digest === input.digest ? input : { digest, index: input.index });
    if (inputs.length % MOST_INPUTS === 0) yield;
  }
  const op = opFromWire(message, isRenamed ? names.slice() : given); // without room to grow
  validateOp(op);
  const metadata: OpMetadata = definition.metadata.get(wireDigest) ?? EMPTY_METADATA;
  const name = metadata.description['llb.customname'] ?? vertexName(op, inputs);
  const platform = platformOf(op, defaultPlatform);
  const vertexOp: VertexOp = {
    op,
    metadata,
    outputs: outputCount(op),
    ...(platform ? { platform } : {}),
    locations: (definition.source?.locations.get(wireDigest) ?? []).map(({ sourceIndex, ranges }) => ({
      info: definition.source!.infos[sourceIndex]!,
      ranges,
    })),
  };
  return {
    // Mostly it came as it would be written.
    digest: !isRenamed && (yield* isCanonical(pb.Op, bytes)) ? wireDigest : yield* digestSteps(message, names),
    name,
    inputs: inputs.slice(), // without room to grow
    op: vertexOp,
    ignoreCache: metadata.ignoreCache,
    ...(metadata.progressGroup ? { progressGroup: metadata.progressGroup } : {}),
  };
}

/** Digest of the canonical bytes of an op whose inputs go by these names: the bytes begin with them. */
function* digestSteps({ inputs = [], ...rest }: WireMessage, names: readonly Input[]): Generator<void, Digest, void> {
  const all = inputs as readonly WireMessage[];
  const digest = digester();
  for (let at = 0; at < all.length; at += MOST_INPUTS) {
    const some = all.slice(at, at + MOST_INPUTS).map((input, i) => ({ ...input, digest: names[at + i]!.digest }));
    digest.update(encodeMessage(pb.Op, { inputs: some }));
    if (at > 0) yield;
  }
  digest.update(encodeMessage(pb.Op, rest));
  return digest.digest();
}

function edgeTo(ops: WireOps, { digest, index }: Input): LlbEdge {
  const vertex = ops.get(digest)!.vertex!;
  const { outputs } = vertex.op;
  if (index >= outputs) throw invalidArgument(`invalid output index ${index}: ${vertex.name} has ${outputs} outputs`);
  return { vertex, index };
}

/** Other ops do the same on every platform and share their vertices. */
function platformOf({ body, platform }: Op, defaultPlatform: Platform): Platform | undefined {
  const wanted =
    body.kind === 'exec' ||
    (body.kind === 'source' && /^(?:docker-image|oci-layout):\/\//.test(body.source.identifier));
  if (!wanted) return undefined;
  return platform ? normalizePlatform(platform) : defaultPlatform;
}

function* checkLocations(source: SourceMap | undefined): Generator<void, void, void> {
  for (const [digest, locations] of source?.locations ?? []) {
    for (const { sourceIndex } of locations)
      if (sourceIndex < 0 || sourceIndex >= source!.infos.length)
        throw invalidArgument(`invalid source index ${sourceIndex} for vertex ${digest}`);
    yield;
  }
}

function tooLarge(what: string, limits: DefinitionLimits): CodedError {
  return CodedError.of(
    'DEFINITION_TOO_LARGE',
    `definition of ${what} is above the limit of ${limits.maxOps} ops and ${limits.maxBytes} bytes`,
  );
}
