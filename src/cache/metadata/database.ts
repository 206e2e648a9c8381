import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type AbortOptions, CodedError, HOUSE, neverAborted } from '../../base/index.ts';
import { fileSystemUsage, siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import type { Reserve } from './reserve.ts';
import { isFull, logFrames } from './sqlite.ts';

export type Parameter = string | number | bigint | null | Uint8Array;

interface DatabaseOptions {
  /** Where checkpoints run; without one SQLite checkpoints inline when the connection closes. */
  readonly pool?: WorkerPool;
  /** Room for {@link Database.reserved} changes beside that of the log. */
  readonly reserve?: Reserve;
  /** Size of the log file in bytes; by default a 32nd of the disk, 1 to 16 MiB. */
  readonly logBytes?: number;
}

/** A step of a room's tables to their next form: SQL, or a function where SQL is not enough. */
export type Migration = string | ((db: Database) => void);

const task = tasksOf<typeof import('./metadata-tasks.ts')>(siblingModule(import.meta.url, './metadata-tasks'));
const MiB = 1 << 20;
const PAGE_BYTES = 4096;
const CHECK_INTERVAL_MS = 5_000;
/** Changes after which the log is looked at, between the intervals. */
const CHECK_COMMITS = 16;
/** Checkpoints in a row, each of what came during the last, until the log can start again. */
const MAX_CHECKPOINTS = 5;

/**
 * The one SQLite database of a state directory. Calls are synchronous, on the serving thread: microseconds each, since a WAL commit
 * at synchronous=NORMAL writes to the page cache only; what waits for the disk (checkpoints) runs in a worker. A killed process loses no commit; a power
 * loss may take the last ones, in order, never one without those before it.
 *
 * The log is a file of one size, whose room is taken before it is needed, and starts again at a quarter of it. So on a full disk changes
 * still succeed; once the log cannot start again, because the database has no room to grow, the rest is for {@link reserved} changes alone.
 */
export class Database implements AsyncDisposable {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #options: DatabaseOptions;
  readonly #logBytes: number;
  readonly #timer: NodeJS.Timeout;
  #depth = 0;
  #reserved = 0;
  #commits = 0;
  /** The log cannot start again, since the disk is full, and what is left of it is for reserved changes. */
  #isStuck = false;
  #checkpointing: Promise<void> | undefined;

  /** @throws CodedError data_loss when the file is no database of ours, resource_exhausted when the disk has no room for it. */
  constructor(path: string, options: DatabaseOptions = {}) {
    this.path = path;
    this.#options = options;
    const { total } = fileSystemUsage(dirname(path));
    this.#logBytes = options.logBytes ?? Math.min(16 * MiB, Math.max(MiB, Math.floor(total / 32)));
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(path, { timeout: 5_000, enableForeignKeyConstraints: true });
      db.exec(`
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        PRAGMA wal_autocheckpoint = 0;
        PRAGMA journal_size_limit = ${this.#logBytes};
        PRAGMA temp_store = MEMORY;
        PRAGMA cache_size = -16384;
        CREATE TABLE IF NOT EXISTS schema_version (room TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
      `);
    } catch (error) {
      if (db?.isOpen) db.close();
      // A path that cannot be made is told as the same by SQLite: only a disk without room is full.
      if (isFull(error) && isLow(path)) throw full(error);
      throw CodedError.of('METADATA_OPEN', `${path}: cannot be opened as a database: ${(error as Error).message}`, {
        cause: error,
        hint: 'move the state directory away to start with an empty cache',
      });
    }
    this.#db = db;
    this.#takeRoom();
    this.#timer = setInterval(() => {
      this.#checkpointIfLarge();
      this.#takeRoom();
    }, CHECK_INTERVAL_MS);
    this.#timer.unref();
  }

  /**
   * Brings the tables of one room to the newest form: step n takes version n to n+1, each in its transaction. Steps are only ever appended.
   * @throws CodedError failed_precondition when a newer Slipway wrote them.
   */
  migrate(room: string, steps: readonly Migration[]): void {
    const at = this.get<{ version: number }>('SELECT version FROM schema_version WHERE room = ?', room)?.version ?? 0;
    if (at > steps.length) {
      throw CodedError.of(
        'METADATA_NEWER',
        `${this.path}: tables of ${room} have version ${at}, this Slipway knows ${steps.length}`,
        { hint: 'run the newer version of Slipway that wrote this state, or use another state directory' },
      );
    }
    for (const [n, step] of steps.entries()) {
      if (n < at) continue;
      this.reserved(() => {
        if (typeof step === 'string') this.#db.exec(step);
        else step(this);
        this.run(
          'INSERT INTO schema_version VALUES (?, ?) ON CONFLICT (room) DO UPDATE SET version = excluded.version',
          room,
          n + 1,
        );
      });
    }
  }

  get isOpen(): boolean {
    return this.#db.isOpen;
  }

  /** First row. SQL texts are constants of the program: each is prepared once and kept. */
  get<T>(sql: string, ...parameters: readonly Parameter[]): T | undefined {
    return this.#statement(sql).get(...parameters) as T | undefined;
  }

  all<T>(sql: string, ...parameters: readonly Parameter[]): T[] {
    return this.#statement(sql).all(...parameters) as T[];
  }

  /** Runs a change; how many rows it touched. */
  run(sql: string, ...parameters: readonly Parameter[]): number {
    return this.#change(() => Number(this.#statement(sql).run(...parameters).changes));
  }

  /** Runs `fn` (synchronous) as one transaction; an inner one that throws takes back its own changes only. */
  transaction<T>(fn: () => T): T {
    return this.#depth > 0 ? this.#savepoint(fn) : this.#change(() => this.#transaction(fn));
  }

  /**
   * A transaction that may spend the room that is kept for a full disk: it frees more than it writes, or ends what was begun. `fn` may run twice; within
   * another transaction it is an inner one.
   */
  reserved<T>(fn: () => T): T {
    this.#reserved++;
    try {
      return this.transaction(fn);
    } finally {
      this.#reserved--;
    }
  }

  /** A change that is left out where the disk is full: it is only remembered to save work. */
  ifRoom(change: () => void): void {
    try {
      change();
    } catch (error) {
      if (!(error instanceof CodedError && error.reason === 'METADATA_FULL')) throw error;
    }
  }

  #transaction<T>(fn: () => T): T {
    this.#exec('BEGIN IMMEDIATE');
    this.#depth++;
    try {
      const value = fn();
      if (value instanceof Promise) throw new CodedError('internal', 'a transaction must not wait');
      this.#exec('COMMIT');
      return value;
    } catch (error) {
      // SQLite may have rolled back by itself already (disk full).
      if (this.#db.isTransaction) this.#exec('ROLLBACK');
      throw error;
    } finally {
      this.#depth--;
    }
  }

  #savepoint<T>(fn: () => T): T {
    const name = `s${this.#depth++}`;
    this.#exec(`SAVEPOINT ${name}`);
    try {
      const value = fn();
      if (value instanceof Promise) throw new CodedError('internal', 'a transaction must not wait');
      this.#exec(`RELEASE ${name}`);
      return value;
    } catch (error) {
      if (this.#db.isTransaction) {
        this.#exec(`ROLLBACK TO ${name}`);
        this.#exec(`RELEASE ${name}`);
      }
      throw error;
    } finally {
      this.#depth--;
    }
  }

  #exec(sql: string): void {
    this.#statement(sql).run();
  }

  #change<T>(change: () => T): T {
    if (this.#depth > 0) {
      // SQLite took back the whole transaction (disk full): whoever caught that inside must not go on as if it were there.
      if (!this.#db.isTransaction) throw full();
      return change();
    }
    const isReserved = this.#reserved > 0;
    if (this.#isStuck && !isReserved && isLow(this.path)) throw full();
    try {
      return this.#counted(change);
    } catch (error) {
      if (!isFull(error)) throw error;
      if (!isReserved || this.#options.reserve?.release() !== true) throw full(error);
    }
    try {
      return this.#counted(change);
    } catch (error) {
      throw isFull(error) ? full(error) : error;
    }
  }

  #counted<T>(change: () => T): T {
    const value = change();
    if (++this.#commits % CHECK_COMMITS === 0) this.#checkpointIfLarge();
    return value;
  }

  /** The log's room, unless the disk is so full that it would take that of the reserve: then changes do with that one until there is more. */
  #takeRoom(): void {
    const log = `${this.path}-wal`;
    const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
    if (size >= this.#logBytes || fileSystemUsage(dirname(log)).free < 2 * this.#logBytes) return;
    lengthen(log, size, this.#logBytes);
  }

  /** Moves the log into the database file, in a worker, so that it starts again. */
  async checkpoint(): Promise<void> {
    this.#checkpointing ??= this.#checkpoint().finally(() => {
      this.#checkpointing = undefined;
    });
    await this.#checkpointing;
  }

  async #checkpoint(): Promise<void> {
    const { pool } = this.#options;
    if (pool === undefined) return;
    for (let n = 0; n < MAX_CHECKPOINTS; n++) {
      const { full } = await pool.run(task('checkpoint'), { path: this.path }, { signal: neverAborted, owner: HOUSE });
      this.#isStuck = full;
      if (full || !this.#db.isOpen) return;
      const { log, checkpointed } = logFrames(this.#db, 'NOOP');
      if (log === checkpointed) return;
    }
    // Changes came during each of them: the rest of it here, lest the log grow for as long as they do.
    if (logFrames(this.#db, 'NOOP').log * PAGE_BYTES > 2 * this.#logBytes) logFrames(this.#db, 'PASSIVE');
  }

  /** Makes all changes so far durable, in a worker. */
  async sync({ signal }: AbortOptions): Promise<void> {
    await this.#options.pool?.run(task('syncLog'), { path: `${this.path}-wal` }, { signal, owner: HOUSE });
  }

  #checkpointIfLarge(): void {
    if (this.#options.pool === undefined) return;
    const { log, checkpointed } = logFrames(this.#db, 'NOOP');
    const isLarge = log > checkpointed && log * PAGE_BYTES >= this.#logBytes / 4;
    // Faster than checkpoints are: the other half is not for everybody.
    if (log > checkpointed && log * PAGE_BYTES >= this.#logBytes / 2 && isLow(this.path)) this.#isStuck = true;
    // A failed checkpoint costs nothing but log space: the next interval tries again.
    if (isLarge || this.#isStuck) this.checkpoint().catch(() => {});
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#checkpointing?.catch(() => {});
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A full disk in the words in which every other part of the builder tells of it. */
function full(cause?: unknown): CodedError {
  return CodedError.of('METADATA_FULL', 'no space left on device: the builder cannot write its database', {
    cause,
    hint: 'free space below the state directory of the builder, e.g. with buildctl prune',
  });
}

function isLow(path: string): boolean {
  const { free, inodes, freeInodes } = fileSystemUsage(dirname(path));
  return free < 4 * MiB || (inodes > 0 && freeInodes < 8);
}

/** Lengthens a log file by what no frame is, as far as there is room; SQLite writes over it. */
function lengthen(path: string, from: number, bytes: number): void {
  const fd = openSync(path, 'a', 0o644);
  try {
    const piece = Buffer.alloc(MiB, 0x55);
    for (let at = from; at < bytes; ) at += writeSync(fd, piece, 0, Math.min(MiB, bytes - at));
  } catch {
    // As far as it goes: the disk is full already.
  } finally {
    closeSync(fd);
  }
}
