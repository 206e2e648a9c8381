import { type AbortOptions, CodedError, KeyedMutex, neverAborted, newId, onAbort } from '../../base/index.ts';
import type { ImmutableRef, Mount, Mounted, MutableRef, NamedRef, RecordType, RefOptions } from '../ports.ts';
import { type Engine, ImmutableHandle } from './handles.ts';
import { mountPrivately } from './mounting.ts';

interface Row {
  readonly id: string;
  readonly ref: string;
  readonly kept: number;
  /** The immutable ref it was last committed as. */
  readonly base: string | null;
}

/** An instance that someone has open. */
interface Open {
  readonly row: Row;
  /** Of the lock under which holders come and go. */
  readonly lock: string;
  readonly sharing: NamedRef['sharing'];
  holders: number;
  /** One overlay for all holders: two mounts of one upper directory are undefined. */
  mounted: Mounted | undefined;
  readonly free: PromiseWithResolvers<void>;
}

type OpenOptions = AbortOptions & {
  readonly parent?: ImmutableRef;
  readonly description: string;
  readonly recordType: RecordType;
} & Partial<RefOptions>;

/** Layers that a named ref may stack up by commits before it starts empty again. */
const MAX_DEPTH = 32;

/**
 * Writable refs with a name. A name may have several instances, one holder each, except that `shared` holders use one together. `private` takes a free one or
 * makes another, `locked` waits for the first.
 */
export class NamedRefs {
  readonly #engine: Engine;
  readonly #choosing = new KeyedMutex();
  readonly #open = new Map<string, Open>();
  readonly #openRefs = new Set<string>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  isOpen(ref: string): boolean {
    return this.#openRefs.has(ref);
  }

  async open(name: NamedRef, options: OpenOptions): Promise<NamedHandle> {
    const { signal } = options;
    for (;;) {
      let busy: Promise<void>;
      {
        using _choosing = await this.#choosing.acquire(lockOf(name), { signal });
        const rows = this.#engine.records.options.db.all<Row>(
          'SELECT id, ref, kept, base FROM named_refs WHERE scope = ? AND key = ? ORDER BY id',
          ...[name.scope, name.key],
        );
        const joined = rows
          .map(({ id }) => this.#open.get(id))
          .find((open) => name.sharing === 'shared' && open?.sharing === 'shared');
        if (joined !== undefined) {
          joined.holders++;
          return new NamedHandle(this, this.#engine, joined);
        }
        const first = rows[0] === undefined ? undefined : this.#open.get(rows[0].id);
        if (name.sharing !== 'locked' || first === undefined) {
          const free = rows.find(({ id }) => !this.#open.has(id));
          // From here on, so that no prune takes it meanwhile.
          if (free !== undefined) this.#openRefs.add(free.ref);
          try {
            return new NamedHandle(this, this.#engine, await this.#take(free, name, options));
          } catch (error) {
            if (free !== undefined) this.#openRefs.delete(free.ref);
            throw error;
          }
        }
        busy = first.free.promise;
      }
      using aborted = onAbort(signal);
      await Promise.race([busy, aborted.promise]);
    }
  }

  async #take(free: Row | undefined, name: NamedRef, options: OpenOptions): Promise<Open> {
    const { records } = this.#engine;
    const { snapshotter, pools, mountDirectory } = records.options;
    const usable = free !== undefined && (await this.#isWhole(free, options)) ? free : undefined;
    if (free !== undefined && usable === undefined) await this.#drop(free);
    const row = usable === undefined ? await this.#start(name, options) : await this.#reuse(usable, options);
    const open: Open = {
      row,
      lock: lockOf(name),
      sharing: name.sharing,
      holders: 1,
      mounted: undefined,
      free: Promise.withResolvers(),
    };
    const mounts = snapshotter.mounts(row.ref);
    if (name.sharing === 'shared' && mounts.some(({ type }) => type === 'overlay')) {
      open.mounted = await mountPrivately(pools, mountDirectory, mounts, options);
    }
    snapshotter.unsettle(row.ref);
    records.hold(row.ref);
    this.#open.set(row.id, open);
    this.#openRefs.add(row.ref);
    return open;
  }

  /** Whether the files of a free instance, and what they lie on, are still there. */
  async #isWhole({ ref, base }: Row, options: AbortOptions): Promise<boolean> {
    const { records, losses } = this.#engine;
    const { snapshotter } = records.options;
    const snapshots = [ref, ...(base === null ? [] : [base])]
      .flatMap((id) => records.chain(id))
      .flatMap(({ id, kind, snapshot }) => (kind === 'mutable' ? [id] : snapshot === null ? [] : [snapshot]))
      .filter((one) => snapshotter.has(one));
    return (await losses.missing(snapshots, options)).size === 0;
  }

  async #drop({ id, ref }: Row): Promise<void> {
    const { db, snapshotter, log } = this.#engine.records.options;
    log.warn('the files of a named ref are gone; it starts empty', { ref });
    db.transaction(() => {
      db.run('DELETE FROM named_refs WHERE id = ?', id);
      this.#engine.records.delete(ref);
    });
    this.#openRefs.delete(ref);
    if (snapshotter.has(ref)) await snapshotter.remove(ref, { signal: neverAborted });
  }

  /** A new instance, on its parent where it has one. */
  async #start(name: NamedRef, options: OpenOptions): Promise<Row> {
    const { unlazier, losses } = this.#engine;
    const { parent } = options;
    if (parent === undefined) return await this.#make(name, options);
    return await losses.guard(parent.id, options, async () => {
      await unlazier.unlazy(parent.id, { sessions: () => [], ...options });
      return await this.#make(name, options);
    });
  }

  async #make(name: NamedRef, options: OpenOptions): Promise<Row> {
    const { records } = this.#engine;
    const { snapshotter, db } = records.options;
    const parent = options.parent === undefined ? undefined : records.row(options.parent.id);
    const ref = newId();
    await snapshotter.prepare(ref, parent?.snapshot ?? undefined, options);
    const row: Row = { id: `${records.now().toString(36).padStart(10, '0')}${newId()}`, ref, kept: 0, base: null };
    db.transaction(() => {
      const { description, recordType } = options;
      records.insert({ kind: 'mutable', id: ref, parent: parent?.id, description, recordType, scope: name.scope });
      db.run('INSERT INTO named_refs (id, scope, key, ref) VALUES (?, ?, ?, ?)', row.id, name.scope, name.key, ref);
    });
    return row;
  }

  /** Makes sure that a free instance has a writable snapshot: a committed one is taken back when nobody uses it, else built upon. */
  async #reuse(row: Row, options: AbortOptions): Promise<Row> {
    const { records } = this.#engine;
    const { snapshotter, db, onResultDropped } = records.options;
    if (snapshotter.has(row.ref)) return row;
    const base = row.base === null ? undefined : records.row(row.base);
    if (base?.snapshot == null || !snapshotter.has(base.snapshot)) {
      await snapshotter.prepare(row.ref, undefined, options);
      db.run('UPDATE refs SET parent = NULL WHERE id = ?', row.ref);
    } else if (!records.inUse(base.id) && !records.hasChildren(base.id) && !records.leased(base.id)) {
      const { snapshot } = base;
      db.transaction(() => {
        records.delete(base.id);
        snapshotter.thaw(snapshot, row.ref);
        db.run('UPDATE refs SET parent = ? WHERE id = ?', base.parent, row.ref);
      });
      if (base.stored === 1) onResultDropped?.(base.id);
    } else {
      const deep = records.chain(base.id).length >= MAX_DEPTH;
      records.hold(base.id);
      try {
        await snapshotter.prepare(row.ref, deep ? undefined : base.snapshot, options);
      } finally {
        records.letGo(base.id);
      }
      db.run('UPDATE refs SET parent = ? WHERE id = ?', deep ? null : base.id, row.ref);
    }
    db.run('UPDATE named_refs SET base = NULL WHERE id = ?', row.id);
    return { ...row, base: null };
  }

  keep({ row }: Open): void {
    this.#engine.records.options.db.run('UPDATE named_refs SET kept = 1 WHERE id = ?', row.id);
  }

  /** The snapshot becomes an immutable ref; the name remembers it. */
  async commit(open: Open, options: AbortOptions): Promise<ImmutableRef> {
    const { row } = open;
    using _lock = await this.#choosing.acquire(open.lock, options);
    if (open.holders > 1)
      throw new CodedError('failed_precondition', 'a named ref with several holders cannot be committed');
    const { records } = this.#engine;
    const { snapshotter, db } = records.options;
    const mutable = records.row(row.ref);
    if (mutable === undefined) throw new CodedError('internal', `named ref ${row.ref} is gone`);
    await open.mounted?.[Symbol.asyncDispose]();
    open.mounted = undefined;
    const id = newId();
    await snapshotter.commit(id, row.ref, options);
    db.transaction(() => {
      const { description, scope, record_type } = mutable;
      const recordType = record_type as RecordType;
      records.insert({
        kind: 'immutable',
        id,
        snapshot: id,
        parent: mutable.parent ?? undefined,
        description,
        recordType,
        scope,
      });
      db.run('UPDATE named_refs SET base = ? WHERE id = ?', id, row.id);
      db.run('UPDATE refs SET parent = NULL, size = NULL WHERE id = ?', row.ref);
    });
    const committed = new ImmutableHandle(this.#engine, id);
    await this.#leave(open);
    return committed;
  }

  /** One holder goes; what was never kept goes with the last. */
  async leave(open: Open): Promise<void> {
    using _lock = await this.#choosing.acquire(open.lock, { signal: neverAborted });
    await this.#leave(open);
  }

  async #leave(open: Open): Promise<void> {
    if (--open.holders > 0) return;
    const { row } = open;
    const { records } = this.#engine;
    const { snapshotter, db } = records.options;
    try {
      await open.mounted?.[Symbol.asyncDispose]();
      const kept = db.get<{ kept: number }>('SELECT kept FROM named_refs WHERE id = ?', row.id)?.kept === 1;
      const hasSnapshot = snapshotter.has(row.ref);
      if (kept) {
        records.touch(row.ref);
        db.run('UPDATE refs SET size = NULL WHERE id = ?', row.ref);
        if (hasSnapshot) snapshotter.settle(row.ref);
      } else {
        db.transaction(() => {
          db.run('DELETE FROM named_refs WHERE id = ?', row.id);
          records.delete(row.ref);
        });
        if (hasSnapshot) await snapshotter.remove(row.ref, { signal: neverAborted });
      }
    } finally {
      records.letGo(row.ref);
      this.#open.delete(row.id);
      this.#openRefs.delete(row.ref);
      open.free.resolve();
    }
  }

  async close(): Promise<void> {
    for (const open of this.#open.values()) await open.mounted?.[Symbol.asyncDispose]();
  }
}

function lockOf({ scope, key }: NamedRef): string {
  return `${scope}\0${key}`;
}

/** One holder's handle. */
class NamedHandle implements MutableRef {
  readonly id: string;
  readonly #refs: NamedRefs;
  readonly #engine: Engine;
  readonly #instance: Open;
  #open = true;

  constructor(refs: NamedRefs, engine: Engine, instance: Open) {
    this.id = instance.row.ref;
    this.#refs = refs;
    this.#engine = engine;
    this.#instance = instance;
  }

  mounts(): readonly Mount[] {
    this.#check();
    const { mounted } = this.#instance;
    if (mounted !== undefined) return [{ type: 'bind', source: mounted.root, options: ['rbind', 'rw'] }];
    return this.#engine.records.options.snapshotter.mounts(this.id);
  }

  mount(options: AbortOptions): Promise<Mounted> {
    const { pools, mountDirectory } = this.#engine.records.options;
    return mountPrivately(pools, mountDirectory, this.mounts(), options);
  }

  async keep(): Promise<void> {
    this.#check();
    this.#refs.keep(this.#instance);
  }

  async commit(options: AbortOptions): Promise<ImmutableRef> {
    this.#check();
    const committed = await this.#refs.commit(this.#instance, options);
    this.#open = false;
    return committed;
  }

  async release(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#refs.leave(this.#instance);
  }

  #check(): void {
    if (!this.#open)
      throw new CodedError('internal', `named ref ${this.id} was used after its release`, { reason: 'REF_RELEASED' });
  }
}
