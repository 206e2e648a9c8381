import { CodedError } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { isTooLarge, MAX_CACHE_CONFIG_BYTES } from '../../cache/remote/index.ts';
import type { KeyReader, ResultStore } from '../../solver/index.ts';
import type { CachedBuild, CacheExporter } from '../engine/index.ts';
import {
  compressionOf,
  type ExportContext,
  ExportOptions,
  type ExportResponse,
  layerSource,
  ociTypesOf,
  withRow,
} from '../exporters/index.ts';
import { type CollectedCache, type CollectOptions, collectCache } from './collect.ts';
import type { CacheContent, CacheStore, CacheType, LayerToWrite } from './store.ts';

export interface WriteDeps {
  readonly keys: KeyReader;
  readonly results: ResultStore<ImmutableRef>;
}

/** Writes caches of a type. @throws CodedError for attributes that cannot be met */
export function cacheExporter(
  type: CacheType,
  attrs: Readonly<Record<string, string>>,
  deps: WriteDeps,
): CacheExporter {
  const options = new ExportOptions(`${type.type} cache`, attrs);
  const store = type.store(options, 'exporter');
  const ignoreError = options.boolean('ignore-error', false, { empty: true });
  const oci = ociTypesOf(options);
  const compression = compressionOf(options, oci);
  const mode = modeOf(options);
  return {
    name: type.exporting,
    ignoreError,
    export: async (build, context) => {
      options.tellUnused(context);
      return await writeCache(build, store(context.sessions), { mode, compression, oci: oci ?? true }, deps, context);
    },
  };
}

export function modeOf(options: ExportOptions): 'min' | 'max' {
  const mode = options.text('mode') ?? 'min';
  if (mode === 'min' || mode === 'max') return mode;
  throw CodedError.of('CACHE_ATTRIBUTE', `unknown cache export mode ${JSON.stringify(mode)}`, {
    hint: 'modes are min and max',
  });
}

interface WriteOptions extends CollectOptions {
  /** Types that layers are given. */
  readonly oci: boolean;
}

/** What a build is found by, into a store: layers first, then the index that names them. */
async function writeCache(
  build: CachedBuild,
  store: CacheStore,
  options: WriteOptions,
  deps: WriteDeps,
  context: ExportContext,
): Promise<ExportResponse> {
  await using cache = await withRow(context, 'preparing build cache for export', () =>
    collectCache(build, options, deps, context),
  );
  if (cache === undefined || isTooLarge(cache.records.length)) return tooLarge(context);
  if (cache.left.length > 0)
    context.progress.warn({
      level: 1,
      short: `${cache.left.length} results are left out of the cache ${store.name}`,
      detail: [String(cache.left[0])],
    });
  const content = contentOf(cache, options.oci);
  const index = await store.encode(content, context);
  if (index.blobs.length === 0) {
    context.progress.warn({ level: 1, short: 'nothing of this build has layers, so no cache is written' });
    return {};
  }
  if (index.size > MAX_CACHE_CONFIG_BYTES) return tooLarge(context);
  await putLayers(
    index.blobs.map((blob) => content.layers.get(blob)!),
    store,
    context,
  );
  return await index.write(context);
}

function contentOf({ records, layers }: CollectedCache, oci: boolean): CacheContent {
  const described = [...layers].map(
    ([digest, { ref, layer }]) => [digest, { ...layer, source: layerSource(layer.descriptor, ref, oci) }] as const,
  );
  return { records, layers: new Map(described) };
}

/** The first failure stops the others, and all have ended before it is told. */
async function putLayers(layers: readonly LayerToWrite[], store: CacheStore, context: ExportContext): Promise<void> {
  const failed = new AbortController();
  const access = { ...context, signal: AbortSignal.any([context.signal, failed.signal]) };
  const queue = layers.values();
  const workers = Array.from({ length: Math.min(store.parallel, layers.length) }, async () => {
    for (const { source } of queue) {
      access.signal.throwIfAborted();
      const { digest, size } = source.descriptor;
      await withRow(context, `writing layer ${digest}`, async (update) => {
        // Who reads it later would find out that it is damaged, when what it was made of is gone.
        if (!store.verifies) await source.check(access);
        await store.putBlob(source, access, (bytes) => update(bytes, size));
        update(size, size);
      });
    }
  });
  for (const worker of workers) worker.catch((error: unknown) => failed.abort(error));
  await Promise.allSettled(workers);
  context.signal.throwIfAborted();
  if (failed.signal.aborted) throw failed.signal.reason;
}

function tooLarge({ progress }: ExportContext): ExportResponse {
  progress.warn({
    level: 1,
    short: 'the cache of this build is not written: it has more records than any builder reads',
    detail: ['Builders read a mebibyte of them, which is some thousands of steps.'],
  });
  return {};
}
