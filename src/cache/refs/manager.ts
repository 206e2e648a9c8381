import { CodedError, KeyedMutex, neverAborted, newId, type WorkOptions } from '../../base/index.ts';
import type {
  BlobPlace,
  Describing,
  ImmutableRef,
  Layer,
  MutableRef,
  NamedReading,
  NamedRef,
  NamedWritableRef,
  OpenNamedOptions,
  RefManager,
  RefOptions,
} from '../ports.ts';
import type { RefsOptions } from './context.ts';
import { type Engine, ImmutableHandle, MutableHandle } from './handles.ts';
import { compressionOf, LayerBlobs } from './layer-blobs.ts';
import { EMPTY_CHAIN, layerChain } from './layer-chain.ts';
import type { KnownLayers } from './layers-of.ts';
import { Losses } from './losses.ts';
import { NamedRefs } from './named.ts';
import { placesName, takenPlaces } from './places.ts';
import { RefRecords } from './records.ts';
import { recover } from './recovery.ts';
import { MIGRATIONS, type RefRow } from './schema.ts';
import { Unlazier } from './unlazy.ts';

/** As many as an overlay takes. */
const MAX_MERGED_LAYERS = 500;
/** Merges and diffs that one may be made of: all of them are looked at in one step. */
const MAX_COMBINED = 1000;

/** The refs of a state directory. */
export class Refs implements RefManager, AsyncDisposable {
  readonly records: RefRecords;
  readonly #engine: Engine;
  readonly #named: NamedRefs;
  readonly #emptying = new KeyedMutex();

  private constructor(records: RefRecords) {
    this.records = records;
    const losses = new Losses(records);
    const unlazier = new Unlazier(records, losses);
    const blobs = new LayerBlobs(records, unlazier, losses);
    this.#engine = { records, unlazier, losses, blobs, passing: new Set(), remove: (id) => this.remove(id) };
    this.#named = new NamedRefs(this.#engine);
  }

  /** Opens, after dropping what an earlier life left half done and records whose content is gone. */
  static async open(options: RefsOptions): Promise<Refs> {
    options.db.migrate('refs', MIGRATIONS);
    const refs = new Refs(new RefRecords(options));
    await recover(refs.records);
    return refs;
  }

  async create(
    parent: ImmutableRef | undefined,
    options: WorkOptions & Describing & Partial<RefOptions>,
  ): Promise<MutableRef> {
    const { snapshotter } = this.records.options;
    // What stands on nothing has no layer below it.
    using below = parent === undefined || this.records.isEmpty(parent.id) ? undefined : this.#keep(parent.id);
    const id = newId();
    const prepare = async () => {
      if (below !== undefined) await this.#engine.unlazier.unlazy(below.id, { sessions: () => [], ...options });
      const parentSnapshot = below === undefined ? undefined : (this.records.row(below.id)?.snapshot ?? undefined);
      await snapshotter.prepare(id, parentSnapshot, options);
    };
    await (below === undefined ? prepare() : this.#engine.losses.guard(below.id, options, prepare));
    try {
      this.records.insert({
        ...options,
        kind: 'mutable',
        id,
        parents: below === undefined ? [] : [below.id],
        recordType: options.recordType,
        scope: options.scope,
      });
    } catch (error) {
      await snapshotter.remove(id, { signal: neverAborted }).catch(() => {});
      throw error;
    }
    return new MutableHandle(this.#engine, id, below?.id);
  }

  async get(id: string): Promise<ImmutableRef | undefined> {
    return this.exists(id) ? new ImmutableHandle(this.#engine, id) : undefined;
  }

  /** Whether {@link get} would find it. */
  exists(id: string): boolean {
    const row = this.records.row(id);
    return row !== undefined && row.kind !== 'mutable' && this.records.obtainable(row);
  }

  async fromLayers(
    layers: readonly Layer[],
    options: WorkOptions & Describing & { readonly places: readonly BlobPlace[] },
  ): Promise<ImmutableRef> {
    options.signal.throwIfAborted();
    const { description, recordType, scope = '' } = options;
    if (layers.length === 0) return await this.empty(options);
    const { db } = this.records.options;
    const places = takenPlaces(options.places);
    const place = placesName(places);
    const chain = layerChain(layers);
    let parent: string | undefined;
    db.transaction(() => {
      for (const [n, layer] of layers.entries()) {
        const chainId = chain[n] as NonNullable<(typeof chain)[number]>;
        const known = db.get<{ id: string }>(
          'SELECT id FROM refs WHERE scope = ? AND chain_id = ? AND place = ?',
          ...[scope, chainId, place],
        )?.id;
        const id: string =
          known ??
          this.records.insert({
            ...{ kind: 'layer', description, recordType, scope },
            parents: parent === undefined ? [] : [parent],
            ...{ chainId, diffId: layer.diffId, place },
          });
        const { digest, mediaType } = layer.descriptor;
        if (known === undefined || !this.records.blobs(id).some((blob) => blob.digest === digest)) {
          this.records.addBlob({
            ...{ ref: id, digest, descriptor: JSON.stringify(layer.descriptor), type: compressionOf(mediaType) },
            ...{ diff_id: layer.diffId, origin: 'given', held: 0, compressor: layer.compressor ?? null },
          });
        }
        this.records.places.add(id, digest, places);
        parent = id;
      }
    });
    return new ImmutableHandle(this.#engine, parent as unknown as string);
  }

  async merge(refs: readonly ImmutableRef[], options: WorkOptions & Describing): Promise<ImmutableRef> {
    options.signal.throwIfAborted();
    const { records } = this;
    const full = refs.filter(({ id }) => !records.isEmpty(id));
    const [only] = full;
    if (only === undefined) return await this.empty(options);
    if (full.length === 1) return only.clone();
    return this.#combine('merge', full, options);
  }

  async diff(
    lower: ImmutableRef,
    upper: ImmutableRef | undefined,
    options: WorkOptions & Describing,
  ): Promise<ImmutableRef> {
    options.signal.throwIfAborted();
    if (upper?.id === lower.id) return await this.empty(options);
    if (this.records.isEmpty(lower.id)) return upper === undefined ? await this.empty(options) : upper.clone();
    if (upper !== undefined) return this.#combine('diff', [lower, upper], options);
    const nothing = await this.empty(options);
    try {
      return this.#combine('diff', [lower, nothing], options);
    } finally {
      await nothing.release();
    }
  }

  #combine(
    kind: 'merge' | 'diff',
    refs: readonly ImmutableRef[],
    { description, recordType, scope }: Describing,
  ): ImmutableRef {
    let layers = 0;
    const known: KnownLayers = new Map();
    const tooDeep = (of: string) => CodedError.of('SNAPSHOT_TOO_DEEP', `${description}: it would ${of}`);
    for (const { id } of refs) {
      layers += this.records.layersOf(id, known).length;
      if (layers > 2 * MAX_MERGED_LAYERS || (kind === 'merge' && layers > MAX_MERGED_LAYERS))
        throw tooDeep(`have more than ${MAX_MERGED_LAYERS} layers`);
      if (known.size >= MAX_COMBINED) throw tooDeep(`be made of more than ${MAX_COMBINED} merges and diffs`);
    }
    const parents = refs.map(({ id }) => id);
    return new ImmutableHandle(this.#engine, this.records.insert({ kind, parents, description, recordType, scope }));
  }

  async empty({ scope = '', ...work }: WorkOptions & { readonly scope?: string }): Promise<ImmutableRef> {
    const { db, snapshotter } = this.records.options;
    using _turn = await this.#emptying.acquire(scope, work);
    const sql = `SELECT * FROM refs WHERE scope = ? AND chain_id = '' AND place = ''`;
    const known = db.get<RefRow>(sql, scope);
    if (known?.snapshot != null && snapshotter.has(known.snapshot)) return new ImmutableHandle(this.#engine, known.id);
    const snapshot = newId();
    await snapshotter.prepare(snapshot, undefined, work);
    try {
      await snapshotter.commit(snapshot, snapshot, work);
      const again = db.get<RefRow>(sql, scope);
      if (again !== undefined) db.run('UPDATE refs SET snapshot = ?, size = NULL WHERE id = ?', snapshot, again.id);
      const id =
        again?.id ??
        this.records.insert({
          ...{ kind: 'layer', snapshot, description: 'an empty file system', recordType: undefined, scope },
          chainId: EMPTY_CHAIN,
        });
      return new ImmutableHandle(this.#engine, id);
    } catch (error) {
      await snapshotter.remove(snapshot, { signal: neverAborted }).catch(() => {});
      throw error;
    }
  }

  openNamed(name: NamedRef, options: OpenNamedOptions & Partial<RefOptions>): Promise<NamedWritableRef> {
    return this.#named.open(name, options);
  }

  readNamed(name: Omit<NamedRef, 'sharing'>, options: WorkOptions): Promise<NamedReading | 'absent' | 'busy'> {
    return this.#named.read(name, options);
  }

  async forgetNamed(name: Omit<NamedRef, 'sharing'>): Promise<void> {
    for (const ref of this.#named.forget(name)) await this.remove(ref);
  }

  /** Removes a ref that nothing holds, with its snapshot; false when something does. */
  async remove(id: string): Promise<boolean> {
    const { records } = this;
    const row = records.row(id);
    if (row === undefined) return true;
    if (records.inUse(id) || records.hasChildren(id) || records.leased(id) || this.#named.isOpen(id)) return false;
    records.options.db.reserved(() => {
      records.options.db.run('DELETE FROM named_refs WHERE ref = ?', id);
      records.delete(id);
      if (row.stored === 1) records.options.onResultDropped?.(id);
    });
    const snapshot = row.kind === 'mutable' ? id : row.snapshot;
    const { snapshotter, db } = records.options;
    // Now it counts for another ref.
    if (snapshot !== null && records.isNamed(snapshot))
      db.reserved(() => db.run('UPDATE refs SET size = NULL WHERE snapshot = ?', snapshot));
    else if (snapshot !== null && snapshotter.has(snapshot))
      await snapshotter.remove(snapshot, { signal: neverAborted });
    return true;
  }

  async forget(id: string): Promise<boolean> {
    const { records } = this;
    const kind = records.row(id)?.record_type;
    const unwanted = [id];
    for (let one = unwanted.pop(); one !== undefined; one = unwanted.pop()) {
      if (records.row(one)?.record_type !== kind) continue;
      const parents = records.parents(one);
      if (!(await this.remove(one))) return false;
      unwanted.push(...parents);
    }
    return true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#named.close();
  }

  #keep(id: string): { readonly id: string } & Disposable {
    if (this.records.row(id) === undefined)
      throw new CodedError('not_found', `ref ${id} is gone`, { fault: 'infrastructure' });
    this.records.hold(id);
    return { id, [Symbol.dispose]: () => void this.records.letGo(id) };
  }
}
