import { type Digest, digestOf, RecentMap } from '../../base/index.ts';
import type { Database } from '../../cache/metadata/index.ts';
import { isVolatile, type KeyedOutput, type KeyedVertex, type Miss, MOST_KEYED_INPUTS } from '../../solver/index.ts';
import type { UnreadCache } from '../engine/index.ts';
import { type Hiding, hiddenName, type RecordedPart, recordedParts } from './key-parts.ts';

/** What a record tells of the keys of one step. */
export interface RecordedVertex extends Omit<KeyedVertex, 'maps'> {
  /** One a cache map; those without parts mean nothing to another build, or were too many. */
  readonly maps: readonly { readonly digest: Digest; readonly parts?: readonly RecordedPart[] }[];
}

/** The same as it is stored: `told` is the digest of the text of the parts. */
interface StoredVertex extends Omit<KeyedVertex, 'maps'> {
  readonly maps: readonly { readonly digest: Digest; readonly told?: Digest }[];
}

export const MIGRATIONS = [
  `CREATE TABLE recorded_keys (record INTEGER PRIMARY KEY, hidden INTEGER NOT NULL, bytes INTEGER NOT NULL);
   CREATE TABLE recorded_vertices (num INTEGER PRIMARY KEY, record INTEGER NOT NULL, vertices TEXT NOT NULL);
   CREATE INDEX recorded_vertices_record ON recorded_vertices (record);
   CREATE TABLE key_parts (
     num INTEGER PRIMARY KEY, digest TEXT NOT NULL, hidden INTEGER NOT NULL, parts TEXT NOT NULL, UNIQUE (digest, hidden));
   CREATE TABLE key_part_uses (record INTEGER NOT NULL, part INTEGER NOT NULL, PRIMARY KEY (record, part)) WITHOUT ROWID;
   CREATE INDEX key_part_uses_part ON key_part_uses (part);`,
  // What a key is made of is there once for all records that tell it alike, to the letter: keys of sources do not cover names, so that those
  // of one key may be told in other ways. What was shared by keys may have the names of others, and is forgotten.
  `DELETE FROM recorded_keys;
   DELETE FROM recorded_vertices;
   DELETE FROM key_part_uses;
   DROP TABLE key_parts;
   CREATE TABLE key_parts (num INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, parts TEXT NOT NULL);
   ALTER TABLE recorded_keys DROP COLUMN hidden;`,
  // Names were kept as digests, which a name that is told would seem to have taken the place of.
  `CREATE TEMP TABLE nameless AS SELECT DISTINCT record FROM key_part_uses WHERE part IN (SELECT num FROM key_parts WHERE parts LIKE '%"name":"sha256:%');
   DELETE FROM recorded_keys WHERE record IN (SELECT record FROM nameless);
   DELETE FROM recorded_vertices WHERE record IN (SELECT record FROM nameless);
   DELETE FROM key_part_uses WHERE record IN (SELECT record FROM nameless);
   DELETE FROM key_parts WHERE num NOT IN (SELECT part FROM key_part_uses);
   DROP TABLE nameless;`,
  'CREATE TABLE unread_caches (record INTEGER PRIMARY KEY, caches TEXT NOT NULL);',
];

/** Characters that the vertices of one record take, some ten thousand, and their parts. */
const MOST_VERTICES = 8 << 20;
const MOST_PARTS = 4 << 20;
/** Of a vertex. */
const MOST_NAME = 1000;
/** Of one input: what it selects is told whole or not at all. */
const MOST_SELECTION = 16 << 10;
/** The strings of a JSON list. */
const LISTED = 'SELECT value FROM json_each(?1)';
/** Vertices that are written, and rows that are removed, in one transaction. */
const PORTION = 16;

/** What is written at once. */
interface Portion {
  readonly vertices: readonly StoredVertex[];
  /** How to make the texts of parts, by their digests: mostly they are there already. */
  readonly parts: ReadonlyMap<Digest, () => string>;
}

/** What the text of a key's parts is called, and how long it is. */
interface Told {
  readonly digest: Digest;
  readonly length: number;
}

/** Keys of which it is remembered how their parts are told: making that text costs more than all else. */
const REMEMBERED = 10_000;

/**
 * Keys of recorded builds and what went into them, in the metadata database; bounded for each record and for all. It is written and removed in portions, each a
 * step of a generator: a build may have had any number of vertices.
 */
export class RecordedKeys {
  readonly #db: Database;
  readonly #most: number;
  readonly #told = new RecentMap<string, Told>(REMEMBERED);

  /** `most` characters of all records; the keys of the oldest go first. */
  constructor(db: Database, most: number) {
    this.#db = db;
    this.#most = most;
    db.migrate('recorded keys', MIGRATIONS);
  }

  /** Writes them for a record that is there; with `hiding` where values are not to be kept. On a full disk, or beyond the bounds, the rest is left out. */
  *write(record: number, vertices: readonly KeyedVertex[], hiding: Hiding | undefined): Generator<void, void, void> {
    let room = MOST_VERTICES;
    let roomForParts = MOST_PARTS;
    for (let at = 0; at < vertices.length && room > 0; at += PORTION) {
      const parts = new Map<Digest, () => string>();
      const stored: StoredVertex[] = [];
      for (const vertex of vertices.slice(at, at + PORTION)) {
        const maps = vertex.maps.map((map) => {
          const { digest } = map;
          if (isVolatile(digest) || roomForParts <= 0) return { digest };
          const make = () => JSON.stringify(recordedParts(map.parts?.() ?? [], hiding));
          const told = this.#tell(vertex, digest, hiding, make);
          // Whoever else has them: what one record tells does not hang on others.
          if (!parts.has(told.digest)) roomForParts -= told.length;
          parts.set(told.digest, make);
          return { digest, told: told.digest };
        });
        stored.push({ ...bounded(vertex, hiding), maps });
        yield;
      }
      const portion: Portion = { vertices: stored, parts };
      const text = JSON.stringify(stored);
      let isWritten = false;
      this.#db.ifRoom(() => {
        isWritten = this.#db.transaction(() => this.#insert(record, portion, text));
      });
      if (!isWritten) break;
      room -= text.length;
      yield;
    }
    yield* this.#prune();
  }

  /** @returns false when the record is gone */
  #insert(record: number, { parts }: Portion, text: string): boolean {
    if (this.#db.get('SELECT 1 FROM build_records WHERE id = ?', record) === undefined) return false;
    let bytes = text.length;
    const digests = JSON.stringify([...parts.keys()]);
    const known = this.#db.all<{ digest: Digest }>(`SELECT digest FROM key_parts WHERE digest IN (${LISTED})`, digests);
    const there = new Set(known.map(({ digest }) => digest));
    for (const [digest, make] of parts) {
      if (there.has(digest)) continue;
      const made = make();
      this.#db.run('INSERT INTO key_parts (digest, parts) VALUES (?, ?)', digest, made);
      bytes += made.length;
    }
    this.#db.run(
      `INSERT OR IGNORE INTO key_part_uses SELECT ?2, num FROM key_parts WHERE digest IN (${LISTED})`,
      ...[digests, record],
    );
    this.#db.run('INSERT INTO recorded_vertices (record, vertices) VALUES (?, ?)', record, text);
    this.#db.run(
      `INSERT INTO recorded_keys VALUES (?, ?) ON CONFLICT (record) DO UPDATE SET bytes = bytes + excluded.bytes`,
      ...[record, bytes],
    );
    return true;
  }

  /** What a key of a step with inputs is made of is told by the key itself; those of sources do not cover names. */
  #tell({ inputs }: KeyedVertex, key: Digest, hiding: Hiding | undefined, make: () => string): Told {
    const tell = () => {
      const text = make();
      return { digest: digestOf(text), length: text.length };
    };
    return inputs.length === 0
      ? tell()
      : this.#told.getOrMake(hiding === undefined ? key : `${hiding.id} ${key}`, tell);
  }

  /** Inputs before what stands on them. */
  *read(record: number): Generator<void, readonly RecordedVertex[], void> {
    const read: RecordedVertex[] = [];
    const rows = this.#db.all<{ num: number }>(
      'SELECT num FROM recorded_vertices WHERE record = ? ORDER BY num',
      record,
    );
    for (const { num } of rows) {
      const row = this.#db.get<{ vertices: string }>('SELECT vertices FROM recorded_vertices WHERE num = ?', num);
      for (const vertex of JSON.parse(row?.vertices ?? '[]') as StoredVertex[]) {
        read.push({
          ...vertex,
          outputs: vertex.outputs.map(withoutOthers),
          maps: vertex.maps.map(({ digest, told }) => ({ digest, ...this.#parts(told) })),
        });
      }
      yield;
    }
    return read;
  }

  /** The same of caches that the build was to read and could not. */
  writeUnread(record: number, unread: readonly UnreadCache[], hiding: Hiding | undefined): void {
    if (unread.length === 0) return;
    const caches = JSON.stringify(unread.map((one) => (isHidden(one, hiding) ? HIDDEN : one)));
    const insert = 'INSERT OR REPLACE INTO unread_caches SELECT id, ?2 FROM build_records WHERE id = ?1';
    this.#db.ifRoom(() => void this.#db.run(insert, record, caches));
  }

  unread(record: number): readonly UnreadCache[] {
    const row = this.#db.get<{ caches: string }>('SELECT caches FROM unread_caches WHERE record = ?', record);
    return row === undefined ? [] : (JSON.parse(row.caches) as readonly UnreadCache[]);
  }

  #parts(told: Digest | undefined): { readonly parts?: readonly RecordedPart[] } {
    if (told === undefined) return {};
    const row = this.#db.get<{ parts: string }>('SELECT parts FROM key_parts WHERE digest = ?', told);
    return row === undefined ? {} : { parts: JSON.parse(row.parts) };
  }

  /** Removes a record's keys, and parts that no other has. */
  *remove(record: number): Generator<void, void, void> {
    while (this.#db.reserved(() => this.#removeSome(record))) yield;
  }

  #removeSome(record: number): boolean {
    this.#db.run('DELETE FROM recorded_keys WHERE record = ?', record);
    this.#db.run('DELETE FROM unread_caches WHERE record = ?', record);
    const rows = 'SELECT num FROM recorded_vertices WHERE record = ? LIMIT ?';
    const vertices = this.#db.run(`DELETE FROM recorded_vertices WHERE num IN (${rows})`, record, PORTION);
    const parts = this.#db.all<{ part: number }>(
      'SELECT part FROM key_part_uses WHERE record = ? LIMIT ?',
      ...[record, PORTION],
    );
    for (const { part } of parts) {
      this.#db.run('DELETE FROM key_part_uses WHERE record = ? AND part = ?', record, part);
      this.#db.run(
        'DELETE FROM key_parts WHERE num = ?1 AND NOT EXISTS (SELECT 1 FROM key_part_uses WHERE part = ?1)',
        part,
      );
    }
    return vertices > 0 || parts.length > 0;
  }

  /** Removes what records that are no more have left. */
  *sweep(): Generator<void, void, void> {
    const gone = (table: string) =>
      `SELECT DISTINCT record FROM ${table} WHERE record NOT IN (SELECT id FROM build_records)`;
    const left = this.#db.all<{ record: number }>(
      `${gone('recorded_keys')} UNION ${gone('recorded_vertices')} UNION ${gone('key_part_uses')} UNION ${gone('unread_caches')}`,
    );
    for (const { record } of left) yield* this.remove(record);
  }

  *#prune(): Generator<void, void, void> {
    const { all } = this.#db.get<{ all: number }>('SELECT coalesce(sum(bytes), 0) AS "all" FROM recorded_keys')!;
    let over = all - this.#most;
    if (over <= 0) return;
    const rows = this.#db.all<{ record: number; bytes: number }>(
      'SELECT record, bytes FROM recorded_keys ORDER BY record',
    );
    for (const { record, bytes } of rows) {
      if (over <= 0) return;
      over -= bytes;
      yield* this.remove(record);
    }
  }
}

/** Of one whose name, or what went wrong with it, has the value of an argument in it. */
const HIDDEN: UnreadCache = { cache: '', why: '' };

function isHidden({ cache, why }: UnreadCache, hiding: Hiding | undefined): boolean {
  return hiding !== undefined && (hiding.has(cache) || hiding.has(why));
}

/** A vertex as a record would tell it. */
export function recordedVertex(vertex: KeyedVertex): RecordedVertex {
  const maps = vertex.maps.map(({ digest, parts }) =>
    isVolatile(digest) ? { digest } : { digest, parts: recordedParts(parts?.() ?? [], undefined) },
  );
  return { ...bounded(vertex, undefined), maps };
}

/** With no more of it than is short work. */
function bounded({ name, inputs, outputs, ...vertex }: KeyedVertex, hiding: Hiding | undefined): KeyedVertex {
  // Remote caches are named by their repositories; the builder's own has no name.
  const withCache = <T extends { readonly kind: string; readonly cache?: string }>(told: T): T =>
    told.cache && hiding?.has(told.cache) ? { ...told, cache: digestOf(told.cache) } : told;
  return {
    ...vertex,
    name: hiding !== undefined ? hiddenName(name) : name.slice(0, MOST_NAME),
    inputs: inputs.slice(0, MOST_KEYED_INPUTS).map(({ selection, ...input }) => ({
      ...input,
      ...(selection === undefined || selection.length > MOST_SELECTION ? {} : { selection }),
    })),
    outputs: outputs.map(({ outcome, miss, ground, record: _record, ...output }) => ({
      ...output,
      outcome: withCache(outcome),
      ...(miss === undefined
        ? {}
        : { miss: 'inputs' in miss ? { ...miss, inputs: miss.inputs.slice(0, MOST_KEYED_INPUTS) } : withCache(miss) }),
      ground: ground.slice(0, MOST_KEYED_INPUTS),
    })),
  };
}

/** Where others have a record is told within one tenant: that of direct clients, or a namespace, whose scopes begin with its name. */
export function withinTenant(vertex: KeyedVertex, scope: string): KeyedVertex {
  const tenantOf = (name: string) => name.split('/', 1)[0];
  const told = (miss: Miss): Miss => {
    if (miss.kind !== 'outOfScope') return miss;
    const isOwn = miss.scopes.some((other) => tenantOf(other) === tenantOf(scope));
    return isOwn ? { kind: 'outOfScope', scopes: [] } : { kind: 'new' };
  };
  const outputs = vertex.outputs.map((output) =>
    output.miss === undefined ? output : { ...output, miss: told(output.miss) },
  );
  return { ...vertex, outputs };
}

/** Records of an earlier version say that somebody has it where that is nobody's to know, and not where. */
function withoutOthers(output: KeyedOutput): KeyedOutput {
  const { miss } = output;
  const isTold = miss?.kind !== 'outOfScope' || (miss as { readonly scopes?: unknown }).scopes !== undefined;
  return isTold ? output : { ...output, miss: { kind: 'new' } };
}
