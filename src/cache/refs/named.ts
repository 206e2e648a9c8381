import { CodedError, KeyedMutex, neverAborted, newId, onAbort, type WorkOptions } from '../../base/index.ts';
import type {
  ImmutableRef,
  Mount,
  Mounted,
  NamedFill,
  NamedReading,
  NamedRef,
  NamedWritableRef,
  RecordType,
  RefOptions,
} from '../ports.ts';
import { type Engine, WritableHandle } from './handles.ts';
import { mountPrivately } from './mounting.ts';

interface Row {
  readonly id: string;
  readonly ref: string;
  readonly kept: number;
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

/** An instance that nobody has open and somebody reads. */
interface Reading {
  /** Fires when a holder wants it. */
  readonly stop: AbortController;
  readonly over: Promise<void>;
}

type OpenOptions = WorkOptions & {
  readonly parent?: ImmutableRef;
  readonly fill?: NamedFill | undefined;
  readonly description: string;
  readonly recordType: RecordType;
} & Partial<RefOptions>;

/**
 * Writable refs with a name. A name may have several instances, one holder each, except that `shared` holders use one together. `private` takes a free one or
 * makes another, `locked` waits for the first.
 */
export class NamedRefs {
  readonly #engine: Engine;
  readonly #choosing = new KeyedMutex();
  readonly #open = new Map<string, Open>();
  readonly #openRefs = new Set<string>();
  /** Instances that are being made: each will have the key that it has here when it is there. */
  readonly #starting = new Set<{ readonly scope: string; key: string }>();
  /** By the id of the instance. */
  readonly #readings = new Map<string, Reading>();

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
          'SELECT id, ref, kept FROM named_refs WHERE scope = ? AND key = ? ORDER BY id',
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
          // Only what no other instance has anything of is filled: no holder waits to let go meanwhile.
          const fill = rows.every((row) => row === free) ? options.fill : undefined;
          try {
            if (free !== undefined) await this.#interrupt(free);
            return new NamedHandle(this, this.#engine, await this.#take(free, name, { ...options, fill }));
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
    if (free !== undefined && usable === undefined) {
      records.options.log.warn('the files of a named ref are gone; it starts empty', { ref: free.ref });
      await this.#drop(free);
    }
    const row = usable ?? (await this.#start(name, options));
    // From here on, so that no prune takes a new one meanwhile.
    records.hold(row.ref);
    const open: Open = {
      row,
      lock: lockOf(name),
      sharing: name.sharing,
      holders: 1,
      mounted: undefined,
      free: Promise.withResolvers(),
    };
    try {
      await snapshotter.unsettle(row.ref, options);
      const mounts = snapshotter.mounts(row.ref);
      if (name.sharing === 'shared' && mounts.some(({ type }) => type === 'overlay'))
        open.mounted = await mountPrivately(pools, mountDirectory, mounts, options);
    } catch (error) {
      records.letGo(row.ref);
      if (usable === undefined) await this.#drop(row);
      throw error;
    }
    this.#open.set(row.id, open);
    this.#openRefs.add(row.ref);
    return open;
  }

  /** Who reads a free instance makes way for who is to write in it. */
  async #interrupt({ id, ref }: Row): Promise<void> {
    const reading = this.#readings.get(id);
    if (reading === undefined) return;
    reading.stop.abort(new CodedError('aborted', 'a step has taken the cache mount'));
    await reading.over;
    this.#openRefs.add(ref);
  }

  /** The first instance that is kept and that nobody has open, until a holder wants it. `busy` where all are open or read. */
  async read(
    { scope, key }: Omit<NamedRef, 'sharing'>,
    options: WorkOptions,
  ): Promise<NamedReading | 'absent' | 'busy'> {
    using _choosing = await this.#choosing.acquire(lockOf({ scope, key }), options);
    const { records } = this.#engine;
    const rows = records.options.db.all<Row>(
      'SELECT id, ref, kept FROM named_refs WHERE scope = ? AND key = ? AND kept = 1 ORDER BY id',
      ...[scope, key],
    );
    const row = rows.find(({ id }) => !this.#open.has(id) && !this.#readings.has(id));
    if (row === undefined) return rows.length === 0 ? 'absent' : 'busy';
    if (!(await this.#isWhole(row, options))) return 'absent';
    const { ref } = row;
    const over = Promise.withResolvers<void>();
    const stop = new AbortController();
    this.#readings.set(row.id, { stop, over: over.promise });
    this.#openRefs.add(ref);
    records.hold(ref);
    await using held = new AsyncDisposableStack();
    held.defer(async () => {
      records.letGo(ref);
      this.#openRefs.delete(ref);
      this.#readings.delete(row.id);
      try {
        // Forgotten meanwhile, as what is open then is.
        if (this.#isForgotten(row)) await this.#drop(row);
      } finally {
        over.resolve();
      }
    });
    const below = await this.#below(ref, options);
    if (below !== undefined) held.use(below);
    const until = held.move();
    return {
      directory: records.options.snapshotter.upperDir(ref),
      below: below?.root,
      interrupted: stop.signal,
      [Symbol.asyncDispose]: () => until.disposeAsync(),
    };
  }

  /** A view of what an instance lies on. */
  async #below(ref: string, options: WorkOptions): Promise<Mounted | undefined> {
    const { records } = this.#engine;
    const [parent] = records.parents(ref);
    const snapshot = parent === undefined ? undefined : records.row(parent)?.snapshot;
    if (snapshot == null) return undefined;
    const { snapshotter, pools, mountDirectory } = records.options;
    return await mountPrivately(pools, mountDirectory, snapshotter.mounts(snapshot), options);
  }

  /** Whether the files of a free instance, and what they lie on, are still there. */
  async #isWhole({ ref }: Row, options: WorkOptions): Promise<boolean> {
    const { records, losses } = this.#engine;
    const snapshots = records
      .under(ref)
      .flatMap(({ id, kind, snapshot }) => (kind === 'mutable' ? [id] : snapshot === null ? [] : [snapshot]));
    return (await losses.missing(snapshots, options)).size === 0;
  }

  #isForgotten({ id }: Row): boolean {
    const { db } = this.#engine.records.options;
    return db.get<{ key: string }>('SELECT key FROM named_refs WHERE id = ?', id)?.key === '';
  }

  async #drop({ id, ref }: Row): Promise<void> {
    const { db, snapshotter } = this.#engine.records.options;
    db.reserved(() => {
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
    const starting = { scope: name.scope, key: name.key };
    this.#starting.add(starting);
    using _started = { [Symbol.dispose]: () => this.#starting.delete(starting) };
    await this.#prepare(ref, parent?.snapshot ?? undefined, options);
    const row: Row = { id: `${records.now().toString(36).padStart(10, '0')}${newId()}`, ref, kept: 0 };
    try {
      db.transaction(() => {
        const { description, recordType } = options;
        records.insert({
          kind: 'mutable',
          id: ref,
          parents: parent === undefined ? [] : [parent.id],
          description,
          recordType,
          scope: name.scope,
        });
        const { scope, key } = starting;
        db.run('INSERT INTO named_refs (id, scope, key, ref) VALUES (?, ?, ?, ?)', row.id, scope, key, ref);
      });
    } catch (error) {
      await snapshotter.remove(ref, { signal: neverAborted }).catch(() => {});
      throw error;
    }
    return row;
  }

  /** What a new instance begins with, where something fills it whole; else nothing. */
  async #prepare(ref: string, parent: string | undefined, { fill, ...options }: OpenOptions): Promise<void> {
    const { snapshotter } = this.#engine.records.options;
    await snapshotter.prepare(ref, parent, options);
    if (fill === undefined) return;
    let filled = false;
    try {
      const lowers = parent === undefined ? [] : snapshotter.directories(parent);
      filled = await fill({ directory: snapshotter.upperDir(ref), lowers }, options);
    } finally {
      if (!filled) await snapshotter.remove(ref, { signal: neverAborted });
    }
    if (!filled) await snapshotter.prepare(ref, parent, options);
  }

  keep({ row }: Open): void {
    this.#engine.records.options.db.run("UPDATE named_refs SET kept = 1 WHERE id = ? AND key <> ''", row.id);
  }

  /** Takes the instances out of reach, at once; gives their refs. Those that are open go when they are left, as do those that somebody fills or begins. */
  forget({ scope, key }: Omit<NamedRef, 'sharing'>): readonly string[] {
    const { db } = this.#engine.records.options;
    const below = `${key}:`;
    for (const one of this.#starting)
      if (one.scope === scope && (one.key === key || one.key.startsWith(below))) one.key = '';
    const of = 'scope = ? AND (key = ? OR substr(key, 1, ?) = ?)';
    const parameters = [scope, key, below.length, below] as const;
    return db.transaction(() => {
      const rows = db.all<{ ref: string }>(`SELECT ref FROM named_refs WHERE ${of}`, ...parameters);
      db.run(`UPDATE named_refs SET key = '', kept = 0 WHERE ${of}`, ...parameters);
      return rows.map(({ ref }) => ref);
    });
  }

  /** One holder goes; what was never kept goes with the last. */
  async leave(open: Open): Promise<void> {
    // To what is forgotten no other holder comes, and whoever has its name now may be filling another for minutes.
    if (this.#isForgotten(open.row)) return await this.#leave(open);
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
      if (kept) {
        records.touch(row.ref);
        db.reserved(() => {
          db.run('UPDATE refs SET size = NULL WHERE id = ?', row.ref);
          snapshotter.settle(row.ref);
        });
      } else {
        db.reserved(() => {
          db.run('DELETE FROM named_refs WHERE id = ?', row.id);
          records.delete(row.ref);
        });
        await snapshotter.remove(row.ref, { signal: neverAborted });
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

function lockOf({ scope, key }: Omit<NamedRef, 'sharing'>): string {
  return `${scope}\0${key}`;
}

/** One holder's handle. */
class NamedHandle extends WritableHandle implements NamedWritableRef {
  readonly id: string;
  readonly #refs: NamedRefs;
  readonly #engine: Engine;
  readonly #instance: Open;
  #open = true;

  constructor(refs: NamedRefs, engine: Engine, instance: Open) {
    super(engine);
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

  async keep(): Promise<void> {
    this.#check();
    this.#refs.keep(this.#instance);
  }

  async release(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#refs.leave(this.#instance);
  }

  #check(): void {
    if (!this.#open) throw CodedError.of('REF_RELEASED', `named ref ${this.id} was used after its release`);
  }
}
