import { type Digest, digestOf, invalidArgument, isDigest } from '../../base/index.ts';
import { decodeOp, encodeOp } from '../codec/index.ts';
import type { Definition, Op, OpMetadata } from '../op.ts';

/** Readable form of one step: inputs by the id of another step, bytes as base64, nanoseconds as decimal text. */
export interface JsonStep {
  readonly id: string;
  readonly inputs?: readonly string[];
  readonly op: unknown;
  readonly metadata?: OpMetadata;
}

export interface JsonDefinition {
  readonly steps: readonly JsonStep[];
  /** `id` or `id:output` of what the graph returns. */
  readonly result: string;
}

/** A definition for people and tools to read; it can be written as JSON or YAML. Source maps are left out. */
export function definitionToJson(definition: Definition): JsonDefinition {
  const ids = new Map<Digest, string>();
  const steps: JsonStep[] = [];
  let result = '';
  for (const bytes of definition.ops) {
    const digest = digestOf(bytes);
    const op = decodeOp(bytes);
    const inputs = op.inputs.map((input) => `${ids.get(input.digest) ?? input.digest}${suffix(input.index)}`);
    if (op.body.kind === 'pointer') {
      result = inputs[0] ?? '';
      continue;
    }
    const id = `${op.body.kind}-${steps.length + 1}`;
    ids.set(digest, id);
    const { inputs: _, ...rest } = op;
    const metadata = definition.metadata.get(digest);
    steps.push({
      id,
      ...(inputs.length > 0 ? { inputs } : {}),
      op: toPlain(rest),
      ...(metadata ? { metadata } : {}),
    });
  }
  return { steps, result };
}

/** The definition that {@link definitionToJson} showed, digest for digest. @throws CodedError invalid_argument */
export function definitionFromJson(json: JsonDefinition): Definition {
  const digests = new Map<string, Digest>();
  const ops: Uint8Array[] = [];
  const metadata = new Map<Digest, OpMetadata>();
  const input = (text: string) => {
    const colon = isDigest(text) ? -1 : text.lastIndexOf(':');
    const id = colon < 0 ? text : text.slice(0, colon);
    const digest = digests.get(id);
    if (!digest) throw invalidArgument(`unknown step ${JSON.stringify(id)}: inputs come before their users`);
    const index = colon < 0 ? 0 : Number(text.slice(colon + 1));
    if (!Number.isInteger(index) || index < 0) throw invalidArgument(`invalid output in ${JSON.stringify(text)}`);
    return { digest, index };
  };
  const add = (op: Op): Digest => {
    const bytes = encodeOp(op);
    ops.push(bytes);
    return digestOf(bytes);
  };
  for (const step of json.steps) {
    if (digests.has(step.id)) throw invalidArgument(`step ${JSON.stringify(step.id)} is there twice`);
    const inputs = (step.inputs ?? []).map(input);
    let digest: Digest;
    try {
      digest = add({ ...(fromPlain(step.op) as Op), inputs });
    } catch (error) {
      throw invalidArgument(`step ${JSON.stringify(step.id)} is no valid op`, { cause: error });
    }
    digests.set(step.id, digest);
    if (step.metadata) metadata.set(digest, step.metadata);
  }
  if (json.result) {
    const pointer = add({ inputs: [input(json.result)], body: { kind: 'pointer' } });
    metadata.set(pointer, { ignoreCache: false, description: {}, caps: { constraints: true, platform: true } });
  }
  return { ops, metadata };
}

function suffix(index: number): string {
  return index === 0 ? '' : `:${index}`;
}

function toPlain(value: unknown): unknown {
  if (typeof value === 'bigint') return { $int: value.toString() };
  if (value instanceof Uint8Array) return { $bytes: value.toBase64() };
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toPlain(member)]));
}

function fromPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromPlain);
  if (typeof value !== 'object' || value === null) return value;
  const { $int, $bytes } = value as { $int?: unknown; $bytes?: unknown };
  if (typeof $int === 'string' && /^-?\d{1,19}$/.test($int)) return BigInt($int);
  if (typeof $bytes === 'string') return Uint8Array.fromBase64($bytes);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fromPlain(member)]));
}
