import { type Digest, inTurn } from '../../base/index.ts';
import { type CacheLink, type CacheRecord, isVolatile, type KeyStore, recordDigest } from '../../solver/index.ts';
import type { Database, Migration, Parameter } from '../metadata/index.ts';
import { DroppedKeys } from './dropped.ts';

const MIGRATIONS: readonly Migration[] = [
  // Ids are numbered, so that a link costs two integers and not two digests.
  `
  CREATE TABLE cache_key (num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
  CREATE TABLE cache_link_kind (
    num INTEGER PRIMARY KEY, input INTEGER NOT NULL, output INTEGER NOT NULL, digest TEXT NOT NULL, selector TEXT NOT NULL,
    UNIQUE (digest, input, output, selector));
  CREATE TABLE cache_link (
    source INTEGER NOT NULL, kind INTEGER NOT NULL, target INTEGER NOT NULL, scope TEXT NOT NULL,
    PRIMARY KEY (source, kind, target, scope)) WITHOUT ROWID;
  CREATE INDEX cache_link_target ON cache_link (target);
  CREATE INDEX cache_link_kind_use ON cache_link (kind);
  CREATE TABLE cache_result (
    key INTEGER NOT NULL, result TEXT NOT NULL, scope TEXT NOT NULL, created REAL NOT NULL,
    PRIMARY KEY (key, result, scope)) WITHOUT ROWID;
  CREATE INDEX cache_result_id ON cache_result (result);
  `,
  // Until here links could lead from one content to what was made of another. Which do cannot be told any more, so none is kept.
  `
  DELETE FROM cache_result;
  DELETE FROM cache_link;
  DELETE FROM cache_link_kind;
  DELETE FROM cache_key;
  `,
  nameKindsByRecord,
  // Keys that may have nothing to be kept for, yet to be looked at.
  'CREATE TABLE cache_bare (key INTEGER PRIMARY KEY)',
  DroppedKeys.create,
];

/** A kind of link is named by the digest of the record that it leads to, as in what other builders write, and no more by op and output. */
function nameKindsByRecord(db: Database): void {
  db.run(`CREATE TABLE cache_link_kind_next (
    num INTEGER PRIMARY KEY, input INTEGER NOT NULL, record TEXT NOT NULL, selector TEXT NOT NULL, UNIQUE (record, input, selector))`);
  const kinds = db.all<{ num: number; input: number; output: number; digest: Digest; selector: string }>(
    'SELECT num, input, output, digest, selector FROM cache_link_kind',
  );
  for (const { num, input, output, digest, selector } of kinds) {
    const record = recordDigest(digest, output);
    db.run('INSERT INTO cache_link_kind_next VALUES (?, ?, ?, ?)', num, input, record, selector);
  }
  db.run('DROP TABLE cache_link_kind');
  db.run('ALTER TABLE cache_link_kind_next RENAME TO cache_link_kind');
}

/** Keys that lead to one key by one kind of link, in one scope. */
const MAX_LINKS = 1000;
/** Keys and links that one transaction takes away when results go: what else stood for them alone goes in later turns. */
const MOST_DROPPED = 100;

/** A query that is told apart by scopes: of one, as nearly all are, it costs half. */
function scoped(query: (isOneOf: string) => string): { readonly one: string; readonly many: string } {
  return { one: query('= ?'), many: query('IN (SELECT value FROM json_each(?))') };
}

const LINKS = scoped(
  (isOneOf) => `SELECT DISTINCT t.id FROM cache_key s
    JOIN cache_link_kind k ON k.record = ? AND k.input = ? AND k.selector = ?
    JOIN cache_link l ON l.source = s.num AND l.kind = k.num
    JOIN cache_key t ON t.num = l.target
  WHERE s.id = ? AND l.scope ${isOneOf}`,
);
const RESULTS = scoped(
  (
    isOneOf,
  ) => `SELECT r.result AS resultId, max(r.created) AS createdAt FROM cache_key k JOIN cache_result r ON r.key = k.num
  WHERE k.id = ? AND r.scope ${isOneOf} GROUP BY r.result ORDER BY createdAt DESC`,
);

interface LinkRow {
  readonly source: string;
  readonly input: number;
  readonly record: CacheLink['record'];
  readonly selector: string;
}

/** Is told of keys that have a result from now on, and how many have one no more. */
interface ResultWatcher {
  added(id: string, scope: string): void;
  dropped(count: number): void;
}

/** The key graph in the metadata database. */
export class SqliteKeyStore implements KeyStore {
  readonly #db: Database;
  readonly #dropped: DroppedKeys;
  #sweeping = false;
  #watcher: ResultWatcher | undefined;

  constructor(db: Database) {
    this.#db = db;
    db.migrate('keys', MIGRATIONS);
    this.#dropped = new DroppedKeys(db);
    if (db.get('SELECT 1 FROM cache_bare LIMIT 1') !== undefined) this.#sweepLater();
  }

  watch(watcher: ResultWatcher): void {
    this.#watcher = watcher;
  }

  links(id: string, link: CacheLink, scopes: readonly string[]): readonly string[] {
    const { record, input, selector } = link;
    return this.#scoped<{ id: string }>(LINKS, scopes, record, input, selector, id).map((row) => row.id);
  }

  together(changes: () => void): void {
    this.#db.transaction(changes);
  }

  addLink(id: string, link: CacheLink, target: string, scope: string): void {
    if (isVolatile(id) || isVolatile(target) || isVolatile(link.record)) return;
    this.#db.transaction(() => {
      this.#db.run(
        'INSERT OR IGNORE INTO cache_link_kind (input, record, selector) VALUES (?, ?, ?)',
        link.input,
        link.record,
        link.selector,
      );
      const kind = this.#db.get<{ num: number }>(
        'SELECT num FROM cache_link_kind WHERE record = ? AND input = ? AND selector = ?',
        link.record,
        link.input,
        link.selector,
      )!;
      const to = this.#enter(target);
      const added = this.#db.run(
        'INSERT OR IGNORE INTO cache_link VALUES (?, ?, ?, ?)',
        ...[this.#enter(id), kind.num, to, scope],
      );
      if (added > 0) this.#boundLinks(kind.num, to, scope);
    });
  }

  /** Where each commit leads to one and the same result, the oldest make way. */
  #boundLinks(kind: number, target: number, scope: string): void {
    const surplus = this.#db.all<{ source: number }>(
      'SELECT source FROM cache_link WHERE target = ? AND kind = ? AND scope = ? ORDER BY source DESC LIMIT -1 OFFSET ?',
      ...[target, kind, scope, MAX_LINKS],
    );
    for (const { source } of surplus) {
      this.#db.run(
        'DELETE FROM cache_link WHERE source = ? AND kind = ? AND target = ? AND scope = ?',
        ...[source, kind, target, scope],
      );
      this.#dropBare([source]);
    }
  }

  backlinks(id: string, scopes: readonly string[]): readonly { readonly from: string; readonly link: CacheLink }[] {
    return this.#db
      .all<LinkRow>(
        `SELECT DISTINCT s.id AS source, k.input, k.record, k.selector FROM cache_key t
           JOIN cache_link l ON l.target = t.num JOIN cache_link_kind k ON k.num = l.kind JOIN cache_key s ON s.num = l.source
         WHERE t.id = ? AND l.scope IN (SELECT value FROM json_each(?))`,
        id,
        JSON.stringify(scopes),
      )
      .map(({ source, ...link }) => ({ from: source, link }));
  }

  results(id: string, scopes: readonly string[]): readonly CacheRecord[] {
    return this.#scoped(RESULTS, scopes, id);
  }

  addResult(id: string, resultId: string, createdAt: number, scope: string): void {
    if (isVolatile(id)) return;
    this.#db.transaction(() => {
      this.#db.run(
        `INSERT INTO cache_result VALUES (?, ?, ?, ?)
         ON CONFLICT (key, result, scope) DO UPDATE SET created = max(created, excluded.created)`,
        this.#enter(id),
        resultId,
        scope,
        createdAt,
      );
    });
    this.#watcher?.added(id, scope);
  }

  dropResult(resultId: string): void {
    this.#db.reserved(() => {
      const records = this.#db.all<{ key: number; id: string; scope: string }>(
        'SELECT r.key, k.id, r.scope FROM cache_result r JOIN cache_key k ON k.num = r.key WHERE r.result = ?',
        resultId,
      );
      if (records.length === 0) return;
      this.#db.run('DELETE FROM cache_result WHERE result = ?', resultId);
      for (const { id, scope } of records) this.#dropped.add(id, scope);
      this.#dropBare([...new Set(records.map(({ key }) => key))]);
      this.#watcher?.dropped(records.length);
    });
  }

  absence(id: string, scopes: readonly string[]): 'dropped' | 'elsewhere' | undefined {
    const found = this.#db.get<{ own: number }>(
      `SELECT max(r.scope IN (SELECT value FROM json_each(?2))) AS own FROM cache_key k JOIN cache_result r ON r.key = k.num
       WHERE k.id = ?1 GROUP BY k.num`,
      id,
      JSON.stringify(scopes),
    );
    if (found?.own === 1) return undefined;
    if (scopes.some((scope) => this.#dropped.has(id, scope))) return 'dropped';
    return found === undefined ? undefined : 'elsewhere';
  }

  scopesOf(id: string, most: number): readonly string[] {
    const rows = this.#db.all<{ scope: string }>(
      'SELECT DISTINCT r.scope FROM cache_key k JOIN cache_result r ON r.key = k.num WHERE k.id = ? LIMIT ?',
      id,
      most,
    );
    return rows.map(({ scope }) => scope);
  }

  leadsTo(record: Digest, scopes: readonly string[]): boolean {
    const found = this.#db.get(
      `SELECT 1 FROM cache_link_kind k JOIN cache_link l ON l.kind = k.num
       WHERE k.record = ? AND l.scope IN (SELECT value FROM json_each(?)) LIMIT 1`,
      record,
      JSON.stringify(scopes),
    );
    return found !== undefined;
  }

  /** Removes those of these keys that have no result and lead nowhere, and what led to them alone: so many now, the others later. */
  #dropBare(bare: number[]): void {
    let left = MOST_DROPPED;
    for (let key = bare.pop(); key !== undefined; key = bare.pop()) {
      left--;
      const used = this.#db.get(
        `SELECT 1 FROM cache_result WHERE key = ?1 UNION ALL SELECT 1 FROM cache_link WHERE source = ?1 LIMIT 1`,
        key,
      );
      if (used === undefined) {
        const sources = this.#dropLinksTo(key, left + 1);
        left -= sources.length;
        bare.push(...sources);
        if (left >= 0) this.#db.run('DELETE FROM cache_key WHERE num = ?', key);
        else bare.push(key);
      }
      if (left <= 0 && bare.length > 0) {
        for (const each of bare) this.#db.run('INSERT OR IGNORE INTO cache_bare VALUES (?)', each);
        this.#sweepLater();
        return;
      }
    }
  }

  /** Removes so many links to a key at most. @returns the key that each came from */
  #dropLinksTo(key: number, most: number): readonly number[] {
    const links = this.#db.all<{ source: number; kind: number; scope: string }>(
      'SELECT source, kind, scope FROM cache_link WHERE target = ? LIMIT ?',
      ...[key, most],
    );
    for (const { source, kind, scope } of links)
      this.#db.run(
        'DELETE FROM cache_link WHERE source = ? AND kind = ? AND target = ? AND scope = ?',
        ...[source, kind, key, scope],
      );
    for (const kind of new Set(links.map((link) => link.kind)))
      this.#db.run(
        'DELETE FROM cache_link_kind WHERE num = ?1 AND NOT EXISTS (SELECT 1 FROM cache_link WHERE kind = ?1)',
        kind,
      );
    return links.map(({ source }) => source);
  }

  #sweepLater(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    inTurn(() => {
      this.#sweeping = false;
      if (!this.#db.isOpen) return;
      try {
        this.#db.reserved(() => this.#sweep());
      } catch {
        // Nothing is wrong while they are there: the next loss of a result, or start, tries again.
      }
    });
  }

  #sweep(): void {
    const bare = this.#db.all<{ key: number }>(
      'DELETE FROM cache_bare WHERE key IN (SELECT key FROM cache_bare LIMIT ?) RETURNING key',
      MOST_DROPPED,
    );
    this.#dropBare(bare.map(({ key }) => key));
    if (bare.length === MOST_DROPPED) this.#sweepLater();
  }

  has(id: string, scopes: readonly string[]): boolean {
    const found = this.#db.get(
      `WITH allowed AS (SELECT value FROM json_each(?2)), key AS (SELECT num FROM cache_key WHERE id = ?1)
       SELECT 1 FROM cache_link WHERE source IN key AND scope IN allowed
       UNION ALL SELECT 1 FROM cache_link WHERE target IN key AND scope IN allowed
       UNION ALL SELECT 1 FROM cache_result WHERE key IN key AND scope IN allowed LIMIT 1`,
      id,
      JSON.stringify(scopes),
    );
    return found !== undefined;
  }

  #scoped<T>({ one, many }: typeof LINKS, scopes: readonly string[], ...parameters: readonly Parameter[]): T[] {
    const [only, ...others] = scopes;
    if (only !== undefined && others.length === 0) return this.#db.all(one, ...parameters, only);
    return this.#db.all(many, ...parameters, JSON.stringify(scopes));
  }

  #enter(id: string): number {
    const known = this.#db.get<{ num: number }>('SELECT num FROM cache_key WHERE id = ?', id);
    if (known !== undefined) return known.num;
    return this.#db.get<{ num: number }>('INSERT INTO cache_key (id) VALUES (?) RETURNING num', id)!.num;
  }
}
