import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AbortOptions,
  CodedError,
  cancelledError,
  HOUSE,
  type Logger,
  onAbort,
  type WorkOptions,
} from '../../base/index.ts';
import type { Database } from '../../cache/metadata/index.ts';
import type { Mount, Snapshotter } from '../../cache/ports.ts';
import type { Trash } from '../../cache/snapshots/index.ts';
import { type Pools, type Privileges, siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import { imageIn, SnapshotImages } from './images.ts';

interface OverlaySnapshotterOptions {
  readonly db: Database;
  /** Absolute path of the directory of snapshots: `<number>/{fs,work}`. */
  readonly directory: string;
  /** On the same file system. */
  readonly trash: Trash;
  readonly pools: Pools;
  readonly privileges: Privileges;
  readonly log: Logger;
  /** For syncs, which wait for the disk and nobody for them. */
  readonly background: WorkerPool;
  /** The machine started anew since the last life: what is not marked durable may be torn, and is dropped. */
  readonly rebooted: boolean;
  /** Wait from the first commit to the sync that marks it durable; 3,000 ms by default. */
  readonly syncDelayMs?: number;
  /** Bytes of a packed layer from which on it becomes an image where that can be; 4 MiB by default, with `Infinity` nothing does. */
  readonly minImageBytes?: number | undefined;
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly kind: 'active' | 'committed';
  readonly parent: number | null;
}

const MIGRATIONS = [
  `CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    parent INTEGER,
    settled INTEGER NOT NULL DEFAULT 0,
    synced INTEGER NOT NULL DEFAULT 0,
    touched INTEGER NOT NULL,
    bytes INTEGER,
    inodes INTEGER
  );
  CREATE INDEX snapshots_parent ON snapshots (parent);
  CREATE INDEX snapshots_unsynced ON snapshots (touched) WHERE synced = 0;`,
  `CREATE TABLE numbered (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    parent INTEGER,
    settled INTEGER NOT NULL DEFAULT 0,
    synced INTEGER NOT NULL DEFAULT 0,
    touched INTEGER NOT NULL,
    bytes INTEGER,
    inodes INTEGER
  );
  INSERT INTO numbered SELECT id, name, kind, parent, settled, synced, touched, bytes, inodes FROM snapshots;
  DROP TABLE snapshots;
  ALTER TABLE numbered RENAME TO snapshots;
  CREATE INDEX snapshots_parent ON snapshots (parent);
  CREATE INDEX snapshots_unsynced ON snapshots (touched) WHERE synced = 0;`,

  // What a stack lays on its parent, bottom first; null for a directory of its own.
  `CREATE TABLE snapshot_layers (
    snapshot INTEGER NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
    pos INTEGER NOT NULL,
    layer INTEGER,
    PRIMARY KEY (snapshot, pos)
  ) WITHOUT ROWID;
  CREATE INDEX snapshot_layers_layer ON snapshot_layers (layer) WHERE layer IS NOT NULL;`,

  // Its files lie in an image.
  'ALTER TABLE snapshots ADD COLUMN image INTEGER NOT NULL DEFAULT 0',
];

const task = tasksOf<typeof import('./tasks.ts')>(siblingModule(import.meta.url, './tasks'));
/** Below that a layer has few files, and a mount that stays costs as much. */
const MIN_IMAGE_BYTES = 4 << 20;
/** The kernel takes 500 lower layers (fs/overlayfs/params.h). */
const MAX_LAYERS = 500;
const CHAIN = `WITH RECURSIVE chain (id, parent, depth) AS (
  SELECT id, parent, 0 FROM snapshots WHERE id = ?
  UNION ALL SELECT s.id, s.parent, depth + 1 FROM snapshots s JOIN chain c ON s.id = c.parent
) SELECT c.id, l.pos, l.layer FROM chain c LEFT JOIN snapshot_layers l ON l.snapshot = c.id ORDER BY depth, pos DESC`;
const DROP_TREE = `WITH RECURSIVE tree (id) AS (
  SELECT id FROM snapshots WHERE id = ?
  UNION SELECT s.id FROM tree t CROSS JOIN snapshots s ON s.parent = t.id
  UNION SELECT l.snapshot FROM tree t CROSS JOIN snapshot_layers l ON l.layer = t.id
) DELETE FROM snapshots WHERE id IN (SELECT id FROM tree)`;

/**
 * Snapshots as overlayfs layers: `<id>/fs` is what a snapshot alone holds (a mount of `<id>/image` where that is an image), `<id>/<position>` what a stack holds itself of its layers. The index is in SQLite and is written last, so that a crash leaves at most
 * directories that no row names, which the next start sweeps. Numbers are never used twice, by no life: a power loss may bring back the row of a snapshot
 * that was removed, and must not find another's directory under its number.
 */
export class OverlaySnapshotter implements Snapshotter, AsyncDisposable {
  readonly #options: OverlaySnapshotterOptions;
  readonly #db: Database;
  readonly #images: SnapshotImages;
  readonly #stop = new AbortController();
  #nextId: number;
  #touched = 1;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;

  /** Opens, and drops what an earlier life left half done. */
  constructor(options: OverlaySnapshotterOptions) {
    this.#options = options;
    this.#db = options.db;
    const { directory, pools, privileges, log, minImageBytes: minBytes = MIN_IMAGE_BYTES } = options;
    this.#images = new SnapshotImages({ pools, privileges, minBytes, log });
    // An option string has no room for these, and one layer's path has 256 bytes (fsconfig(2)).
    if (/[:,\\\s]/.test(directory) || directory.length > 220) {
      throw CodedError.of('SNAPSHOT_DIRECTORY', `state directory ${directory}: overlayfs cannot name layers below it`);
    }
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#db.migrate('snapshots', MIGRATIONS);
    try {
      this.#nextId = this.#sweep();
    } catch (error) {
      this.#images.close();
      throw error;
    }
    this.#touched = (this.#db.get<{ n: number | null }>('SELECT max(touched) AS n FROM snapshots')?.n ?? 0) + 1;
    if (this.#db.get('SELECT 1 FROM snapshots WHERE synced = 0') !== undefined) this.#scheduleSync();
  }

  async prepare(key: string, parent: string | undefined, options: WorkOptions): Promise<void> {
    options.signal.throwIfAborted();
    if (this.has(key)) throw exists(key);
    const below = parent === undefined ? undefined : this.#committed(parent);
    const id = this.#nextId++;
    const directory = this.#directory(id);
    const args = { directory, ...(below === undefined ? {} : { parent: this.#fs(below.id) }) };
    try {
      await this.#options.pools.short.run(task('makeSnapshot'), args, options);
      this.#db.transaction(() => {
        if (this.has(key)) throw exists(key);
        if (parent !== undefined && this.#committed(parent).id !== below?.id) throw notFound(parent);
        this.#db.run(
          'INSERT INTO snapshots (id, name, kind, parent, touched) VALUES (?, ?, ?, ?, ?)',
          ...[id, key, 'active', below?.id ?? null, this.#touched++],
        );
      });
    } catch (error) {
      this.#options.trash.discard(directory);
      throw error;
    }
  }

  async imageFile(key: string, size: number | undefined, options: WorkOptions): Promise<string | undefined> {
    options.signal.throwIfAborted();
    const { id, parent } = this.#active(key);
    return parent === null ? await this.#images.file(this.#directory(id), size, options) : undefined;
  }

  async useImage(key: string, options: WorkOptions): Promise<boolean> {
    options.signal.throwIfAborted();
    const { id } = this.#active(key);
    if (!(await this.#images.mount(this.#directory(id), options))) return false;
    this.#db.run('UPDATE snapshots SET image = 1 WHERE id = ?', id);
    return true;
  }

  async commit(name: string, key: string, { signal }: WorkOptions): Promise<void> {
    signal.throwIfAborted();
    this.#commit(name, key);
    this.#scheduleSync();
  }

  #commit(name: string, key: string): void {
    const row = this.#active(key);
    if (name !== key && this.has(name)) throw exists(name);
    // Its work directory goes before the next sync: nobody waits for that.
    const changed = this.#db.run(
      `UPDATE snapshots SET name = ?, kind = 'committed', settled = 1, synced = 0, touched = ? WHERE id = ? AND kind = 'active'`,
      ...[name, this.#touched++, row.id],
    );
    if (changed === 0) throw notFound(key);
  }

  layerDir(key: string, position: number): string {
    return this.#layerDir(this.#active(key).id, position);
  }

  async commitStack(
    name: string,
    key: string,
    layers: readonly (string | undefined)[],
    { signal }: WorkOptions,
  ): Promise<void> {
    signal.throwIfAborted();
    this.#db.transaction(() => {
      const { id } = this.#active(key);
      for (const [pos, layer] of layers.entries())
        this.#db.run(
          'INSERT INTO snapshot_layers (snapshot, pos, layer) VALUES (?, ?, ?)',
          ...[id, pos, layer === undefined ? null : this.#committed(layer).id],
        );
      this.#commit(name, key);
    });
    this.#scheduleSync();
  }

  directories(name: string): readonly string[] {
    return this.#directories(this.#committed(name).id);
  }

  mounts(keyOrName: string): readonly Mount[] {
    const row = this.#row(keyOrName);
    const layers = this.#directories(row.id);
    if (layers.length > MAX_LAYERS) {
      throw CodedError.of(
        'SNAPSHOT_TOO_DEEP',
        `snapshot ${keyOrName} has ${layers.length} layers, overlayfs takes ${MAX_LAYERS}`,
      );
    }
    const active = row.kind === 'active';
    const [top = '', ...lower] = layers;
    if (lower.length === 0) return [{ type: 'bind', source: top, options: active ? ['rbind', 'rw'] : ['rbind', 'ro'] }];
    const options = ['index=off', ...this.#options.privileges.overlayOptions];
    if (!active) {
      return [{ type: 'overlay', source: 'overlay', options: [...options, `lowerdir=${layers.join(':')}`, 'ro'] }];
    }
    const work = join(this.#directory(row.id), 'work');
    allowRemount(work);
    // No sync at unmount: the sync mark is what makes a snapshot durable.
    const upper = ['volatile', `lowerdir=${lower.join(':')}`, `upperdir=${top}`, `workdir=${work}`];
    return [{ type: 'overlay', source: 'overlay', options: [...options, ...upper] }];
  }

  async remove(keyOrName: string, { signal }: AbortOptions): Promise<void> {
    signal.throwIfAborted();
    const row = this.#row(keyOrName);
    if (this.#isNeeded(row.id)) {
      throw CodedError.of('SNAPSHOT_IN_USE', `snapshot ${keyOrName} is the parent of others`);
    }
    this.#db.reserved(() => this.#db.run('DELETE FROM snapshots WHERE id = ?', row.id));
    this.#discard(row.id);
  }

  upperDir(keyOrName: string): string {
    return this.#fs(this.#row(keyOrName).id);
  }

  ownDirs(keyOrName: string): readonly string[] {
    const { id } = this.#row(keyOrName);
    const own = this.#db.all<{ pos: number }>(
      'SELECT pos FROM snapshot_layers WHERE snapshot = ? AND layer IS NULL',
      id,
    );
    return [this.#fs(id), ...own.map(({ pos }) => this.#layerDir(id, pos))];
  }

  async usage(keyOrName: string, options: WorkOptions): Promise<{ readonly bytes: number; readonly inodes: number }> {
    const row = this.#row(keyOrName);
    const known = this.#db.get<{ bytes: number | null; inodes: number; image: number }>(
      'SELECT bytes, inodes, image FROM snapshots WHERE id = ?',
      row.id,
    );
    if (known !== undefined && known.bytes !== null) return { bytes: known.bytes, inodes: known.inodes };
    const args =
      known?.image === 1
        ? { directories: [], images: [imageIn(this.#directory(row.id))] }
        : { directories: this.ownDirs(keyOrName), images: [] };
    const used = await this.#options.pools.bulk.run(task('usage'), args, options);
    if (row.kind === 'committed') {
      const values = [used.bytes, used.inodes, row.id] as const;
      const sql = `UPDATE snapshots SET bytes = ?, inodes = ? WHERE id = ? AND kind = 'committed'`;
      this.#db.ifRoom(() => this.#db.run(sql, ...values));
    }
    return used;
  }

  list(): readonly { readonly name: string; readonly kind: 'active' | 'committed'; readonly parent?: string }[] {
    const sql = `SELECT s.name, s.kind, p.name AS parent FROM snapshots s LEFT JOIN snapshots p ON p.id = s.parent ORDER BY s.id`;
    return this.#db
      .all<{ name: string; kind: 'active' | 'committed'; parent: string | null }>(sql)
      .map(({ name, kind, parent }) => ({ name, kind, ...(parent === null ? {} : { parent }) }));
  }

  has(keyOrName: string): boolean {
    return this.#db.get('SELECT 1 FROM snapshots WHERE name = ?', keyOrName) !== undefined;
  }

  settle(key: string): void {
    const { id } = this.#active(key);
    this.#db.run('UPDATE snapshots SET settled = 1, synced = 0, touched = ? WHERE id = ?', this.#touched++, id);
    this.#scheduleSync();
  }

  async unsettle(key: string, { signal }: AbortOptions): Promise<void> {
    signal.throwIfAborted();
    const { id } = this.#active(key);
    const wasDurable = this.#db.get('SELECT 1 FROM snapshots WHERE id = ? AND synced = 1', id) !== undefined;
    this.#db.run('UPDATE snapshots SET settled = 0, synced = 0, touched = ? WHERE id = ?', this.#touched++, id);
    if (!wasDurable) return;
    try {
      // Else a power loss could bring back the mark, and with it files that were half written.
      await this.#db.sync({ signal });
    } catch (error) {
      // Nobody writes in it, and the next one must not take the mark for gone.
      this.#db.run('UPDATE snapshots SET settled = 1, synced = 1 WHERE id = ? AND synced = 0', id);
      throw error;
    }
  }

  async reclaimed({ signal }: AbortOptions): Promise<void> {
    using aborted = onAbort(signal);
    await Promise.race([this.#options.trash.settled(), aborted.promise]);
  }

  /** Makes all committed and settled snapshots durable and marks them so. */
  async sync(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#syncing;
    this.#syncing = this.#markDurable().finally(() => {
      this.#syncing = undefined;
    });
    await this.#syncing;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#syncing?.catch(() => {});
    this.#stop.abort(cancelledError());
    this.#images.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #markDurable(): Promise<void> {
    const until = this.#touched - 1;
    const sql = `SELECT id FROM snapshots WHERE synced = 0 AND kind = 'committed' AND touched <= ?`;
    const directories = this.#db.all<{ id: number }>(sql, until).map(({ id }) => this.#directory(id));
    const args = { path: this.#options.directory, directories };
    await this.#options.background.run(task('settleOnDisk'), args, { signal: this.#stop.signal, owner: HOUSE });
    // Whatever was touched since then is younger than the sync.
    this.#db.run('UPDATE snapshots SET synced = 1 WHERE synced = 0 AND settled = 1 AND touched <= ?', until);
  }

  #scheduleSync(): void {
    if (this.#timer !== undefined || this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // A mark that could not be written is made at the next interval.
      this.sync().catch(() => this.#scheduleSync());
    }, this.#options.syncDelayMs ?? 3_000);
    this.#timer.unref();
  }

  /** Rows without directories and directories without rows go; the next free number. */
  #sweep(): number {
    const { directory, rebooted } = this.#options;
    const onDisk = new Set(readdirSync(directory));
    const rows = this.#db.all<{ id: number; synced: number; image: number }>('SELECT id, synced, image FROM snapshots');
    this.#db.reserved(() => {
      for (const { id, synced, image } of rows) {
        const isWhole = onDisk.has(String(id)) && !(rebooted && synced === 0);
        if (!isWhole || (image === 1 && !this.#images.mountNow(this.#directory(id)))) this.#db.run(DROP_TREE, id);
      }
    });
    const kept = new Set(this.#db.all<{ id: number }>('SELECT id FROM snapshots').map(({ id }) => String(id)));
    // The highest that a row ever had, and those that no row has had yet.
    let highest = this.#db.get<{ n: number }>("SELECT seq AS n FROM sqlite_sequence WHERE name = 'snapshots'")?.n ?? 0;
    for (const name of onDisk) {
      if (/^\d+$/.test(name)) highest = Math.max(highest, Number(name));
      if (!kept.has(name)) this.#discard(name);
    }
    return highest + 1;
  }

  #discard(id: number | string): void {
    const directory = this.#directory(id);
    this.#options.trash.discard(directory, this.#images.forget(directory));
  }

  #directory(id: number | string): string {
    return join(this.#options.directory, String(id));
  }

  #fs(id: number): string {
    return join(this.#directory(id), 'fs');
  }

  #row(name: string): Row {
    const row = this.#db.get<Row>('SELECT id, name, kind, parent FROM snapshots WHERE name = ?', name);
    if (row === undefined) throw notFound(name);
    return row;
  }

  #committed(name: string): Row {
    const row = this.#row(name);
    if (row.kind !== 'committed') throw wrongKind(name, 'committed');
    return row;
  }

  #active(key: string): Row {
    const row = this.#row(key);
    if (row.kind !== 'active') throw wrongKind(key, 'active');
    return row;
  }

  #layerDir(id: number, position: number): string {
    return join(this.#directory(id), String(position));
  }

  /** Of what it is mounted, top first. What a layer further up says again need not be there twice, and overlayfs takes no directory twice. */
  #directories(id: number): string[] {
    const rows = this.#db.all<{ id: number; pos: number | null; layer: number | null }>(CHAIN, id);
    // That of a stack is empty: on top it gives the owner of the root, further down nothing.
    const all = rows.flatMap(({ id: one, pos, layer }) =>
      pos === null ? [this.#fs(one)] : [layer === null ? this.#layerDir(one, pos) : this.#fs(layer)],
    );
    return [...new Set((rows[0]?.pos ?? null) === null ? all : [this.#fs(id), ...all])];
  }

  #isNeeded(id: number): boolean {
    const sql = 'SELECT 1 FROM snapshots WHERE parent = ?1 UNION ALL SELECT 1 FROM snapshot_layers WHERE layer = ?1';
    return this.#db.get(sql, id) !== undefined;
  }
}

/** A volatile mount leaves a mark that refuses the next one, lest a crash of the machine goes unseen; our sync mark covers that. */
function allowRemount(work: string): void {
  const mark = join(work, 'work', 'incompat', 'volatile');
  // A directory with a file in it: the kernel's "dirty".
  rmSync(mark, { recursive: true, force: true });
}

function notFound(name: string): CodedError {
  return CodedError.of('SNAPSHOT_NOT_FOUND', `snapshot ${name} does not exist`);
}

function exists(name: string): CodedError {
  return new CodedError('already_exists', `snapshot ${name} exists already`, { fault: 'infrastructure' });
}

function wrongKind(name: string, wanted: string): CodedError {
  return new CodedError('failed_precondition', `snapshot ${name} is not ${wanted}`, { fault: 'infrastructure' });
}
