import type { Digest } from '../../base/index.ts';
import type { Layer } from '../ports.ts';
import { type CacheDocument, cacheDocument, type RecordToWrite } from './cache-config.ts';

/** Where an image's configuration carries records. */
export const INLINE_KEY = 'moby.buildkit.cache.v0';

interface InlineOptions {
  /** Of the image, bottom first, as they were packed: it may have others in their stead, each at the same position. */
  readonly layers: readonly Pick<Layer, 'descriptor'>[];
  /** Ms since the epoch that times are brought down to. */
  readonly latest?: number | undefined;
}

/**
 * What an image's configuration carries of these records: those whose results are of its layers, and what leads to them. Layers are told by their position in it. Undefined where there is none. Yields
 * after each record.
 */
export function* encodeInlineRecords(
  records: readonly RecordToWrite[],
  { layers, latest = Number.POSITIVE_INFINITY }: InlineOptions,
): Generator<void, Uint8Array | undefined, void> {
  const image = layers.map(({ descriptor }) => descriptor.digest);
  const document = yield* cacheDocument(yield* within(records, new Set(image), latest));
  if (document.records.length === 0) return undefined;
  // The last of those that are the same.
  const positions = new Map(image.map((blob, at) => [blob, at]));
  const written: object[] = [];
  for (const { layers: ends, ...record } of document.records) {
    yield;
    const results = (ends ?? []).map(({ layer, createdAt }) => ({ blobs: blobsOf(document, layer), createdAt }));
    const isOwn = ({ blobs }: (typeof results)[number]) => blobs.every((blob, at) => image[at] === blob);
    const own = results.filter(isOwn).map(({ blobs, createdAt }) => ({ layer: blobs.length - 1, createdAt }));
    const chains = results
      .filter((result) => !isOwn(result))
      .map(({ blobs, createdAt }) => ({ layers: blobs.map((blob) => positions.get(blob)!), createdAt }));
    written.push({
      ...(own.length === 0 ? {} : { layers: own }),
      ...(chains.length === 0 ? {} : { chains }),
      ...record,
    });
  }
  return Buffer.from(JSON.stringify(written));
}

/** Those records whose results are of these blobs, and what leads to them, without other results. */
function* within(
  records: readonly RecordToWrite[],
  blobs: ReadonlySet<Digest>,
  latest: number,
): Generator<void, readonly RecordToWrite[], void> {
  const results = records.map(({ results: all }) =>
    all
      .filter(({ blobs: chain }) => chain.length > 0 && chain.every((blob) => blobs.has(blob)))
      .map(({ createdAt, ...one }) => ({ ...one, createdAt: Math.min(createdAt, latest) })),
  );
  const kept = new Set<number>();
  // What leads to a record comes before it.
  for (let n = records.length - 1; n >= 0; n--) {
    yield;
    if (results[n]!.length === 0 && !kept.has(n)) continue;
    kept.add(n);
    for (const { link } of records[n]!.inputs.flat()) kept.add(link);
  }
  const at = new Map([...kept].sort((a, b) => a - b).map((n, position) => [n, position]));
  return [...at.keys()].map((n) => ({
    digest: records[n]!.digest,
    inputs: records[n]!.inputs.map((ways) => ways.map(({ selector, link }) => ({ selector, link: at.get(link)! }))),
    results: results[n]!,
  }));
}

/** Of a layer and all below it, bottom first. */
function blobsOf({ layers }: CacheDocument, top: number): readonly Digest[] {
  const blobs: Digest[] = [];
  for (let at = top; at !== -1; at = layers[at]!.parent ?? 0) blobs.push(layers[at]!.blob);
  return blobs.reverse();
}
