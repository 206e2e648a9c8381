import { CodedError, type Descriptor, type WorkOptions } from '../../base/index.ts';
import type { BlobPlace, Compression, ImmutableRef, Layer, Mount, Mounted, MutableRef, RefOptions } from '../ports.ts';
import { counter, fromPlaces, sourceName } from './fetching.ts';
import { blobGone, type LayerBlobs } from './layer-blobs.ts';
import { type Losses, layerFailure, pullFailure } from './losses.ts';
import { mountPrivately, readOnly } from './mounting.ts';
import type { RefRecords } from './records.ts';
import type { RefRow } from './schema.ts';
import type { Unlazier } from './unlazy.ts';

/** What handles need of their manager. */
export interface Engine {
  readonly records: RefRecords;
  readonly unlazier: Unlazier;
  readonly blobs: LayerBlobs;
  readonly losses: Losses;
  /** Committed refs that go with their last handle. */
  readonly passing: Set<string>;
  remove(id: string): Promise<boolean>;
}

const DEFAULT_COMPRESSION: Compression = { type: 'gzip' };

function released(id: string): CodedError {
  return CodedError.of('REF_RELEASED', `ref ${id} was used after its release`);
}

/** One counted handle on an immutable ref. */
export class ImmutableHandle implements ImmutableRef {
  readonly id: string;
  readonly #engine: Engine;
  #open = true;

  constructor(engine: Engine, id: string) {
    this.id = id;
    this.#engine = engine;
    engine.records.hold(id);
  }

  clone(): ImmutableRef {
    this.#row();
    return new ImmutableHandle(this.#engine, this.id);
  }

  async release(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    const { records, passing } = this.#engine;
    if (!records.letGo(this.id)) return;
    if (passing.delete(this.id)) await this.#engine.remove(this.id);
    else records.touch(this.id);
  }

  get lazy(): boolean {
    return this.#row().snapshot === null;
  }

  async mounts(options: RefOptions): Promise<readonly Mount[]> {
    this.#row();
    await this.#guard(options, () => this.#engine.unlazier.unlazy(this.id, options));
    return this.#engine.records.options.snapshotter.mounts(this.#row().snapshot as string);
  }

  async mount(options: RefOptions): Promise<Mounted> {
    const mounts = await this.mounts(options);
    const { pools, mountDirectory } = this.#engine.records.options;
    // A handle of the view's own: the ref stays while it is mounted.
    const held = this.clone();
    try {
      const mounted = await this.#guard(options, () => mountPrivately(pools, mountDirectory, mounts, options));
      return {
        root: mounted.root,
        mounts: mounted.mounts,
        [Symbol.asyncDispose]: async () => {
          await mounted[Symbol.asyncDispose]();
          await held.release();
        },
      };
    } catch (error) {
      await held.release();
      throw error;
    }
  }

  layers({
    compression = DEFAULT_COMPRESSION,
    known,
    ...options
  }: Parameters<ImmutableRef['layers']>[0]): Promise<readonly Layer[]> {
    this.#row();
    return this.#guard(options, () => this.#engine.blobs.layers(this.id, { compression, known }, options));
  }

  packed({ compression = DEFAULT_COMPRESSION, known }: Parameters<ImmutableRef['packed']>[0]) {
    this.#row();
    return this.#engine.blobs.packed(this.id, { compression, known });
  }

  clamped(
    layer: Layer,
    { compression, latest, ...options }: RefOptions & { readonly compression: Compression; readonly latest: number },
  ): Promise<Layer> {
    this.#row();
    return this.#guard(options, () => this.#engine.blobs.clamped(this.id, layer, { compression, latest }, options));
  }

  openBlob(descriptor: Descriptor, options: RefOptions): Promise<ReadableStream<Uint8Array>> {
    this.#row();
    return this.#guard(options, () => this.#openBlob(descriptor, options));
  }

  async check({ blob, ...options }: RefOptions & { readonly blob?: Descriptor }): Promise<void> {
    this.#row();
    await this.#engine.losses.check(this.id, blob, options);
    if (blob !== undefined) await this.#guard(options, () => this.#fetch(blob, options));
  }

  givenTo({ digest }: Descriptor, place: BlobPlace): void {
    const { records } = this.#engine;
    // A registry may say that it has what the ref is only said to have: that gives the scope nothing it has not had itself.
    for (const row of records.layersOf(this.id))
      if (records.blobs(row.id).some((blob) => blob.digest === digest && records.isHere(row, blob)))
        records.places.deliver(digest, row.scope, place);
  }

  async #fetch({ digest }: Descriptor, options: RefOptions): Promise<void> {
    const { records, unlazier } = this.#engine;
    for (const row of records.layersOf(this.id)) {
      const blob = records.blobs(row.id).find((one) => one.digest === digest);
      if (blob === undefined) continue;
      await unlazier.pull(row, blob, options);
      return;
    }
    throw layerFailure(this.id, blobGone(digest, this.id), options);
  }

  #guard<T>(options: RefOptions, work: () => Promise<T>): Promise<T> {
    return this.#engine.losses.guard(this.id, options, work);
  }

  async #openBlob(descriptor: Descriptor, options: RefOptions): Promise<ReadableStream<Uint8Array>> {
    const { records } = this.#engine;
    const { content } = records.options;
    // Mostly of what was made last.
    for (const row of records.layersOf(this.id).reverse()) {
      const blob = records.blobs(row.id).find(({ digest }) => digest === descriptor.digest);
      if (blob === undefined) continue;
      if (records.isHere(row, blob))
        return await content.open(descriptor, options).catch((error: unknown) => {
          throw layerFailure(row.id, error, options);
        });
      const opened = await fromPlaces(records.places, blob, options, async (fetcher, place) => {
        const stream = await fetcher.open(place, descriptor, options);
        const source = sourceName(fetcher, place);
        let told = 0;
        return stream.pipeThrough(
          counter((bytes) => {
            records.options.onPulled?.(options.owner, source, bytes - told);
            told = bytes;
          }),
        );
      }).catch((error: unknown) => {
        throw pullFailure(row.id, error, options);
      });
      if (opened !== undefined) return opened;
    }
    throw layerFailure(this.id, blobGone(descriptor.digest, this.id), options);
  }

  getMetadata(key: string): string | undefined {
    return this.#engine.records.metadata(this.#row().id, key);
  }

  setMetadata(key: string, value: string): void {
    this.#engine.records.setMetadata(this.#row().id, key, value);
  }

  #row(): RefRow {
    if (!this.#open) throw released(this.id);
    const row = this.#engine.records.row(this.id);
    if (row === undefined) throw released(this.id);
    return row;
  }
}

/** A handle on what is being written. */
export abstract class WritableHandle {
  readonly #records: RefRecords;

  constructor({ records }: Engine) {
    this.#records = records;
  }

  abstract mounts(): readonly Mount[];

  mount(options: WorkOptions): Promise<Mounted> {
    return this.#mount(this.mounts(), options);
  }

  view(options: WorkOptions): Promise<Mounted> {
    return this.#mount(readOnly(this.mounts()), options);
  }

  #mount(mounts: readonly Mount[], options: WorkOptions): Promise<Mounted> {
    const { pools, mountDirectory } = this.#records.options;
    return mountPrivately(pools, mountDirectory, mounts, options);
  }
}

/** The one handle on a new mutable ref. Its snapshot's key is its id, kept by the ref it becomes. */
export class MutableHandle extends WritableHandle implements MutableRef {
  readonly id: string;
  readonly #engine: Engine;
  readonly #parent: string | undefined;
  #open = true;

  /** `parent` is held until the end. */
  constructor(engine: Engine, id: string, parent: string | undefined) {
    super(engine);
    this.id = id;
    this.#engine = engine;
    this.#parent = parent;
    engine.records.hold(id);
    if (parent !== undefined) engine.records.hold(parent);
  }

  mounts(): readonly Mount[] {
    this.#check();
    return this.#engine.records.options.snapshotter.mounts(this.id);
  }

  imageFile(options: WorkOptions): Promise<string | undefined> {
    this.#check();
    return this.#engine.records.options.snapshotter.imageFile(this.id, undefined, options);
  }

  useImage(options: WorkOptions): Promise<boolean> {
    this.#check();
    return this.#engine.records.options.snapshotter.useImage(this.id, options);
  }

  async commit({
    whole = false,
    passing = false,
    ...options
  }: WorkOptions & { readonly whole?: boolean; readonly passing?: boolean }): Promise<ImmutableRef> {
    this.#check();
    const { records } = this.#engine;
    const { snapshotter, db } = records.options;
    await snapshotter.commit(this.id, this.id, options);
    db.run('UPDATE refs SET kind = ?, snapshot = id WHERE id = ?', whole ? 'whole' : 'layer', this.id);
    const committed = new ImmutableHandle(this.#engine, this.id);
    if (passing) this.#engine.passing.add(this.id);
    this.#end();
    return committed;
  }

  async release(): Promise<void> {
    if (!this.#open) return;
    const { records } = this.#engine;
    this.#end();
    records.delete(this.id);
    await records.options.snapshotter.remove(this.id, { signal: new AbortController().signal });
  }

  #end(): void {
    this.#open = false;
    this.#engine.records.letGo(this.id);
    if (this.#parent !== undefined) this.#engine.records.letGo(this.#parent);
  }

  #check(): void {
    if (!this.#open) throw released(this.id);
  }
}
