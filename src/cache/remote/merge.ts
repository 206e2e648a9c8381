import type { Digest } from '../../base/index.ts';
import { chainOf, type RecordToWrite } from './cache-config.ts';
import type { RemoteCacheContent } from './remote-cache.ts';

/** What is kept of results when a cache is written. Results of the writing build come first, then the newest. */
export interface CacheBounds {
  /** Results of one step, whatever their inputs; those of the writing build are kept all the same. */
  readonly keepLast?: number | undefined;
  /** Of results of other builds, in ms. */
  readonly maxAgeMs?: number | undefined;
  /** Of the blobs of all results together. */
  readonly maxBytes?: number | undefined;
  /** Results of other builds, whatever the step. */
  readonly mostOthers?: number | undefined;
}

interface MergedCache {
  readonly records: readonly RecordToWrite[];
  /** Results of other builds among them. */
  readonly others: number;
}

interface MergedResult {
  readonly blobs: readonly Digest[];
  createdAt: number;
  readonly own: boolean;
}

interface MergedRecord {
  readonly digest: Digest;
  readonly inputs: RecordToWrite['inputs'];
  readonly results: MergedResult[];
}

interface MergeOptions extends CacheBounds {
  /** Of a blob, in bytes. */
  readonly sizeOf: (blob: Digest) => number;
  /** Ms since the epoch. */
  readonly now: number;
}

/**
 * One cache of what a build is to write and of what others say, within bounds. Records that are reached by the same ways are one, with the results of all;
 * a record stays as long as a result stays that is its own or is reached from it. Yields at short steps.
 */
export function* mergeCaches(
  own: readonly RecordToWrite[],
  others: readonly RemoteCacheContent[],
  { sizeOf, now, ...bounds }: MergeOptions,
): Generator<void, MergedCache, void> {
  const all = new MergedRecords();
  const places: number[] = [];
  for (const { digest, inputs, results } of own) {
    const ways = inputs.map((slot) => slot.map(({ selector, link }) => ({ selector, link: places[link]! })));
    places.push(
      all.enter(
        digest,
        ways,
        results.map((result) => ({ ...result, own: true })),
      ),
    );
    yield;
  }
  for (const other of others) yield* addOther(all, other);
  const kept = yield* keptResults(all.records, bounds, sizeOf, now);
  return yield* withKept(all.records, kept);
}

class MergedRecords {
  readonly records: MergedRecord[] = [];
  readonly #byName = new Map<string, number>();

  /** @returns its place: that of a record which is reached by the same ways, or a new one */
  enter(digest: Digest, inputs: RecordToWrite['inputs'], results: readonly MergedResult[]): number {
    const ways = inputs.map((slot) => slot.map(({ selector, link }) => `${link} ${selector}`).sort());
    const name = JSON.stringify([digest, ways]);
    const known = this.#byName.get(name);
    const record = known === undefined ? { digest, inputs, results: [] } : this.records[known]!;
    for (const result of results) addResult(record.results, result);
    if (known !== undefined) return known;
    const place = this.records.push(record) - 1;
    this.#byName.set(name, place);
    return place;
  }
}

function addResult(results: MergedResult[], result: MergedResult): void {
  const same = results.find(
    ({ blobs }) => blobs.length === result.blobs.length && blobs.every((blob, at) => blob === result.blobs[at]),
  );
  if (same === undefined) results.push({ ...result });
  else same.createdAt = Math.max(same.createdAt, result.createdAt);
}

/** Inputs before what they lead to. A way that leads in a circle, and a record with a slot into which none leads, are left out, as are results of which a layer is not described. */
function* addOther(all: MergedRecords, { config, layers }: RemoteCacheContent): Generator<void, void, void> {
  const places = new Map<number, number | 'open' | 'left'>();
  for (const start of config.records.keys()) {
    const open = [start];
    while (open.length > 0) {
      const at = open.at(-1)!;
      const { digest, inputs, results } = config.records[at]!;
      const state = places.get(at);
      if (state === undefined) {
        places.set(at, 'open');
        for (const { link } of inputs.flat()) if (!places.has(link)) open.push(link);
        yield;
        continue;
      }
      open.pop();
      if (state !== 'open') continue;
      const ways = inputs.map((slot) =>
        slot.flatMap(({ selector, link }) => {
          const place = places.get(link);
          return typeof place === 'number' ? [{ selector, link: place }] : [];
        }),
      );
      if (ways.some((slot) => slot.length === 0)) {
        places.set(at, 'left');
        continue;
      }
      const described = results.flatMap((result) => {
        const blobs = chainOf(config, result).map((layer) => config.layers[layer]!.blob);
        return blobs.every((blob) => layers.has(blob)) ? [{ blobs, createdAt: result.createdAt, own: false }] : [];
      });
      places.set(at, all.enter(digest, ways, described));
      yield;
    }
  }
}

function* keptResults(
  records: readonly MergedRecord[],
  { keepLast = Infinity, maxAgeMs = Infinity, maxBytes = Infinity, mostOthers = Infinity }: CacheBounds,
  sizeOf: (blob: Digest) => number,
  now: number,
): Generator<void, ReadonlySet<MergedResult>, void> {
  const all = records.flatMap(({ digest, results }) => results.map((result) => ({ digest, result })));
  yield;
  all.sort(({ result: a }, { result: b }) => Number(b.own) - Number(a.own) || b.createdAt - a.createdAt);
  const kept = new Set<MergedResult>();
  const ofStep = new Map<Digest, number>();
  const blobs = new Set<Digest>();
  let bytes = 0;
  let others = 0;
  for (const { digest, result } of all) {
    yield;
    const before = ofStep.get(digest) ?? 0;
    if (!result.own && (before >= keepLast || now - result.createdAt > maxAgeMs || others >= mostOthers)) continue;
    const added = [...new Set(result.blobs)].filter((blob) => !blobs.has(blob));
    const size = added.reduce((sum, blob) => sum + sizeOf(blob), 0);
    if (bytes + size > maxBytes) continue;
    bytes += size;
    for (const blob of added) blobs.add(blob);
    ofStep.set(digest, before + 1);
    if (!result.own) others++;
    kept.add(result);
  }
  return kept;
}

function* withKept(
  records: readonly MergedRecord[],
  kept: ReadonlySet<MergedResult>,
): Generator<void, MergedCache, void> {
  const needed = new Set<number>();
  for (let at = records.length - 1; at >= 0; at--) {
    const { results, inputs } = records[at]!;
    if (!needed.has(at) && !results.some((result) => kept.has(result))) continue;
    needed.add(at);
    for (const { link } of inputs.flat()) needed.add(link);
    yield;
  }
  const places = new Map<number, number>();
  const written: RecordToWrite[] = [];
  let others = 0;
  for (const [at, { digest, inputs, results }] of records.entries()) {
    if (!needed.has(at)) continue;
    const left = results.filter((result) => kept.has(result));
    others += left.filter(({ own }) => !own).length;
    const ways = inputs.map((slot) => slot.map(({ selector, link }) => ({ selector, link: places.get(link)! })));
    places.set(
      at,
      written.push({ digest, inputs: ways, results: left.map(({ blobs, createdAt }) => ({ blobs, createdAt })) }) - 1,
    );
    yield;
  }
  return { records: written, others };
}
