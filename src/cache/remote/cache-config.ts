import { z } from 'zod';
import { CodedError, type Digest, digestOf, isDigest } from '../../base/index.ts';

/** Media type of the document that says which keys a remote cache has, and which layers their results are of. */
export const CACHE_CONFIG_TYPE = 'application/vnd.buildkit.cacheconfig.v0';
/** BuildKit reads no more of one. */
export const MAX_CACHE_CONFIG_BYTES = 1 << 20;
const MAX_RECORDS = 100_000;

/** What other builders can read of a cache: BuildKit's cache config. All numbers are positions in the lists of the same document. */
export interface CacheConfig {
  readonly layers: readonly CacheLayer[];
  readonly records: readonly CacheConfigRecord[];
}

interface CacheLayer {
  readonly blob: Digest;
  /** The layer below; -1 for none. */
  readonly parent: number;
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

interface CacheConfigResult {
  /** Bottom first. */
  readonly layers: readonly number[];
  /** Ms since the epoch; 0 where it is not told. */
  readonly createdAt: number;
}

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'expected a digest');
const position = z.int().min(0);
/** Go leaves out what is zero. */
const omitted = <T extends z.ZodType>(type: T) => type.nullish();

const layerSchema = z.object({ blob: digest, parent: omitted(z.int().min(-1)) });
const recordSchema = z.object({
  digest,
  layers: omitted(z.array(z.object({ layer: omitted(position), createdAt: omitted(z.string().max(64)) }))),
  chains: omitted(z.array(z.object({ layers: omitted(z.array(position)), createdAt: omitted(z.string().max(64)) }))),
  inputs: omitted(
    z.array(z.array(z.object({ selector: omitted(z.string().max(256)), link: omitted(position) })).nonempty()),
  ),
});
const configSchema = z.object({
  layers: omitted(z.array(layerSchema).max(MAX_RECORDS)),
  records: omitted(z.array(recordSchema).max(MAX_RECORDS)),
});
type RecordJson = z.output<typeof recordSchema>;

/** Reads a cache config. @throws CodedError CACHE_MALFORMED for one that says what cannot be */
export function parseCacheConfig(bytes: Uint8Array): CacheConfig {
  if (bytes.length > MAX_CACHE_CONFIG_BYTES)
    throw CodedError.of(
      'CACHE_MALFORMED',
      `the cache config has ${bytes.length} bytes, more than ${MAX_CACHE_CONFIG_BYTES}`,
    );
  const { layers, records } = check(configSchema, json(bytes));
  return linked(
    (layers ?? []).map(({ blob, parent }) => ({ blob, parent: parent ?? 0 })),
    records ?? [],
  );
}

/** Reads the records that an image carries in its configuration; their layers are those of the image, by position. @throws CodedError CACHE_MALFORMED */
export function parseInlineRecords(bytes: Uint8Array, blobs: readonly Digest[]): CacheConfig {
  const records = check(z.array(recordSchema).max(MAX_RECORDS), json(bytes));
  return linked(
    blobs.map((blob, i) => ({ blob, parent: i - 1 })),
    records,
  );
}

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch (cause) {
    throw malformed((cause as Error).message, cause);
  }
}

function check<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw malformed(`${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'invalid'}`);
}

function linked(layers: readonly CacheLayer[], given: readonly RecordJson[]): CacheConfig {
  for (const [i, { parent }] of layers.entries())
    if (parent >= layers.length || parent === i) throw malformed(`layer ${i} lies on layer ${parent}`);
  const records = given.map(({ digest: id, layers: ends, chains, inputs }, n): CacheConfigRecord => {
    const slots = (inputs ?? []).map((ways) =>
      ways.map(({ selector, link }) => ({ selector: selector ?? '', link: link ?? 0 })),
    );
    for (const { link } of slots.flat())
      if (link >= given.length) throw malformed(`record ${n} is reached from record ${link}, of ${given.length}`);
    const results = [
      ...(ends ?? []).map(({ layer, createdAt }) => ({ layers: chainOf(layers, layer ?? 0, n), createdAt })),
      ...(chains ?? []).map(({ layers: chain, createdAt }) => ({ layers: chain ?? [], createdAt })),
    ].map(({ layers: chain, createdAt }) => ({ layers: chain, createdAt: timeOf(createdAt) }));
    for (const layer of results.flatMap((result) => result.layers))
      if (layer >= layers.length) throw malformed(`record ${n} is of layer ${layer}, of ${layers.length}`);
    return { digest: id, inputs: slots, results: results.filter((result) => result.layers.length > 0) };
  });
  return { layers, records };
}

/** More layers than one result can have. */
const MAX_CHAIN = 500;

function chainOf(layers: readonly CacheLayer[], top: number, record: number): readonly number[] {
  const chain: number[] = [];
  for (let at = top; at !== -1; at = layers[at]!.parent) {
    if (at >= layers.length) throw malformed(`record ${record} is of layer ${at}, of ${layers.length}`);
    if (chain.push(at) > MAX_CHAIN) throw malformed(`record ${record} has more than ${MAX_CHAIN} layers`);
  }
  return chain.reverse();
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

/** A document whose bytes say the same for equal caches, whatever order their records were found in; and its layers' blobs, in its order. */
export function encodeCacheConfig(records: readonly RecordToWrite[]): {
  readonly bytes: Uint8Array;
  readonly blobs: readonly Digest[];
} {
  // A layer is named by its blob and all below it, and lies behind what it lies on in no particular order.
  const layers = new Map<string, { readonly name: string; readonly blob: Digest; readonly below: string }>();
  const chainNames = records.map(({ results }) =>
    results.map(({ blobs }) => {
      let below = '';
      for (const blob of blobs) {
        const name = digestOf(`${blob} ${below}`);
        layers.set(name, { name, blob, below });
        below = name;
      }
      return below;
    }),
  );
  const sortedLayers = [...layers.values()].sort((a, b) => compare(a.blob, b.blob) || compare(a.name, b.name));
  const layerAt = new Map(sortedLayers.map(({ name }, i) => [name, i]));
  // A record is named by its digest and the names of what leads to it.
  const names: string[] = [];
  for (const { digest: id, inputs } of records)
    names.push(
      digestOf(
        JSON.stringify([id, inputs.map((ways) => ways.map(({ selector, link }) => [selector, names[link]]).sort())]),
      ),
    );
  const order = [...records.keys()].sort(
    (a, b) => compare(records[a]!.digest, records[b]!.digest) || compare(names[a]!, names[b]!),
  );
  const recordAt = new Map(order.map((from, to) => [from, to]));
  const document = {
    layers: sortedLayers.map(({ blob, below }) => ({
      blob,
      // Go leaves a zero out, and reads what is left out as zero.
      ...(below === '' ? { parent: -1 } : present('parent', layerAt.get(below)!)),
    })),
    records: order.map((from) => {
      const { digest: id, inputs, results } = records[from]!;
      const ends = results.map(({ createdAt }, i) => ({
        layer: layerAt.get(chainNames[from]![i]!)!,
        createdAt: new Date(createdAt).toISOString(),
      }));
      const slots = inputs.map((ways) =>
        ways
          .map(({ selector, link }) => ({ selector, link: recordAt.get(link)! }))
          .sort((a, b) => a.link - b.link || compare(a.selector, b.selector))
          .map(({ selector, link }) => ({ ...(selector === '' ? {} : { selector }), link })),
      );
      return {
        digest: id,
        ...(ends.length === 0 ? {} : { layers: ends.sort((a, b) => a.layer - b.layer) }),
        ...(slots.length === 0 ? {} : { inputs: slots }),
      };
    }),
  };
  return { bytes: Buffer.from(JSON.stringify(document)), blobs: sortedLayers.map(({ blob }) => blob) };
}

function present<K extends string>(key: K, value: number): Partial<Record<K, number>> {
  return value === 0 ? {} : ({ [key]: value } as Record<K, number>);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
