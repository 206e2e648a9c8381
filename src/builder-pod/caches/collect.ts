import { inSlices } from '../../base/index.ts';
import { type KeyRecord, walkKeys } from '../../cache/keys/index.ts';
import type { Compression, ImmutableRef, Layer, RefOptions } from '../../cache/ports.ts';
import type { RecordToWrite } from '../../cache/remote/index.ts';
import { findLostResult, type KeyReader, type OpContext, type ResultStore } from '../../solver/index.ts';
import type { CachedBuild } from '../engine/index.ts';
import type { ExportContext } from '../exporters/index.ts';

interface CollectOptions {
  /** `max`: every result that there is, packed where it is not; `min`: those of the build, and what is packed already. */
  readonly mode: 'min' | 'max';
  readonly compression: Compression;
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
}

/** Results that are worked on at once: packing has its own bounds. */
const PARALLEL = 8;

/** What leads to a build's results, with all layers that the mode asks for. A result that cannot be had is left out, its keys are not. */
export async function collectCache(
  { roots, scopes }: CachedBuild,
  { mode, compression }: CollectOptions,
  { keys, results }: CollectDeps,
  context: ExportContext,
): Promise<CollectedCache> {
  const walked = reachable(await inSlices(walkKeys(keys, roots, scopes), context));
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
  const one = async ({ id, results: all }: KeyRecord): Promise<void> => {
    const isWanted = mode === 'max' || wanted.has(id);
    for (const { resultId, createdAt } of all) {
      context.signal.throwIfAborted();
      try {
        const ref = (await results.load(resultId, loading))?.value;
        if (ref === undefined) continue;
        held.push(ref);
        const layers = isWanted ? await ref.layers({ ...access(context), compression }) : ref.packed({ compression });
        if (layers === undefined) continue;
        found.set(id, { ref, layers, createdAt });
        return;
      } catch (error) {
        context.signal.throwIfAborted();
        if (wanted.has(id) && findLostResult(error) !== undefined) throw error;
        left.push(error);
      }
    }
  };
  const queue = walked.values();
  await Promise.all(
    Array.from({ length: Math.min(PARALLEL, walked.length) }, async () => {
      for (const record of queue) await one(record);
    }),
  );
  const at = new Map(walked.map(({ id }, n) => [id, n]));
  const records = walked.map(({ id, digest, inputs }): RecordToWrite => {
    const result = found.get(id);
    return {
      digest: digest as RecordToWrite['digest'],
      inputs: inputs.map((ways) => ways.map(({ selector, from }) => ({ selector, link: at.get(from)! }))),
      results:
        result === undefined || result.layers.length === 0
          ? []
          : [{ blobs: result.layers.map(({ descriptor }) => descriptor.digest), createdAt: result.createdAt }],
    };
  });
  const layers = new Map<string, CollectedLayer>();
  for (const { ref, layers: all } of found.values())
    for (const layer of all) layers.set(layer.descriptor.digest, { ref, layer });
  const done = collecting.move();
  return { records, layers, left, [Symbol.asyncDispose]: () => done.disposeAsync() };
}

function access({ signal, owner, sessions, limits }: ExportContext): RefOptions {
  return { signal, owner, sessions, limits };
}

/** Without records that have a slot into which nothing leads, which no reader takes. */
function reachable(walked: readonly KeyRecord[]): readonly KeyRecord[] {
  const kept = new Map<string, KeyRecord>();
  for (const record of walked) {
    const inputs = record.inputs.map((ways) => ways.filter(({ from }) => kept.has(from)));
    if (inputs.every((ways) => ways.length > 0)) kept.set(record.id, { ...record, inputs });
  }
  return [...kept.values()];
}
