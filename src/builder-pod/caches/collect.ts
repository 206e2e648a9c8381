import { inSlices } from '../../base/index.ts';
import { type KeyRecord, walkKeys } from '../../cache/keys/index.ts';
import type { Compression, ImmutableRef, Layer, RefOptions } from '../../cache/ports.ts';
import { isTooLarge, type RecordToWrite } from '../../cache/remote/index.ts';
import { findLostResult, type KeyReader, type OpContext, type ResultStore } from '../../solver/index.ts';
import type { CachedBuild } from '../engine/index.ts';
import type { ExportContext } from '../exporters/index.ts';
import { endAll } from './end-all.ts';

interface CollectOptions {
  /** `max`: every result that there is, packed where it is not; `min`: those of the build, and what is packed already. */
  readonly mode: 'min' | 'max';
  readonly compression: Compression;
  /** Of a build that is not over: a result that is lost is left out, too. */
  readonly partial?: boolean;
  /** Packs where nobody is held up by it, and nothing that lies elsewhere is fetched to be packed; undefined where it could not be done now. */
  readonly whenSpare?:
    | (<T>(work: (signal: AbortSignal) => Promise<T>) => Promise<{ readonly value: T } | undefined>)
    | undefined;
}

interface CollectDeps {
  readonly keys: KeyReader;
  readonly results: ResultStore<ImmutableRef>;
}

/** A record's result, and what it is of. */
interface CollectedLayer {
  readonly ref: ImmutableRef;
  readonly layer: Layer;
}

/** Records and layers of a cache that is to be written. Disposing lets go of the results. */
export interface CollectedCache extends AsyncDisposable {
  readonly records: readonly RecordToWrite[];
  /** By digest. */
  readonly layers: ReadonlyMap<string, CollectedLayer>;
  /** Results that could not be had or packed, and are left out. */
  readonly left: readonly unknown[];
  /** Results that are left for another time. */
  readonly postponed: number;
}

/** Results that are worked on at once: packing has its own bounds. */
const PARALLEL = 8;

/** What leads to a build's results, with all layers that the mode asks for. A result that cannot be had is left out, its keys are not. Undefined where it is more than any builder reads. */
export async function collectCache(
  { roots, scopes }: CachedBuild,
  { mode, compression, partial = false, whenSpare }: CollectOptions,
  { keys, results }: CollectDeps,
  given: ExportContext,
): Promise<CollectedCache | undefined> {
  // What fails stops the rest of it.
  const failed = new AbortController();
  const context = { ...given, signal: AbortSignal.any([given.signal, failed.signal]) };
  const walked = await inSlices(reachable(await inSlices(walkKeys(keys, roots, scopes), context)), context);
  if (isTooLarge(walked.length)) return undefined;
  const wanted = new Set(roots);
  const loading: OpContext = { ...context, scope: scopes[0] ?? '', limits: context.limits ?? (() => ({})) };
  const held: ImmutableRef[] = [];
  const left: unknown[] = [];
  const found = new Map<
    string,
    { readonly ref: ImmutableRef; readonly layers: readonly Layer[]; readonly createdAt: number }
  >();
  await using collecting = new AsyncDisposableStack();
  collecting.defer(async () => {
    for (const ref of held) await ref.release();
  });
  let postponed = 0;
  const known = new Map<string, Layer>();
  const pack = async (ref: ImmutableRef): Promise<readonly Layer[] | undefined> => {
    if (whenSpare === undefined) return await ref.layers({ ...access(context), compression, known });
    if (ref.lazy) return undefined;
    const packed = await whenSpare((until) => {
      const signal = AbortSignal.any([until, failed.signal]);
      return ref.layers({ ...access(context), compression, known, signal, bestEffort: true });
    });
    if (packed === undefined) postponed++;
    return packed?.value;
  };
  const one = async ({ id, results: all }: KeyRecord): Promise<void> => {
    const isWanted = mode === 'max' || wanted.has(id);
    for (const { resultId, createdAt } of all) {
      context.signal.throwIfAborted();
      try {
        const ref = (await results.load(resultId, loading))?.value;
        if (ref === undefined) continue;
        held.push(ref);
        const layers = ref.packed({ compression, known }) ?? (isWanted ? await pack(ref) : undefined);
        if (layers === undefined) continue;
        found.set(id, { ref, layers, createdAt });
        return;
      } catch (error) {
        context.signal.throwIfAborted();
        if (!partial && wanted.has(id) && findLostResult(error) !== undefined) throw error;
        left.push(error);
      }
    }
  };
  const queue = walked.values();
  await endAll(
    Array.from({ length: Math.min(PARALLEL, walked.length) }, async () => {
      for (const record of queue) await one(record);
    }),
    { failed, signal: given.signal },
  );
  const chains = new Map(
    [...found].flatMap(([id, { layers: chain, createdAt }]) =>
      chain.length === 0 ? [] : [[id, { blobs: chain.map(({ descriptor }) => descriptor.digest), createdAt }] as const],
    ),
  );
  const records = await inSlices(written(walked, chains), context);
  const layers = new Map<string, CollectedLayer>();
  for (const { ref, layers: all } of found.values())
    for (const layer of all) layers.set(layer.descriptor.digest, { ref, layer });
  const done = collecting.move();
  return { records, layers, left, postponed, [Symbol.asyncDispose]: () => done.disposeAsync() };
}

function access({ signal, owner, sessions, limits }: ExportContext): RefOptions {
  return { signal, owner, sessions, limits };
}

/** Without records that have a slot into which nothing leads, which no reader takes. Yields after each. */
function* reachable(walked: readonly KeyRecord[]): Generator<void, readonly KeyRecord[], void> {
  const kept = new Map<string, KeyRecord>();
  for (const record of walked) {
    const inputs = record.inputs.map((ways) => ways.filter(({ from }) => kept.has(from)));
    if (inputs.every((ways) => ways.length > 0)) kept.set(record.id, { ...record, inputs });
    yield;
  }
  return [...kept.values()];
}

function* written(
  walked: readonly KeyRecord[],
  results: ReadonlyMap<string, RecordToWrite['results'][number]>,
): Generator<void, readonly RecordToWrite[], void> {
  const at = new Map<string, number>();
  const records: RecordToWrite[] = [];
  for (const { id, digest, inputs } of walked) {
    at.set(id, records.length);
    const result = results.get(id);
    records.push({
      digest: digest as RecordToWrite['digest'],
      inputs: inputs.map((ways) => ways.map(({ selector, from }) => ({ selector, link: at.get(from)! }))),
      results: result === undefined ? [] : [result],
    });
    yield;
  }
  return records;
}
