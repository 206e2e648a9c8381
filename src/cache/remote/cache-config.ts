import { z } from 'zod';
import { CodedError, type Digest, digestOf, isDigest } from '../../base/index.ts';

/** Media type of the document that says which keys a remote cache has, and which layers their results are of. */
export const CACHE_CONFIG_TYPE = 'application/vnd.buildkit.cacheconfig.v0';
/** BuildKit reads no more of one. */
export const MAX_CACHE_CONFIG_BYTES = 1 << 20;
/** Of ways into one record, and of its results: what is read at one go. */
const MAX_OF_RECORD = 2000;
/** Of everything in one document: a byte of it is not to cost a kilobyte. */
const MAX_OBJECTS = 60_000;
/** More layers than one result can have. */
const MAX_CHAIN = 500;

/** What other builders can read of a cache: BuildKit's cache config. All numbers are positions in the lists of the same document. */
export interface CacheConfig {
  readonly layers: readonly CacheLayer[];
  readonly records: readonly CacheConfigRecord[];
}

interface CacheLayer {
  readonly blob: Digest;
  /** The layer below; -1 for none. */
  readonly parent: number;
  /** Where no manifest says it. */
  readonly said?: LayerAnnotations | undefined;
}

/** What a config tells of a layer for stores that keep nothing but it. */
interface LayerAnnotations {
  readonly mediaType: string;
  readonly diffID: Digest;
  readonly size: number;
  /** RFC 3339. */
  readonly createdAt?: string | undefined;
  /** What packed it; ours. */
  readonly compressor?: string | undefined;
}

interface CacheConfigRecord {
  /** BuildKit's record digest: of op digest and output, or of a content digest. */
  readonly digest: Digest;
  /** By input slot the ways that lead here; empty for a root. */
  readonly inputs: readonly (readonly CacheWay[])[];
  readonly results: readonly CacheConfigResult[];
}

interface CacheWay {
  readonly selector: string;
  readonly link: number;
}

export interface CacheConfigResult {
  /** The layer on top of those that its parents lead to, or all of them, bottom first. */
  readonly layers: number | readonly number[];
  /** Ms since the epoch; 0 where it is not told. */
  readonly createdAt: number;
}

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'expected a digest');
const position = z.int().min(0);
/** Go leaves out what is zero. */
const omitted = <T extends z.ZodType>(type: T) => type.nullish();

const annotationsSchema = z.object({
  mediaType: z.string().max(256),
  diffID: digest,
  size: z.int().min(0),
  createdAt: z.string().max(64).optional(),
  compressor: z.string().optional().catch(undefined),
});
const layerSchema = z.object({ blob: digest, parent: omitted(z.int().min(-1)), annotations: z.unknown().optional() });
const recordSchema = z.object({
  digest,
  layers: omitted(z.array(z.object({ layer: omitted(position), createdAt: omitted(z.string().max(64)) }))),
  chains: omitted(
    z.array(z.object({ layers: omitted(z.array(position).max(MAX_CHAIN)), createdAt: omitted(z.string().max(64)) })),
  ),
  inputs: omitted(
    z.array(z.array(z.object({ selector: omitted(z.string().max(256)), link: omitted(position) })).nonempty()),
  ),
});
type RecordJson = z.output<typeof recordSchema>;

/** Reads a cache config. Yields after each record. @throws CodedError CACHE_MALFORMED for one that says what cannot be */
export function* readCacheConfig(bytes: Uint8Array): Generator<void, CacheConfig, void> {
  const value = json(bytes);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('it is no object');
  const { layers, records } = value as { readonly layers?: unknown; readonly records?: unknown };
  const given: CacheLayer[] = [];
  for (const layer of listOf(layers)) {
    const { blob, parent, annotations } = check(layerSchema, layer);
    // Of a layer that they say too little of nothing is had; the others are.
    given.push({ blob, parent: parent ?? 0, said: annotationsSchema.safeParse(annotations).data });
    yield;
  }
  return yield* linked(given, listOf(records));
}

/** Reads the records that an image carries in its configuration; their layers are those of the image, by position. @throws CodedError CACHE_MALFORMED */
export function* readInlineRecords(bytes: Uint8Array, blobs: readonly Digest[]): Generator<void, CacheConfig, void> {
  return yield* linked(
    blobs.map((blob, i) => ({ blob, parent: i - 1 })),
    listOf(json(bytes)),
  );
}

/** Layers of a result, bottom first. */
export function chainOf({ layers }: CacheConfig, result: CacheConfigResult): readonly number[] {
  if (typeof result.layers !== 'number') return result.layers;
  const chain: number[] = [];
  for (let at = result.layers; at !== -1; at = layers[at]!.parent) chain.push(at);
  return chain.reverse();
}

function json(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_CACHE_CONFIG_BYTES)
    throw malformed(`it has ${bytes.length} bytes, more than ${MAX_CACHE_CONFIG_BYTES}`);
  let objects = 0;
  for (const byte of bytes) if (byte === 0x7b || byte === 0x5b) objects++;
  if (objects > MAX_OBJECTS) throw malformed(`it has more than ${MAX_OBJECTS} objects and lists`);
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch (cause) {
    throw malformed((cause as Error).message, cause);
  }
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw malformed('expected a list');
  return value;
}

function check<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw malformed(`${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'invalid'}`);
}

function* linked(layers: readonly CacheLayer[], given: readonly unknown[]): Generator<void, CacheConfig, void> {
  yield* checkChains(layers);
  const records: CacheConfigRecord[] = [];
  for (const one of given) {
    checkSize(one);
    records.push(recordOf(check(recordSchema, one), records.length, given.length, layers.length));
    yield;
  }
  return { layers, records };
}

/** That no layer lies on itself, on one that is not there, or on too many. */
function* checkChains(layers: readonly CacheLayer[]): Generator<void, void, void> {
  const depths = new Map<number, number>([[-1, 0]]);
  for (const start of layers.keys()) {
    const path: number[] = [];
    let at = start;
    for (; !depths.has(at); at = layers[at]!.parent) {
      if (at >= layers.length) throw malformed(`a layer lies on layer ${at}, of ${layers.length}`);
      if (path.push(at) > MAX_CHAIN)
        throw malformed(`layer ${start} lies on more than ${MAX_CHAIN} others, or on itself`);
    }
    let depth = depths.get(at)!;
    for (const layer of path.reverse()) depths.set(layer, ++depth);
    if (depth > MAX_CHAIN) throw malformed(`layer ${start} lies on more than ${MAX_CHAIN} others`);
    yield;
  }
}

/** Before a record is read: whatever it is. */
function checkSize(record: unknown): void {
  const { inputs, layers, chains } = (record ?? {}) as Readonly<Record<string, unknown>>;
  const length = (value: unknown) => (Array.isArray(value) ? value.length : 0);
  const parts = [layers, chains, inputs, ...(Array.isArray(inputs) ? inputs : [])];
  if (parts.reduce((sum: number, part) => sum + length(part), 0) > MAX_OF_RECORD)
    throw malformed(`a record has more than ${MAX_OF_RECORD} ways and results`);
}

function recordOf(
  { digest: id, layers: ends, chains, inputs }: RecordJson,
  n: number,
  records: number,
  layers: number,
): CacheConfigRecord {
  const slots = (inputs ?? []).map((ways) =>
    ways.map(({ selector, link }) => ({ selector: selector ?? '', link: link ?? 0 })),
  );
  for (const { link } of slots.flat())
    if (link >= records) throw malformed(`record ${n} is reached from record ${link}, of ${records}`);
  const results = [
    ...(ends ?? []).map(({ layer, createdAt }) => ({ layers: layer ?? 0, createdAt: timeOf(createdAt) })),
    ...(chains ?? []).map(({ layers: chain, createdAt }) => ({ layers: chain ?? [], createdAt: timeOf(createdAt) })),
  ];
  for (const layer of results.flatMap((result) => result.layers))
    if (layer >= layers) throw malformed(`record ${n} is of layer ${layer}, of ${layers}`);
  return {
    ...{ digest: id, inputs: slots },
    results: results.filter(({ layers: chain }) => typeof chain === 'number' || chain.length > 0),
  };
}

function timeOf(text: string | null | undefined): number {
  const time = Date.parse(text ?? '');
  return Number.isFinite(time) && time > 0 ? time : 0;
}

function malformed(why: string, cause?: unknown): CodedError {
  return CodedError.of('CACHE_MALFORMED', `malformed cache config: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A record to be written: its inputs name records that come before it in the list. Each result is a chain of blobs, bottom first. */
export interface RecordToWrite {
  readonly digest: Digest;
  readonly inputs: readonly (readonly CacheWay[])[];
  readonly results: readonly { readonly blobs: readonly Digest[]; readonly createdAt: number }[];
}

/** What a record takes in a document, in bytes, at the least. */
const RECORD_BYTES = 85;

/** Whether a document of these records is sure to be more than anybody reads. */
export function isTooLarge(records: number): boolean {
  return records * RECORD_BYTES > MAX_CACHE_CONFIG_BYTES;
}

/**
 * A document whose bytes say the same for equal caches, whatever order their records were found in; and its layers' blobs, in its order. With `describe` it says what that tells of a blob. Yields after
 * each record.
 */
export function* encodeCacheConfig(
  records: readonly RecordToWrite[],
  describe?: (blob: Digest) => LayerAnnotations,
): Generator<void, { readonly bytes: Uint8Array; readonly blobs: readonly Digest[] }, void> {
  const document = yield* cacheDocument(records, describe);
  return { bytes: Buffer.from(JSON.stringify(document)), blobs: document.layers.map(({ blob }) => blob) };
}

/** A cache config as JSON has it. Go leaves out what is zero. */
export interface CacheDocument {
  readonly layers: readonly {
    readonly blob: Digest;
    readonly parent?: number;
    readonly annotations?: LayerAnnotations;
  }[];
  readonly records: readonly {
    readonly digest: Digest;
    readonly layers?: readonly { readonly layer: number; readonly createdAt: string }[];
    readonly inputs?: readonly (readonly { readonly selector?: string; readonly link: number }[])[];
  }[];
}

/** Yields after each record. */
export function* cacheDocument(
  records: readonly RecordToWrite[],
  describe?: (blob: Digest) => LayerAnnotations,
): Generator<void, CacheDocument, void> {
  // A layer is named by its blob and all below it. They are sorted by blob, so one may come before what it lies on.
  const layers = new Map<string, { readonly name: string; readonly blob: Digest; readonly below: string }>();
  // A record is named by its digest and the names of what leads to it.
  const named: { readonly record: RecordToWrite; readonly name: string; readonly tops: readonly string[] }[] = [];
  for (const record of records) {
    const tops = record.results.map(({ blobs }) => {
      let below = '';
      for (const blob of blobs) {
        const text = `${blob} ${below}`;
        const known = layers.get(text) ?? { name: digestOf(text), blob, below };
        layers.set(text, known);
        below = known.name;
      }
      return below;
    });
    const ways = record.inputs.map((slot) => slot.map(({ selector, link }) => [selector, named[link]!.name]).sort());
    named.push({ record, name: digestOf(JSON.stringify([record.digest, ways])), tops });
    yield;
  }
  const sortedLayers = [...layers.values()].sort((a, b) => compare(a.blob, b.blob) || compare(a.name, b.name));
  const layerAt = new Map(sortedLayers.map(({ name }, i) => [name, i]));
  yield;
  const order = [...named.keys()].sort(
    (a, b) =>
      compare(named[a]!.record.digest, named[b]!.record.digest) || compare(named[a]!.name, named[b]!.name) || a - b,
  );
  const recordAt = new Map(order.map((from, to) => [from, to]));
  const written: CacheDocument['records'][number][] = [];
  for (const from of order) {
    yield;
    const { record, tops } = named[from]!;
    const ends = record.results.map(({ createdAt }, i) => ({
      layer: layerAt.get(tops[i]!)!,
      createdAt: new Date(createdAt).toISOString(),
    }));
    const slots = record.inputs.map((ways) =>
      ways
        .map(({ selector, link }) => ({ selector, link: recordAt.get(link)! }))
        .sort((a, b) => a.link - b.link || compare(a.selector, b.selector))
        .map(({ selector, link }) => ({ ...(selector === '' ? {} : { selector }), link })),
    );
    written.push({
      digest: record.digest,
      ...(ends.length === 0 ? {} : { layers: ends.sort((a, b) => a.layer - b.layer) }),
      ...(slots.length === 0 ? {} : { inputs: slots }),
    });
  }
  return {
    layers: sortedLayers.map(({ blob, below }) => ({
      blob,
      // Go leaves a zero out, and reads what is left out as zero.
      ...(below === '' ? { parent: -1 } : present('parent', layerAt.get(below)!)),
      ...(describe === undefined ? {} : { annotations: describe(blob) }),
    })),
    records: written,
  };
}

function present<K extends string>(key: K, value: number): Partial<Record<K, number>> {
  return value === 0 ? {} : ({ [key]: value } as Record<K, number>);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
