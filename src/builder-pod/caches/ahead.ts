import { type Digest, inSlices } from '../../base/index.ts';
import { type KeyRecord, walkKeys } from '../../cache/keys/index.ts';
import type { Compression, ImmutableRef, Layer } from '../../cache/ports.ts';
import { isTooLarge } from '../../cache/remote/index.ts';
import type { KeyReader, ResultStore } from '../../solver/index.ts';
import type { CachedBuild, ContinuousCache, UpdateContext } from '../engine/index.ts';
import { AHEAD_BANDWIDTH, compressionFor, layerSource, type Outflow, type OutflowPart } from '../exporters/index.ts';
import type { CacheStore, StoreAccess } from './store.ts';
import { whileBuilding } from './while-building.ts';

/** Between looks for what has been finished, in ms: the last ones are left to the export. */
const INTERVAL_MS = 100;
/** How often the packing of one result is given up for others that want the threads. */
const MAX_TRIES = 3;
/** So long a store keeps what it was given although nothing names it, in ms: it is not asked again. */
const KEPT_MS = 10 * 60_000;

interface AheadOptions {
  readonly open: (access: StoreAccess) => Promise<CacheStore>;
  /** Whether the store is given layers before its index is written; else they are packed only. */
  readonly gives: boolean;
  readonly compression: Compression;
  readonly oci: boolean;
}

interface AheadDeps {
  readonly keys: KeyReader;
  readonly results: ResultStore<ImmutableRef>;
  readonly outflow: Outflow;
}

interface Waiting {
  readonly record: KeyRecord;
  tries: number;
}

/**
 * Makes ready what a cache with all results needs, while later steps of its build run: results are packed in threads that nobody wants, one after another, and their layers given to the store, one at a time and within the
 * builder's outflow. Nothing names these before the index is written. What goes wrong is met again by the export, which takes over what is under way.
 */
export class LayersAhead implements ContinuousCache {
  readonly intervalMs = INTERVAL_MS;
  readonly isTakenOver = true;
  readonly #options: AheadOptions;
  readonly #deps: AheadDeps;
  readonly #outflow: OutflowPart;
  /** Records that were looked at, with all that leads to them. */
  readonly #looked = new Set<string>();
  readonly #waiting: Waiting[] = [];
  /** Layers by their refs: when each was packed, and when it was to be given. */
  readonly #packed = new Map<string, Layer>();
  readonly #offered = new Map<string, Layer>();
  /** By digest; they never reject. */
  readonly #giving = new Map<string, Promise<void>>();
  /** When each was there. */
  readonly #given = new Map<string, number>();
  #gifts = Promise.resolve();
  #store: Promise<CacheStore> | undefined;
  #failed = false;

  constructor(options: AheadOptions, deps: AheadDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#outflow = deps.outflow.part(AHEAD_BANDWIDTH);
  }

  async update({ roots, scopes }: CachedBuild, context: UpdateContext): Promise<boolean> {
    context.signal.throwIfAborted();
    const walk = walkKeys(this.#deps.keys, roots, scopes, this.#looked);
    for (const record of await inSlices(walk, context)) {
      this.#looked.add(record.id);
      if (record.results.length > 0) this.#waiting.push({ record, tries: 0 });
    }
    // Of so many no cache is written.
    if (isTooLarge(this.#looked.size)) this.#waiting.length = 0;
    for (let next = this.#waiting[0]; next !== undefined && !context.hurry.aborted; next = this.#waiting[0]) {
      const isDone = await this.#pack(next.record, scopes, context);
      if (!isDone && ++next.tries < MAX_TRIES) return false;
      this.#waiting.shift();
    }
    return true;
  }

  async settled(): Promise<void> {
    await this.#gifts;
  }

  /** Whether the store was given a blob not long ago; one that is under way is waited for. */
  async has(digest: Digest): Promise<boolean> {
    await this.#giving.get(digest);
    const at = this.#given.get(digest);
    return at !== undefined && performance.now() - at < KEPT_MS;
  }

  /** The store has not all that it was given. @returns whether it was given anything */
  forget(): boolean {
    const had = this.#given.size > 0;
    this.#given.clear();
    return had;
  }

  /** Whether it is packed, or is left to the export; false where it was given up for others. */
  async #pack({ results }: KeyRecord, scopes: readonly string[], context: UpdateContext): Promise<boolean> {
    const compression = compressionFor(context, this.#options.compression);
    const { spare, owner, sessions, limits } = context;
    const known = this.#packed;
    const loading = { ...context, scope: scopes[0] ?? '', limits: limits ?? (() => ({})) };
    for (const { resultId } of results) {
      let ref: ImmutableRef | undefined;
      try {
        ref = (await this.#deps.results.load(resultId, loading))?.value;
        if (ref === undefined) continue;
        // To be packed it would have to be pulled; what is made on it has its layers as well.
        if (ref.lazy || spare === undefined) return true;
        const packing = ref;
        const layers =
          ref.packed({ compression, known }) ??
          (await spare.run(
            (signal) => packing.layers({ owner, sessions, limits, compression, known, signal, bestEffort: true }),
            context,
          ));
        if (layers === undefined) return false;
        if (this.#options.gives && !this.#failed) this.#give(ref.clone(), context);
        return true;
      } catch {
        context.signal.throwIfAborted();
      } finally {
        await letGo(ref);
      }
    }
    return true;
  }

  /** One after another, while others are packed. */
  #give(ref: ImmutableRef, context: UpdateContext): void {
    const signal = AbortSignal.any([context.signal, context.hurry]);
    const gift = async () => {
      try {
        // What another cache of the build has given to the same registry by then is mounted from there.
        using _turn = await context.uploads.acquire({ signal });
        this.#store ??= this.#options.open(context);
        const store = await this.#store;
        if (isGivenByImage(store, context)) return;
        // As they are known by now: also where they may be mounted from.
        const compression = compressionFor(context, this.#options.compression);
        for (const layer of ref.packed({ compression, known: this.#offered }) ?? []) {
          const { digest } = layer.descriptor;
          if (this.#giving.has(digest)) continue;
          if (this.#failed || signal.aborted) return;
          const giving = this.#put(layer, ref, store, context);
          this.#giving.set(digest, giving);
          await giving;
        }
      } catch {
        this.#failed = true;
      }
    };
    this.#gifts = this.#gifts.then(gift).finally(() => letGo(ref));
  }

  async #put({ descriptor }: Layer, ref: ImmutableRef, store: CacheStore, context: UpdateContext): Promise<void> {
    const { oci } = this.#options;
    const layer = layerSource(descriptor, ref, { oci });
    try {
      if (!store.verifies) {
        // The export waits for the upload, but for no thread: it looks for itself.
        const until = AbortSignal.any([context.signal, context.hurry]);
        const looked = await context.spare?.run((signal) => layer.check({ ...context, signal }), { signal: until });
        if (looked === undefined) return;
      }
      await whileBuilding(store, this.#outflow, context).putBlob(layer, context, () => {});
      this.#given.set(descriptor.digest, performance.now());
    } catch {
      this.#failed = true;
    }
  }
}

/** An image that is pushed there has most of its layers: the others are mounted from it, or follow it. */
function isGivenByImage({ place }: CacheStore, { imageHosts }: UpdateContext): boolean {
  return place.kind === 'registry' && imageHosts.has(place.host);
}

async function letGo(ref: ImmutableRef | undefined): Promise<void> {
  await ref?.release().catch(() => {});
}
