import { randomBytes } from 'node:crypto';
import { HOUSE, KeyFilter, keyMark, MARK_BYTES, neverAborted, RecentMap, scopeMark } from '../../base/index.ts';
import { siblingModule, tasksOf, type WorkerPool } from '../../sys/index.ts';
import type { SqliteKeyStore } from './store.ts';

const task = tasksOf<typeof import('./held-keys-task.ts')>(siblingModule(import.meta.url, './held-keys-task'));

/** Marks that are told one by one to who has all before them. */
const MOST_ADDED = 2048;
/** What comes beyond these while all keys are read is told of with the next reading. */
const MOST_MEANWHILE = 65_536;
const AGAIN_MS = 60_000;
const SCOPES = 1000;

interface HeldKeysOptions {
  readonly keys: SqliteKeyStore;
  /** Of the database that the keys are in. */
  readonly path: string;
  readonly pool: WorkerPool;
  /** The least time between two readings of all keys. */
  readonly againMs?: number;
}

/** What changed since a version: all, some marks, or nothing. */
interface HeldKeysNews {
  readonly version: string;
  readonly filter?: Uint8Array;
  readonly added?: Uint8Array;
}

/**
 * A summary of the keys that have a result here, for who places builds: a {@link KeyFilter}, and what came since. It is read from the database in a worker when it is first asked for, and again when many
 * have gone or it has become too small; what comes meanwhile is entered as it comes, for microseconds each.
 */
export class HeldKeys {
  readonly #options: HeldKeysOptions;
  readonly #scopes = new RecentMap<string, Uint8Array>(SCOPES);
  #filter: KeyFilter | undefined;
  /** For how many marks it was made, and what it has been told of since. */
  #madeFor = 0;
  #dropped = 0;
  #life = '';
  /** Since the filter was read; those that it began with are not among them. */
  #added: Uint8Array[] = [];
  /** How many of them went out of sight. */
  #forgotten = 0;
  #reading: Promise<void> | undefined;
  /** What came while it is read. */
  #meanwhile: Uint8Array[] | undefined;
  #readAt = -Infinity;

  constructor(options: HeldKeysOptions) {
    this.#options = options;
    options.keys.watch({
      added: (id, scope) => this.#add(id, scope),
      dropped: (count) => {
        this.#dropped += count;
      },
    });
  }

  /** What somebody does not know who has `version`; the version is empty until all keys have been read. */
  since(version: string): HeldKeysNews {
    this.#readIfNeeded();
    if (this.#filter === undefined) return { version: '' };
    const count = this.#forgotten + this.#added.length;
    const now = `${this.#life}.${count}`;
    if (version === now) return { version };
    const [life, known] = version.split('.');
    const from = Number(known) - this.#forgotten;
    if (life === this.#life && from >= 0 && from < this.#added.length)
      return { version: now, added: Buffer.concat(this.#added.slice(from)) };
    return { version: now, filter: this.#filter.bytes };
  }

  /** Settles once no reading is under way. */
  async settled(): Promise<void> {
    await this.#reading;
  }

  #add(id: string, scope: string): void {
    if (this.#filter === undefined && this.#meanwhile === undefined) return;
    const mark = keyMark(
      id,
      this.#scopes.getOrMake(scope, () => scopeMark(scope)),
    );
    if (mark === undefined) return;
    if (this.#meanwhile !== undefined && this.#meanwhile.length < MOST_MEANWHILE) this.#meanwhile.push(mark);
    this.#enter(mark);
  }

  #enter(mark: Uint8Array): void {
    if (this.#filter?.add(mark) !== true) return;
    this.#added.push(mark);
    if (this.#added.length < 2 * MOST_ADDED) return;
    this.#added = this.#added.slice(MOST_ADDED);
    this.#forgotten += MOST_ADDED;
  }

  #readIfNeeded(): void {
    if (this.#reading !== undefined) return;
    const count = this.#madeFor + this.#forgotten + this.#added.length;
    const isOld = this.#dropped > Math.max(64, count / 8) || count > 2 * Math.max(64, this.#madeFor);
    const { againMs = AGAIN_MS } = this.#options;
    if (this.#filter !== undefined && !isOld) return;
    if (performance.now() - this.#readAt < againMs) return;
    this.#readAt = performance.now();
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined;
      this.#meanwhile = undefined;
    });
  }

  async #read(): Promise<void> {
    const { pool, path } = this.#options;
    const droppedBefore = this.#dropped;
    this.#meanwhile = [];
    try {
      const { bytes, count } = await pool.run(task('readHeldKeys'), { path }, { signal: neverAborted, owner: HOUSE });
      this.#filter = KeyFilter.read(bytes);
      this.#madeFor = count;
      this.#dropped -= droppedBefore;
      this.#life = randomBytes(6).toString('hex');
      this.#added = [];
      this.#forgotten = 0;
      for (const mark of this.#meanwhile ?? []) this.#enter(mark);
    } catch {
      // It is only a hint: the next question tries again.
    }
  }
}

/** Bytes of what a run tells that it needed. */
const SKETCH_BYTES = 32 * MARK_BYTES;

/** A sketch of keys: the least of them, as marks in the scope. Equal sets make equal sketches, and of similar sets most is the same. */
export class KeySketch {
  readonly #keys: string[] = [];

  /** Keys whose ids are no digests are left out. */
  add(key: string): void {
    if (!key.startsWith('sha256:')) return;
    const keys = this.#keys;
    const most = SKETCH_BYTES / MARK_BYTES;
    if (keys.length === most && key >= (keys[most - 1] as string)) return;
    let at = keys.length;
    while (at > 0 && (keys[at - 1] as string) >= key) at--;
    if (keys[at] === key) return;
    keys.splice(at, 0, key);
    if (keys.length > most) keys.pop();
  }

  /** `scopeOf` a key: the scope that it was found in. */
  bytes(scopeOf: (key: string) => string): Uint8Array {
    const marks = this.#keys.map((key) => keyMark(key, scopeMark(scopeOf(key))) ?? new Uint8Array());
    return new Uint8Array(Buffer.concat(marks));
  }
}
