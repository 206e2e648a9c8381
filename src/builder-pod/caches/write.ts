import { annotate, CodedError, type Digest, inSlices, systemClock, toCodedError } from '../../base/index.ts';
import type { Compression, ImmutableRef, Layer } from '../../cache/ports.ts';
import {
  type CacheBounds,
  isTooLarge,
  MAX_CACHE_CONFIG_BYTES,
  mergeCaches,
  type ReadCache,
} from '../../cache/remote/index.ts';
import { isBlobUnknown } from '../../oci/registry-client/index.ts';
import type { KeyReader, ResultStore } from '../../solver/index.ts';
import type { CacheAsker, CachedBuild, CacheExporter, CacheWritten, UpdateContext } from '../engine/index.ts';
import {
  compressionFor,
  compressionOf,
  type ExportContext,
  ExportOptions,
  type LayerSource,
  layerSource,
  type Outflow,
  type OutflowPart,
  ociTypesOf,
  withRow,
} from '../exporters/index.ts';
import { LayersAhead } from './ahead.ts';
import { bandwidthOf, cacheBounds, intervalOf } from './bounds.ts';
import { type CollectedCache, collectCache } from './collect.ts';
import { endAll } from './end-all.ts';
import { type SecretsOfClients, storeOpener } from './secret-attributes.ts';
import type { CacheContent, CacheIndex, CacheStore, CacheType, LayerToWrite, StoreAccess } from './store.ts';
import { refuseTrust } from './trust.ts';
import { whileBuilding } from './while-building.ts';

/** Uploads at once that belong to builds which go on: they leave room for what steps fetch. */
const PARALLEL_WHILE_BUILDING = 2;

const NOTHING: CacheWritten = { response: {} };

export interface WriteDeps {
  /** For what is written while its build goes on. */
  readonly outflow: Outflow;
  readonly keys: KeyReader;
  readonly results: ResultStore<ImmutableRef>;
}

/** Writes caches of a type. @throws CodedError for attributes that cannot be met */
export function cacheExporter(
  type: CacheType,
  attrs: Readonly<Record<string, string>>,
  { direct }: CacheAsker,
  deps: WriteDeps & SecretsOfClients,
): CacheExporter {
  const options = new ExportOptions(`${type.type} cache`, attrs);
  if (type.signed !== true) refuseTrust(type.type, options);
  const store = storeOpener(type, options, { as: 'exporter', direct }, deps);
  const oci = ociTypesOf(options);
  const compression = compressionOf(options, oci);
  const mode = modeOf(options);
  const isContinuous = mode === 'continuous';
  const merge = options.boolean('merge', false, { empty: true });
  if ((merge || isContinuous) && type.replaceable !== true)
    throw CodedError.of(
      'CACHE_ATTRIBUTE',
      `${merge ? 'merge' : 'mode=continuous'} is not possible with a ${type.type} cache`,
      { hint: 'what is there cannot be read and replaced while a build goes on: export to a registry' },
    );
  // What is written while the build goes on is always put beside what is there.
  const bounds = cacheBounds(options, merge || isContinuous);
  const layers = { compression, oci: oci ?? true };
  const ahead =
    mode === 'max' ? new LayersAhead({ open: store, gives: type.replaceable === true, ...layers }, deps) : undefined;
  const writer = new CacheWriter(store, { ...layers, ahead }, deps);
  const outflow = isContinuous ? deps.outflow.part(bandwidthOf(options)) : undefined;
  return {
    name: type.exporting,
    ignoreError: options.boolean('ignore-error', isContinuous, { empty: true }),
    export: async (build, context) => {
      try {
        const { written } = await writer.write(build, { mode: mode === 'min' ? 'min' : 'max', merge, bounds }, context);
        return written ?? NOTHING;
      } finally {
        options.tellUnused(context);
      }
    },
    ahead,
    continuous: outflow && {
      intervalMs: intervalOf(options),
      update: async (build, context) => {
        const growing = { mode: 'max', merge: true, bounds, partial: { ...context, outflow } } as const;
        return await writer.update(build, growing, context);
      },
    },
  };
}

export function modeOf(options: ExportOptions): 'min' | 'max' | 'continuous' {
  const mode = options.text('mode') ?? 'min';
  if (mode === 'min' || mode === 'max' || mode === 'continuous') return mode;
  throw CodedError.of('CACHE_ATTRIBUTE', `unknown cache export mode ${JSON.stringify(mode)}`, {
    hint: 'modes are min, max and continuous',
  });
}

interface LayerOptions {
  readonly compression: Compression;
  /** Types that layers are given. */
  readonly oci: boolean;
  /** What may have layers in the store already. */
  readonly ahead: LayersAhead | undefined;
}

interface WriteOptions {
  readonly mode: 'min' | 'max';
  /** What is there stays, as far as the bounds allow. */
  readonly merge: boolean;
  readonly bounds: CacheBounds;
  /** Of a build that goes on. */
  readonly partial?: (Pick<UpdateContext, 'spare' | 'hurry'> & { readonly outflow: OutflowPart }) | undefined;
}

interface Writing {
  /** Undefined where all of it is there already. */
  readonly written: CacheWritten | undefined;
  /** Results that are left for another time. */
  readonly postponed: number;
}

/** Writes what one build is found by into a store, as often as it is asked to: layers first, then the index that names them. */
class CacheWriter {
  readonly #open: (access: StoreAccess) => Promise<CacheStore>;
  readonly #options: LayerOptions;
  readonly #deps: WriteDeps;
  /** Blobs that were put, or found to be there, while the build went on. */
  readonly #given = new Set<string>();
  /** How many roots the last update had. */
  #looked = 0;
  /** More is only added to what a build is found by: what was too large once is not walked again for an update. */
  #isTooLarge = false;

  constructor(open: (access: StoreAccess) => Promise<CacheStore>, options: LayerOptions, deps: WriteDeps) {
    this.#open = open;
    this.#options = options;
    this.#deps = deps;
  }

  /** @returns false where something is left for another time: also to look whether who wrote at the same moment has overwritten it */
  async update(build: CachedBuild, options: WriteOptions, context: ExportContext): Promise<boolean> {
    if (this.#isTooLarge) return true;
    const { written, postponed } = await this.write(build, options, context);
    const isNew = build.roots.length !== this.#looked;
    this.#looked = build.roots.length;
    return postponed === 0 && (written === undefined || !isNew);
  }

  async write(build: CachedBuild, options: WriteOptions, context: ExportContext): Promise<Writing> {
    const { mode, merge, partial } = options;
    const { spare, hurry } = partial ?? {};
    const opened = await this.#open(context);
    const store = partial ? whileBuilding(opened, partial.outflow, { ...context, ...partial }) : opened;
    const whenSpare =
      spare &&
      (async <T>(work: (signal: AbortSignal) => Promise<T>) =>
        hurry?.aborted === true ? undefined : await spare.run(work, context));
    const compression = compressionFor(context, this.#options.compression);
    const collecting = { mode, compression, partial: partial !== undefined, whenSpare };
    await using cache = await withRow(context, 'preparing build cache for export', () =>
      collectCache(build, collecting, this.#deps, context),
    );
    this.#isTooLarge = cache === undefined || isTooLarge(cache.records.length);
    if (cache === undefined || this.#isTooLarge) return { written: tooLarge(context), postponed: 0 };
    const { left, postponed } = cache;
    if (left.length > 0)
      context.progress.warn({
        level: 1,
        short: `${left.length} results are left out of the cache ${store.name}`,
        detail: [String(left[0])],
      });
    const others = merge ? await readOthers(store, context) : [];
    const put = async (kept: readonly ReadCache[], looks: boolean) =>
      await this.#put(cache, kept, store, { ...options, looks }, context);
    const written = await put(others, store.forgets)
      .catch(async (error: unknown) => {
        if (!isBlobUnknown(error)) throw error;
        // Something is not there any more. It may be what this build has put there.
        const hadOwn = this.#options.ahead?.forget() === true;
        if (others.length === 0 && !hadOwn) throw error;
        this.#given.clear();
        return await put(others, true);
      })
      .catch(async (error: unknown) => {
        // The store itself does not know what it has lost.
        if (others.length === 0 || !isBlobUnknown(error)) throw error;
        return await put([], false);
      });
    return { written, postponed };
  }

  async #put(
    cache: CollectedCache,
    others: readonly ReadCache[],
    store: CacheStore,
    { bounds, partial, looks }: WriteOptions & { readonly looks: boolean },
    context: ExportContext,
  ): Promise<CacheWritten | undefined> {
    const isGiven = (blob: Digest) => partial !== undefined && this.#given.has(blob);
    const parallel = partial ? Math.min(PARALLEL_WHILE_BUILDING, store.parallel) : store.parallel;
    const kept = others.map((other) => ({ ...other, layers: new Map(other.layers) }));
    const asked = new Set<Digest>();
    let content: CacheContent;
    let index: CacheIndex | undefined;
    while (true) {
      content = contentOf(cache, kept, this.#options.oci);
      index = await boundedIndex(content, kept, bounds, store, context);
      const unsure = (looks ? (index?.blobs ?? []) : []).filter(
        (blob) => !cache.layers.has(blob) && !isGiven(blob) && !asked.has(blob),
      );
      if (unsure.length === 0) break;
      for (const blob of unsure) asked.add(blob);
      const lost = await lostOf(unsure, content, store, parallel, context);
      // Results that have it are left out; others may have room now.
      for (const { layers } of kept) for (const blob of lost) layers.delete(blob);
    }
    if (index === undefined) return tooLarge(context);
    if (index.blobs.length === 0) {
      context.progress.warn({ level: 1, short: 'nothing of this build has layers, so no cache is written' });
      return NOTHING;
    }
    if (partial !== undefined && others.some(({ configDigest }) => configDigest === index.configDigest))
      return undefined;
    const own = index.blobs.filter((blob) => cache.layers.has(blob) && !isGiven(blob));
    const layers = own.map((blob) => content.layers.get(blob)!.source);
    await putLayers(layers, index, store, { parallel, ahead: this.#options.ahead }, context);
    for (const blob of [...own, ...(looks ? index.blobs : [])]) this.#given.add(blob);
    return await index.write(context);
  }
}

/** What is there now; what is no cache makes way. */
async function readOthers(store: CacheStore, context: ExportContext): Promise<readonly ReadCache[]> {
  try {
    return await store.read(context);
  } catch (error) {
    context.signal.throwIfAborted();
    const { code, reason } = toCodedError(error);
    if (code === 'not_found' || reason === 'CACHE_MALFORMED') return [];
    if (reason === 'SIGNATURE_UNTRUSTED') {
      // Nobody's records are vouched for by who only found them there.
      const short = `what is at ${store.name} is not taken up: it is not signed by a key or identity that is trusted`;
      context.progress.warn({ level: 1, short, detail: [String(error)] });
      return [];
    }
    throw annotate(error, `failed to read what is at ${store.name}, to keep it`);
  }
}

function contentOf({ records, layers }: CollectedCache, others: readonly ReadCache[], oci: boolean): CacheContent {
  const described = new Map<string, LayerToWrite>();
  const add = (digest: string, layer: Layer, ref: ImmutableRef | undefined) => {
    if (!described.has(digest))
      described.set(digest, { ...layer, source: layerSource(layer.descriptor, ref, { oci }) });
  };
  for (const [digest, { ref, layer }] of layers) add(digest, layer, ref);
  for (const other of others) for (const [digest, layer] of other.layers) add(digest, layer, undefined);
  return { records, layers: described };
}

/** With what is there, within bounds. Undefined where the build's own is more than anybody reads: of others as much is taken as there is room for. */
async function boundedIndex(
  { records, layers }: CacheContent,
  others: readonly ReadCache[],
  bounds: CacheBounds,
  store: CacheStore,
  context: ExportContext,
): Promise<CacheIndex | undefined> {
  const sizeOf = (blob: Digest) => layers.get(blob)?.descriptor.size ?? 0;
  let mostOthers: number | undefined;
  while (true) {
    const merging = { ...bounds, sizeOf, now: systemClock.now(), mostOthers };
    const merged = await inSlices(mergeCaches(records, others, merging), context);
    const index = await store.encode({ records: merged.records, layers }, context);
    if (index.size <= MAX_CACHE_CONFIG_BYTES) return index;
    if (merged.others === 0) return undefined;
    mostOthers = Math.floor(merged.others / 2);
  }
}

/** Blobs of others that are not there any more; those that are stay for a while. */
async function lostOf(
  blobs: readonly Digest[],
  { layers }: CacheContent,
  store: CacheStore,
  parallel: number,
  context: ExportContext,
): Promise<readonly Digest[]> {
  const lost: Digest[] = [];
  const failed = new AbortController();
  const access = { ...context, signal: AbortSignal.any([context.signal, failed.signal]) };
  const queue = blobs.values();
  const workers = Array.from({ length: Math.min(parallel, blobs.length) }, async () => {
    for (const blob of queue) {
      access.signal.throwIfAborted();
      if (!(await store.keepBlob(layers.get(blob)!.source.descriptor, access))) lost.push(blob);
    }
  });
  await withRow(context, `looking for ${blobs.length} layers that are kept`, () =>
    endAll(workers, { failed, signal: context.signal }),
  );
  return lost;
}

/** The first failure stops the others, and all have ended before it is told. */
async function putLayers(
  layers: readonly LayerSource[],
  index: CacheIndex,
  store: CacheStore,
  { parallel, ahead }: { readonly parallel: number; readonly ahead: LayersAhead | undefined },
  context: ExportContext,
): Promise<void> {
  const failed = new AbortController();
  const access = { ...context, signal: AbortSignal.any([context.signal, failed.signal]) };
  const queue = layers.values();
  const workers = Array.from({ length: Math.min(parallel, layers.length) }, async (_, place) => {
    // What went ahead and is under way has one of the places.
    if (place === 0) await ahead?.settled();
    for (const source of queue) {
      access.signal.throwIfAborted();
      const { digest, size } = source.descriptor;
      await withRow(context, `writing layer ${digest}`, async (update) => {
        if ((await ahead?.has(digest)) !== true) {
          // Who reads it later would find out that it is damaged, when what it was made of is gone.
          if (!store.verifies) await source.check(access);
          await store.putBlob(source, access, (bytes) => update(bytes, size));
        }
        update(size, size);
      });
    }
  });
  const beside = index.begin === undefined ? [] : [index.begin(access)];
  await endAll([...workers, ...beside], { failed, signal: context.signal });
}

function tooLarge({ progress }: ExportContext): CacheWritten {
  progress.warn({
    level: 1,
    short: 'the cache of this build is not written: it has more records than any builder reads',
    detail: ['Builders read a mebibyte of them, which is some thousands of steps.'],
  });
  return NOTHING;
}
