import { type Clock, type Digest, digestOf, systemClock } from '../../base/index.ts';
import { timestampOf, wire } from '../../builder-api/index.ts';
import type { Leases } from '../../cache/leases/index.ts';
import type { Database } from '../../cache/metadata/index.ts';
import { LOG_TYPE } from './log-frames.ts';

const { BuildHistoryRecord } = wire.moby.buildkit.v1;
export type BuildRecord = wire.moby.buildkit.v1.BuildHistoryRecord.$Properties;

export interface HistoryLimits {
  /** Records of a scope beyond this number go… */
  readonly maxEntries: number;
  /** …once they are so old. */
  readonly maxAgeMs: number;
  /** Bytes of the log of one build. */
  readonly maxLogSize: number;
}

export const DEFAULT_HISTORY: HistoryLimits = { maxEntries: 50, maxAgeMs: 48 * 3600 * 1000, maxLogSize: 256 << 20 };
/** Of all scopes, however young they are. */
const MOST_RECORDS = 1000;

const ERROR_TYPE = 'application/vnd.googleapis.google.rpc.status+proto';

const MIGRATIONS = [
  // A log is a file that is named by its record's id, which is never given twice.
  `CREATE TABLE build_records (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     scope TEXT NOT NULL, ref TEXT NOT NULL,
     created_at INTEGER NOT NULL, completed_at INTEGER,
     pinned INTEGER NOT NULL DEFAULT 0, generation INTEGER NOT NULL DEFAULT 0,
     record BLOB NOT NULL,
     log_digest TEXT, log_size INTEGER NOT NULL DEFAULT 0,
     error_digest TEXT, error BLOB,
     UNIQUE (scope, ref)
   );
   CREATE INDEX build_records_log ON build_records (log_digest);
   CREATE INDEX build_records_error ON build_records (error_digest);`,
  // JSON list of what is attested of the results: each is a file, named by the record's id and its place in the list.
  `ALTER TABLE build_records ADD COLUMN attested TEXT NOT NULL DEFAULT '[]';`,
];

/** What is attested of a part of a result. */
export interface RecordedAttestation {
  /** Platform id; empty for a result that is no map. */
  readonly part: string;
  /** Undefined until the predicate is made: its file holds what it is to be made of. */
  readonly digest?: string | undefined;
  /** Of the file. */
  readonly size: number;
  readonly predicateType: string;
}

const IN_TOTO_TYPE = 'application/vnd.in-toto+json';
const PREDICATE_TYPE = 'in-toto.io/predicate-type';

interface Row {
  readonly id: number;
  readonly scope: string;
  readonly ref: string;
  readonly created_at: number;
  readonly completed_at: number | null;
  readonly pinned: number;
  readonly generation: number;
  readonly record: Uint8Array;
  readonly log_digest: string | null;
  readonly log_size: number;
  readonly error_digest: string | null;
  readonly error_size: number | null;
  readonly attested: string;
}

/** All but the failures themselves, which may be long. */
const COLUMNS = `id, scope, ref, created_at, completed_at, pinned, generation, record, log_digest, log_size, error_digest,
  length(error) AS error_size, attested`;

export interface StoredRecord {
  readonly id: number;
  readonly scope: string;
  readonly ref: string;
  readonly isOver: boolean;
  readonly isPinned: boolean;
  /** What it has in files of its own, beside its log. */
  readonly attested: readonly RecordedAttestation[];
  /** As clients are told. */
  readonly record: BuildRecord;
}

export interface HistoryStoreOptions {
  readonly db: Database;
  /** Keep the documents of results while their record is there. */
  readonly leases: Pick<Leases, 'open' | 'release'>;
  readonly limits: HistoryLimits;
  /** Bytes of all logs, but for pinned ones. */
  readonly mostLogBytes: number;
  readonly clock?: Clock;
}

/** How a build ended. */
export interface RecordEnd {
  readonly fields: BuildRecord;
  /** The failure with all its details, encoded. */
  readonly error?: Uint8Array;
  /** Blobs of the content store that the record names. */
  readonly blobs?: readonly Digest[];
}

/** Records of builds in the metadata database, bounded in number, time and bytes. Those that go are told to the caller, whose their logs are. */
export class HistoryStore {
  readonly #options: HistoryStoreOptions;
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(options: HistoryStoreOptions) {
    this.#options = options;
    this.#db = options.db;
    this.#clock = options.clock ?? systemClock;
    this.#db.migrate('history', MIGRATIONS);
  }

  /** Its id; undefined where the disk is full: the build goes on without. */
  start(scope: string, ref: string, record: BuildRecord): number | undefined {
    let id: number | undefined;
    this.#db.ifRoom(() => {
      this.#db.run(
        'INSERT INTO build_records (scope, ref, created_at, record) VALUES (?, ?, ?, ?)',
        ...[scope, ref, this.#now(), BuildHistoryRecord.encode(record).finish()],
      );
      id = this.find(scope, ref)?.id;
    });
    return id;
  }

  complete(id: number, { fields, error, blobs = [] }: RecordEnd): void {
    this.#db.reserved(() => {
      const before = this.#row(id);
      if (before === undefined) return;
      const record = { ...BuildHistoryRecord.decode(before.record), ...fields };
      this.#db.run(
        'UPDATE build_records SET completed_at = ?, record = ?, error_digest = ?, error = ? WHERE id = ?',
        ...[this.#now(), BuildHistoryRecord.encode(record).finish()],
        ...[error === undefined ? null : digestOf(error), error ?? null, id],
      );
      if (blobs.length === 0) return;
      const lease = this.#options.leases.open({ owner: 'history', persistent: true, id: leaseOf(id) });
      for (const digest of blobs) lease.addBlob(digest);
    });
  }

  /** What the log of a record that is over consists of. */
  setLog(id: number, { digest, size }: { readonly digest: string; readonly size: number }): void {
    this.#db.reserved(() =>
      this.#db.run('UPDATE build_records SET log_digest = ?, log_size = ? WHERE id = ?', digest, size, id),
    );
  }

  setAttested(id: number, attested: readonly RecordedAttestation[]): void {
    this.#db.reserved(() =>
      this.#db.run('UPDATE build_records SET attested = ? WHERE id = ?', JSON.stringify(attested), id),
    );
  }

  /** @returns false when there is no such record */
  pin(id: number, pinned: boolean): boolean {
    const change = 'UPDATE build_records SET pinned = ?, generation = generation + 1 WHERE id = ?';
    return this.#db.run(change, pinned ? 1 : 0, id) > 0;
  }

  get pinned(): number {
    return this.#db.get<{ n: number }>('SELECT count(*) AS n FROM build_records WHERE pinned = 1')!.n;
  }

  remove(id: number): void {
    this.#db.reserved(() => {
      this.#options.leases.release(leaseOf(id));
      this.#db.run('DELETE FROM build_records WHERE id = ?', id);
    });
  }

  find(scope: string, ref: string): StoredRecord | undefined {
    const row = this.#db.get<Row>(`SELECT ${COLUMNS} FROM build_records WHERE scope = ? AND ref = ?`, scope, ref);
    return row === undefined ? undefined : storedRecord(row);
  }

  /** Of a solve of an operator, whose scope is a namespace: those of the builder itself begin with a dot. */
  findRun(ref: string): StoredRecord | undefined {
    const row = this.#db.get<Row>(`SELECT ${COLUMNS} FROM build_records WHERE ref = ? AND scope NOT LIKE '.%'`, ref);
    return row === undefined ? undefined : storedRecord(row);
  }

  byId(id: number): StoredRecord | undefined {
    const row = this.#row(id);
    return row === undefined ? undefined : storedRecord(row);
  }

  /** Oldest first. */
  list(scope: string): readonly StoredRecord[] {
    return this.#db
      .all<Row>(`SELECT ${COLUMNS} FROM build_records WHERE scope = ? ORDER BY id`, scope)
      .map(storedRecord);
  }

  /** Of builds that have not ended, or whose log is not known. */
  unfinished(): readonly StoredRecord[] {
    return this.#db
      .all<Row>(`SELECT ${COLUMNS} FROM build_records WHERE completed_at IS NULL OR log_digest IS NULL`)
      .map(storedRecord);
  }

  has(id: number): boolean {
    return this.#db.get('SELECT 1 FROM build_records WHERE id = ?', id) !== undefined;
  }

  /** A blob that a record of this scope stands for: a file by its name, or a failure itself. */
  blob(scope: string, digest: string): { readonly file: string; readonly size: number } | Uint8Array | undefined {
    const log = this.#db.get<{ id: number; log_size: number }>(
      'SELECT id, log_size FROM build_records WHERE log_digest = ? AND scope = ?',
      ...[digest, scope],
    );
    if (log !== undefined) return { file: String(log.id), size: log.log_size };
    const attested = this.#db.get<{ id: number; place: number; size: number }>(
      `SELECT build_records.id AS id, each.key AS place, each.value ->> 'size' AS size FROM build_records, json_each(attested) AS each
       WHERE scope = ? AND each.value ->> 'digest' = ?`,
      ...[scope, digest],
    );
    if (attested !== undefined) return { file: fileOf(attested.id, attested.place), size: attested.size };
    const failed = 'SELECT error FROM build_records WHERE error_digest = ? AND scope = ?';
    return this.#db.get<{ error: Uint8Array | null }>(failed, digest, scope)?.error ?? undefined;
  }

  /** Whether a result of this scope's builds consists of the blob, which lies in the content store. */
  names(scope: string, digest: Digest): boolean {
    const sql = `SELECT 1 FROM lease_resources WHERE kind = 'blob' AND resource = ? AND lease IN (
      SELECT 'history ' || id FROM build_records WHERE scope = ?)`;
    return this.#db.get(sql, digest, scope) !== undefined;
  }

  /** All blobs of this scope's records. */
  digests(scope: string): readonly Digest[] {
    const sql = `SELECT log_digest AS digest FROM build_records WHERE scope = ?1 AND log_digest IS NOT NULL
      UNION SELECT each.value ->> 'digest' FROM build_records, json_each(attested) AS each
        WHERE scope = ?1 AND each.value ->> 'digest' IS NOT NULL
      UNION SELECT error_digest FROM build_records WHERE scope = ?1 AND error_digest IS NOT NULL
      UNION SELECT resource FROM lease_resources WHERE kind = 'blob' AND lease IN (
        SELECT 'history ' || id FROM build_records WHERE scope = ?1)`;
    return this.#db.all<{ digest: Digest }>(sql, scope).map((row) => row.digest);
  }

  /** Removes what is beyond the limits, logs that are being written having so many bytes; what went. */
  prune(written = 0): readonly StoredRecord[] {
    const { limits, mostLogBytes } = this.#options;
    const { maxEntries, maxAgeMs } = limits;
    const until = this.#now() - maxAgeMs;
    const rows = this.#db.all<Pick<Row, 'id' | 'scope' | 'completed_at' | 'pinned' | 'log_size' | 'attested'>>(
      'SELECT id, scope, completed_at, pinned, log_size, attested FROM build_records ORDER BY id DESC',
    );
    const gone: StoredRecord[] = [];
    const counts = new Map<string, number>();
    let all = 0;
    let bytes = written;
    for (const { id, scope, completed_at: completedAt, pinned, log_size: size, attested } of rows) {
      const count = (counts.get(scope) ?? 0) + 1;
      counts.set(scope, count);
      all += 1;
      if (completedAt === null || pinned === 1) continue;
      bytes += attestedIn(attested).reduce((sum, one) => sum + one.size, size);
      const isOver = count > maxEntries && completedAt <= until;
      if (!isOver && all <= MOST_RECORDS && bytes <= mostLogBytes) continue;
      const record = this.byId(id);
      if (record !== undefined) gone.push(record);
    }
    for (const { id } of gone) this.remove(id);
    return gone;
  }

  #row(id: number): Row | undefined {
    return this.#db.get<Row>(`SELECT ${COLUMNS} FROM build_records WHERE id = ?`, id);
  }

  #now(): number {
    return Math.floor(this.#clock.now());
  }
}

function storedRecord(row: Row): StoredRecord {
  const { id, scope, ref, log_digest: log, error_digest: error } = row;
  const isPinned = row.pinned === 1;
  const attested = attestedIn(row.attested);
  const decoded = BuildHistoryRecord.decode(row.record);
  const record: BuildRecord = {
    ...decoded,
    ...withAttested(decoded, attested),
    ref,
    createdAt: timestampOf(row.created_at),
    generation: row.generation,
    pinned: isPinned,
    ...(row.completed_at === null ? {} : { completedAt: timestampOf(row.completed_at) }),
    ...(log === null ? {} : { logs: { mediaType: LOG_TYPE, digest: log, size: row.log_size } }),
    ...(error === null ? {} : { externalError: { mediaType: ERROR_TYPE, digest: error, size: row.error_size ?? 0 } }),
  };
  return { id, scope, ref, isOver: row.completed_at !== null, isPinned, attested, record };
}

function attestedIn(json: string): readonly RecordedAttestation[] {
  return json === '[]' ? [] : JSON.parse(json);
}

/** The results with what is attested of them: of the only part with the result itself, of several by their names. */
function withAttested(
  record: BuildRecord,
  all: readonly RecordedAttestation[],
): Pick<BuildRecord, 'result' | 'results'> {
  const made = all.flatMap(({ digest, ...one }) => (digest === undefined ? [] : [{ ...one, digest }]));
  const of = (part: string) =>
    made
      .filter((one) => one.part === part)
      .map(({ digest, size, predicateType }) => ({
        ...{ mediaType: IN_TOTO_TYPE, digest, size },
        annotations: { [PREDICATE_TYPE]: predicateType },
      }));
  const only = of('');
  const parts = [...new Set(made.map(({ part }) => part).filter((part) => part !== ''))];
  return {
    ...(only.length === 0 ? {} : { result: { ...record.result, attestations: only } }),
    ...(parts.length === 0
      ? {}
      : { results: Object.fromEntries(parts.map((part) => [part, { attestations: of(part) }])) }),
  };
}

/** The name of the file that has what is attested in this place. */
export function fileOf(id: number, place: number): string {
  return `${id}.${place}`;
}

function leaseOf(id: number): string {
  return `history ${id}`;
}
