import { type AbortOptions, inSlices, joinedInSlices } from '../../base/index.ts';
import type { Definition, ExecOp, Op } from '../op.ts';
import {
  definitionFromWire,
  definitionPieces,
  definitionSteps,
  definitionToWire,
  sourcePieces,
} from './definition-convert.ts';
import * as pb from './messages.ts';
import { execFromWire, opFromWire, opToWire } from './op-convert.ts';
import { decodeMessage, decodeSteps, encodeMessage, type WireMessage } from './schema.ts';

export { opToProtoJson } from './proto-json.ts';
export { UNKNOWN, type WireMessage } from './schema.ts';

/** Upper bounds for a definition from outside. */
export interface DefinitionLimits {
  readonly maxBytes: number;
  readonly maxOps: number;
}
export const DEFAULT_LIMITS: DefinitionLimits = { maxBytes: 64 * 1024 * 1024, maxOps: 100_000 };

/** A `pb.Definition` from its bytes. @throws CodedError invalid_argument when malformed, resource_exhausted above the limits. */
export function decodeDefinition(bytes: Uint8Array): Definition {
  return definitionFromWire(decodeMessage(pb.Definition, bytes));
}

/** {@link decodeDefinition} in slices, between which others have their turn. */
export async function decodeDefinitionInSlices(bytes: Uint8Array, options: AbortOptions): Promise<Definition> {
  return await inSlices(definitionSteps(await inSlices(decodeSteps(pb.Definition, bytes), options)), options);
}

/** Canonical bytes of a definition. */
export function encodeDefinition(definition: Definition): Uint8Array<ArrayBuffer> {
  return encodeMessage(pb.Definition, definitionToWire(definition));
}

/** Bytes are joined to so many. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Bytes of a definition, in chunks, made in slices between which others have their turn; those of {@link encodeDefinition} where its maps are in the order of their
 * keys.
 */
export async function encodeDefinitionInSlices(
  definition: Definition,
  options: AbortOptions,
): Promise<readonly Uint8Array[]> {
  const source = await inSlices(sourcePieces(definition), options);
  return await joinedInSlices(definitionPieces(definition, source), CHUNK_BYTES, options);
}

/** One op of a definition. @throws CodedError invalid_argument */
export function decodeOp(bytes: Uint8Array): Op {
  return opFromWire(decodeWireOp(bytes));
}

/** A `pb.ExecOp`, whose parts gateway containers and their processes carry, too. @throws CodedError invalid_argument */
export function decodeExecOp(bytes: Uint8Array): ExecOp {
  return execFromWire(decodeMessage(pb.ExecOp, bytes));
}

/** Canonical bytes: what BuildKit's Go clients write for the same op. */
export function encodeOp(op: Op): Uint8Array {
  return encodeWireOp(opToWire(op));
}

/** The loss-free form, with the fields that this version does not know. */
export function decodeWireOp(bytes: Uint8Array): WireMessage {
  return decodeMessage(pb.Op, bytes);
}

export function encodeWireOp(wire: WireMessage): Uint8Array {
  return encodeMessage(pb.Op, wire);
}
