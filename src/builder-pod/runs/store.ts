import { type BuildTrust, type Clock, isDigest, systemClock } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import type { Leases } from '../../cache/leases/index.ts';
import type { Database } from '../../cache/metadata/index.ts';
import { formatRunId, type RunId } from './id.ts';

const v1 = wire.slipway.builder.v1;
export type RunResult = wire.slipway.builder.v1.ResultResponse.$Properties;
export type RunState = wire.slipway.builder.v1.SolveState;

/** What is kept of a solve that is over. */
export interface StoredRun {
  /** `UNKNOWN` for one whose result was acknowledged. */
  readonly state: RunState;
  /** Logical session whose credentials write the tags. */
  readonly session: string;
  /** For each output, whether its registries may be spoken to without verification. */
  readonly insecure: readonly boolean[];
  /** What they are written through. */
  readonly trust?: BuildTrust | undefined;
  /** Absent when only its end is remembered. */
  readonly result?: RunResult;
}

interface RunStoreOptions {
  readonly db: Database;
  /** Keep the manifests that tags are to be written for. */
  readonly leases: Pick<Leases, 'open' | 'release'>;
  readonly clock?: Clock;
  readonly maxResults?: number;
  readonly maxMarks?: number;
  readonly keepMs?: number;
}

const MAX_RESULTS = 1000;
/** Solves of which only is known that they must not start, and parts of runs whose newest attempt is known. */
const MAX_MARKS = 20_000;
const KEEP_MS = 7 * 24 * 3600 * 1000;

const MIGRATIONS = [
  `CREATE TABLE runs (
     uid TEXT NOT NULL, attempt INTEGER NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL,
     session TEXT NOT NULL, insecure TEXT NOT NULL, result BLOB,
     PRIMARY KEY (uid, attempt)
   );
   CREATE INDEX runs_at ON runs (at);
   CREATE TABLE run_attempts (uid TEXT PRIMARY KEY, attempt INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
   CREATE INDEX run_attempts_at ON run_attempts (at);`,
  // Solves are named by part as well.
  `CREATE TABLE run_results (
     uid TEXT NOT NULL, part TEXT NOT NULL, attempt INTEGER NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL,
     session TEXT NOT NULL, insecure TEXT NOT NULL, result BLOB,
     PRIMARY KEY (uid, part, attempt)
   );
   INSERT INTO run_results SELECT uid, '', attempt, state, at, session, insecure, result FROM runs;
   DROP TABLE runs;
   ALTER TABLE run_results RENAME TO runs;
   CREATE INDEX runs_at ON runs (at);
   CREATE TABLE run_parts (
     uid TEXT NOT NULL, part TEXT NOT NULL, attempt INTEGER NOT NULL, at INTEGER NOT NULL,
     PRIMARY KEY (uid, part)
   ) WITHOUT ROWID;
   INSERT INTO run_parts SELECT uid, '', attempt, at FROM run_attempts;
   DROP TABLE run_attempts;
   CREATE INDEX run_parts_at ON run_parts (at);`,
  // Tags are written with the same trust, whatever has become of the solve.
  'ALTER TABLE runs ADD COLUMN trust TEXT',
];

interface Row {
  readonly state: RunState;
  readonly session: string;
  readonly insecure: string;
  readonly trust: string | null;
  readonly result: Uint8Array | null;
}

/** Results until they are acknowledged, and which solves must not start any more; in the metadata database, bounded in number and time. */
export class RunStore {
  readonly #options: RunStoreOptions;
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(options: RunStoreOptions) {
    this.#options = options;
    this.#db = options.db;
    this.#clock = options.clock ?? systemClock;
    this.#db.migrate('runs', MIGRATIONS);
  }

  find({ uid, part, attempt }: RunId): StoredRun | undefined {
    const row = this.#db.get<Row>(
      'SELECT state, session, insecure, trust, result FROM runs WHERE uid = ? AND part = ? AND attempt = ?',
      ...[uid, part, attempt],
    );
    if (row === undefined) return undefined;
    return {
      state: row.state,
      session: row.session,
      insecure: row.insecure === '' ? [] : row.insecure.split(',').map((one) => one === '1'),
      ...(row.trust === null ? {} : { trust: JSON.parse(row.trust) as BuildTrust }),
      ...(row.result === null ? {} : { result: v1.ResultResponse.decode(row.result) }),
    };
  }

  /** The highest attempt at this part of the run that was ever told of; 0 for none. */
  newestAttempt({ uid, part }: RunId): number {
    const newest = 'SELECT attempt FROM run_parts WHERE uid = ? AND part = ?';
    return this.#db.get<{ attempt: number }>(newest, uid, part)?.attempt ?? 0;
  }

  noteAttempt({ uid, part, attempt }: RunId): void {
    // A cancel is noted on a full disk too.
    this.#db.reserved(() =>
      this.#db.run(
        `INSERT INTO run_parts VALUES (?, ?, ?, ?)
       ON CONFLICT (uid, part) DO UPDATE SET attempt = max(attempt, excluded.attempt), at = excluded.at`,
        ...[uid, part, attempt, this.#now()],
      ),
    );
  }

  save(id: RunId, run: StoredRun): void {
    this.#db.reserved(() => {
      this.#write(id, run);
      this.#hold(id, run);
      this.#prune();
    });
  }

  /** Forgets the result, if there is one, and remembers that the solve is over. */
  mark(id: RunId, state: RunState): void {
    this.#db.reserved(() => {
      this.#write(id, { state, session: '', insecure: [] });
      this.#options.leases.release(leaseOf(id));
      this.#prune();
    });
  }

  /** Keeps the manifests of tags that are yet to be written. */
  #hold(id: RunId, { result }: StoredRun): void {
    const { leases } = this.#options;
    const digests = result?.committed === true ? [] : (result?.outputs ?? []).map(({ digest }) => digest ?? '');
    if (digests.length === 0) {
      leases.release(leaseOf(id));
      return;
    }
    const lease = leases.open({ owner: 'run', persistent: true, id: leaseOf(id) });
    for (const digest of digests) if (isDigest(digest)) lease.addBlob(digest);
  }

  #write({ uid, part, attempt }: RunId, { state, session, insecure, trust, result }: StoredRun): void {
    this.#db.run(
      'INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      ...[uid, part, attempt, state, this.#now(), session, insecure.map((one) => (one ? '1' : '0')).join(',')],
      result === undefined ? null : v1.ResultResponse.encode(result).finish(),
      trust === undefined ? null : JSON.stringify(trust),
    );
  }

  #prune(): void {
    const { maxResults = MAX_RESULTS, maxMarks = MAX_MARKS, keepMs = KEEP_MS } = this.#options;
    const until = this.#now() - keepMs;
    const old = this.#db.all<RunId>(
      `SELECT uid, part, attempt FROM runs WHERE result IS NOT NULL AND (at < ? OR
         at < (SELECT at FROM runs WHERE result IS NOT NULL ORDER BY at DESC LIMIT 1 OFFSET ?))`,
      ...[until, maxResults - 1],
    );
    for (const id of old) {
      this.#options.leases.release(leaseOf(id));
      this.#db.run('DELETE FROM runs WHERE uid = ? AND part = ? AND attempt = ?', id.uid, id.part, id.attempt);
    }
    this.#db.run(
      `DELETE FROM runs WHERE result IS NULL AND (at < ? OR
         at < (SELECT at FROM runs WHERE result IS NULL ORDER BY at DESC LIMIT 1 OFFSET ?))`,
      ...[until, maxMarks - 1],
    );
    this.#db.run(
      'DELETE FROM run_parts WHERE at < ? OR at < (SELECT at FROM run_parts ORDER BY at DESC LIMIT 1 OFFSET ?)',
      ...[until, maxMarks - 1],
    );
  }

  #now(): number {
    return Math.floor(this.#clock.now());
  }
}

function leaseOf(id: RunId): string {
  return `run ${formatRunId(id)}`;
}
