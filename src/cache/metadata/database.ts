import { existsSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { CodedError, neverAborted } from '../../base/index.ts';
import { siblingModule, type WorkerPool } from '../../sys/index.ts';

export type Parameter = string | number | bigint | null | Uint8Array;

export interface DatabaseOptions {
  /** Where checkpoints run; without one SQLite checkpoints inline when the connection closes. */
  readonly pool?: WorkerPool;
  /** WAL size in bytes that starts a checkpoint; 4 MiB by default. */
  readonly checkpointBytes?: number;
}

const TASKS = siblingModule(import.meta.url, './checkpoint-task');
const CHECKPOINT = { module: TASKS, fn: 'checkpoint' };
const FILL_RESERVE = { module: TASKS, fn: 'fillReserve' };
/** Room kept for the database: on a full disk nothing could be removed otherwise, since that is written down too. */
const RESERVE_BYTES = 4 << 20;
const SQLITE_FULL = 13;
const CHECK_INTERVAL_MS = 5_000;

/**
 * The one SQLite database of a state directory (design 3, Storage). Calls are synchronous, on the serving thread: microseconds each, since a WAL commit
 * at synchronous=NORMAL writes to the page cache only; what waits for the disk (checkpoints) runs in a worker. A killed process loses no commit; a power
 * loss may take the last ones, in order, never one without those before it. On a full disk the reserve file beside it makes room for what frees more.
 */
export class Database implements AsyncDisposable {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #options: DatabaseOptions;
  readonly #timer: NodeJS.Timeout;
  #depth = 0;
  #checkpointing: Promise<void> | undefined;
  #reserving: Promise<void> | undefined;

  /** @throws CodedError data_loss when the file is no database of ours. */
  constructor(path: string, options: DatabaseOptions = {}) {
    this.path = path;
    this.#options = options;
    try {
      this.#db = new DatabaseSync(path, { timeout: 5_000, enableForeignKeyConstraints: true });
      this.#db.exec(`
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        PRAGMA wal_autocheckpoint = 0;
        PRAGMA temp_store = MEMORY;
        PRAGMA cache_size = -16384;
        CREATE TABLE IF NOT EXISTS schema_version (room TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
      `);
    } catch (error) {
      throw new CodedError('data_loss', `${path}: cannot be opened as a database: ${(error as Error).message}`, {
        cause: error,
        reason: 'METADATA_OPEN',
        hint: 'move the state directory away to start with an empty cache',
      });
    }
    this.#timer = setInterval(() => {
      this.#checkpointIfLarge();
      this.#reserve();
    }, CHECK_INTERVAL_MS);
    this.#timer.unref();
    this.#reserve();
  }

  /**
   * Brings the tables of one room to the newest form: step n takes version n to n+1, each in its transaction. Steps are only ever appended.
   * @throws CodedError failed_precondition when a newer Slipway wrote them.
   */
  migrate(room: string, steps: readonly string[]): void {
    const at = this.get<{ version: number }>('SELECT version FROM schema_version WHERE room = ?', room)?.version ?? 0;
    if (at > steps.length) {
      throw new CodedError(
        'failed_precondition',
        `${this.path}: tables of ${room} have version ${at}, this Slipway knows ${steps.length}`,
        {
          reason: 'METADATA_NEWER',
          hint: 'run the newer version of Slipway that wrote this state, or use another state directory',
        },
      );
    }
    for (const [n, sql] of steps.entries()) {
      if (n < at) continue;
      this.transaction(() => {
        this.#db.exec(sql);
        this.run(
          'INSERT INTO schema_version VALUES (?, ?) ON CONFLICT (room) DO UPDATE SET version = excluded.version',
          room,
          n + 1,
        );
      });
    }
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
    const change = () => Number(this.#statement(sql).run(...parameters).changes);
    return this.#depth > 0 ? change() : this.#makingRoom(change);
  }

  /** Runs `fn` (synchronous) as one transaction; an inner call joins the outer one. */
  transaction<T>(fn: () => T): T {
    return this.#depth > 0 ? fn() : this.#makingRoom(() => this.#transaction(fn));
  }

  #transaction<T>(fn: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    this.#depth++;
    try {
      const value = fn();
      if (value instanceof Promise) throw new CodedError('internal', 'a transaction must not wait');
      this.#db.exec('COMMIT');
      return value;
    } catch (error) {
      // SQLite may have rolled back by itself already (disk full).
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** A change that found the disk full is made again in the room of the reserve. */
  #makingRoom<T>(change: () => T): T {
    try {
      return change();
    } catch (error) {
      if (!isFull(error)) throw error;
      if (!existsSync(this.#reserveFile)) throw full(error);
    }
    rmSync(this.#reserveFile, { force: true });
    try {
      return change();
    } catch (error) {
      throw isFull(error) ? full(error) : error;
    }
  }

  get #reserveFile(): string {
    return `${this.path}-reserve`;
  }

  #reserve(): void {
    const { pool } = this.#options;
    if (pool === undefined || this.#reserving !== undefined || existsSync(this.#reserveFile)) return;
    const args = { path: this.#reserveFile, bytes: RESERVE_BYTES };
    // Without it a full disk is only harder to clear: the next interval tries again.
    this.#reserving = pool
      .run<void>(FILL_RESERVE, args, { signal: neverAborted })
      .catch(() => {})
      .finally(() => {
        this.#reserving = undefined;
      });
  }

  /** Moves the log into the database file, in a worker. */
  async checkpoint(): Promise<void> {
    const { pool } = this.#options;
    if (pool === undefined) return;
    this.#checkpointing ??= pool.run<void>(CHECKPOINT, { path: this.path }, { signal: neverAborted }).finally(() => {
      this.#checkpointing = undefined;
    });
    await this.#checkpointing;
  }

  #checkpointIfLarge(): void {
    const size = statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    // A failed checkpoint costs nothing but log space: the next interval tries again.
    if (size >= (this.#options.checkpointBytes ?? 4 << 20)) this.checkpoint().catch(() => {});
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
    await this.#reserving;
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_FULL;
}

/** A full disk in the words in which every other part of the builder tells of it. */
function full(cause: unknown): CodedError {
  return new CodedError('resource_exhausted', 'no space left on device: the builder cannot write its database', {
    cause,
    fault: 'infrastructure',
    reason: 'METADATA_FULL',
    hint: 'free space below the state directory of the builder, e.g. with buildctl prune',
  });
}
