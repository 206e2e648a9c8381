import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { recordDigest, rootKey } from '../../solver/index.ts';
import { MemoryKeyStore } from '../../solver/testing/memory-key-store.ts';
import { Database } from '../metadata/index.ts';
import { fill, keyReaderSuite } from '../testing/key-reader-suite.ts';
import { keyStoreSuite } from '../testing/key-store-suite.ts';
import { manifestKeys } from '../testing/manifest-keys.ts';
import { SqliteKeyStore } from './store.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'slipway-keys-'));
const databases: Database[] = [];
let next = 0;
const openDatabase = (file = `${next++}.db`) => {
  const database = new Database(path.join(folder, file));
  databases.push(database);
  return database;
};
afterAll(async () => {
  for (const database of databases) await database.close();
  rmSync(folder, { recursive: true });
});

const stores = { memory: () => new MemoryKeyStore(), sqlite: () => new SqliteKeyStore(openDatabase()) };
for (const [name, open] of Object.entries(stores)) {
  keyStoreSuite(name, open);
  keyReaderSuite(name, (records, hasResult) => fill(open(), records, hasResult));
}
keyReaderSuite('a manifest', manifestKeys);

/** The tables as they were at a version, with a link by op digest and output, and what it leads to. */
async function earlier(file: string, version: number): Promise<void> {
  const db = openDatabase(file);
  db.migrate('keys', [
    `CREATE TABLE cache_key (num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
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
     INSERT INTO cache_key VALUES (1, '${rootKey(digestOf('content'), -1)}'), (2, 'made');
     INSERT INTO cache_link_kind VALUES (7, 1, 3, '${digestOf('copy')}', 'selector');
     INSERT INTO cache_link VALUES (1, 7, 2, 'main');
     INSERT INTO cache_result VALUES (2, 'result', 'main', 5);`,
  ]);
  db.run('UPDATE schema_version SET version = ?', version);
  await db.close();
}

const copied = { input: 1, record: recordDigest(digestOf('copy'), 3), selector: 'selector' };

test('what was linked by op and output is found by the record that it leads to', async () => {
  await earlier('by-op.db', 2);
  const store = new SqliteKeyStore(openDatabase('by-op.db'));
  expect(store.links(rootKey(digestOf('content'), -1), copied, ['main'])).toEqual(['made']);
  expect(store.results('made', ['main'])).toEqual([{ resultId: 'result', createdAt: 5 }]);
  expect(store.backlinks('made', ['main'])).toEqual([{ from: rootKey(digestOf('content'), -1), link: copied }]);
  store.addLink('other', copied, 'made', 'main'); // the same kind, not another of its name
  expect(store.links('other', copied, ['main'])).toEqual(['made']);
});

test('what the first versions wrote is forgotten, once', async () => {
  await earlier('first.db', 1);
  const later = openDatabase('first.db');
  const store = new SqliteKeyStore(later);
  for (const table of ['cache_key', 'cache_link', 'cache_link_kind', 'cache_result'])
    expect(later.all(`SELECT * FROM ${table}`)).toEqual([]);
  store.addLink('content', copied, 'made', 'main');
  store.addResult('made', 'result', 1, 'main');
  await later.close();
  const next = new SqliteKeyStore(openDatabase('first.db'));
  expect(next.links('content', copied, ['main'])).toEqual(['made']);
  expect(next.results('made', ['main'])).toHaveLength(1);
});

test('keys outlive the process that wrote them', async () => {
  const link = { input: 0, record: recordDigest(digestOf('x'), 0), selector: '' };
  const first = openDatabase('kept.db');
  new SqliteKeyStore(first).addLink('a', link, 'b', 'main');
  await first.close();
  expect(new SqliteKeyStore(openDatabase('kept.db')).links('a', link, ['main'])).toEqual(['b']);
});

test('a result that ever new keys lead to keeps the newest of them', () => {
  const db = openDatabase();
  const store = new SqliteKeyStore(db);
  const link = { input: 0, record: recordDigest(digestOf('copy'), 0), selector: '' };
  store.addResult('made', 'result', 1, 'main');
  db.transaction(() => {
    for (let n = 0; n < 1200; n++) {
      store.addLink('root', { ...link, record: recordDigest(digestOf('fetch'), 0) }, `commit ${n}`, 'main');
      store.addLink(`commit ${n}`, link, 'made', 'main');
    }
  });
  expect(store.links('commit 1199', link, ['main'])).toEqual(['made']);
  expect(store.links('commit 1', link, ['main'])).toEqual([]);
  expect(db.get('SELECT count(*) AS n FROM cache_link')).toEqual({ n: 2000 });
  expect(db.get('SELECT count(*) AS n FROM cache_key')).toEqual({ n: 1002 });
});

const KEY_TABLES = ['cache_key', 'cache_link', 'cache_link_kind', 'cache_bare'];
const rowsOf = (db: Database) =>
  KEY_TABLES.reduce((sum, table) => sum + db.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)!.n, 0);
const link = (input: number) => ({ input, record: recordDigest(digestOf('step'), 0), selector: '' });

/** Of many inputs, with many ways to each. */
function enterWide(store: SqliteKeyStore, db: Database): void {
  db.transaction(() => {
    for (let n = 0; n < 1500; n++) {
      store.addLink(`root ${n}`, link(0), `input ${n}`, 'main');
      store.addLink(`input ${n}`, link(n), 'made', 'main');
    }
  });
  store.addResult('made', 'result', 1, 'main');
}

test('what stood for a result alone goes with it, a little at a time: others have their turns in between', async () => {
  const db = openDatabase();
  const store = new SqliteKeyStore(db);
  enterWide(store, db);
  await new Promise(setImmediate); // the turn before went by another clock
  let now = performance.now();
  using _ = vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 10;
    return now;
  });
  let before = rowsOf(db);
  const largest = () => {
    const after = rowsOf(db);
    const gone = before - after;
    before = after;
    return gone;
  };
  store.dropResult('result');
  let most = largest();
  expect(store.results('made', ['main'])).toEqual([]);
  let turns = 0;
  for (; before > 0; turns++) {
    await new Promise(setImmediate);
    most = Math.max(most, largest());
  }
  expect(turns).toBeGreaterThan(10);
  expect(most).toBeLessThan(500);
});

test('what is still to go when the builder ends goes after its next start, but for what is used again', async () => {
  const first = openDatabase('bare.db');
  const store = new SqliteKeyStore(first);
  enterWide(store, first);
  store.dropResult('result');
  store.addResult('root 7', 'other', 1, 'main');
  expect(rowsOf(first)).toBeGreaterThan(1000);
  await first.close();
  const db = openDatabase('bare.db');
  const again = new SqliteKeyStore(db);
  while (rowsOf(db) > 1) await new Promise(setImmediate);
  expect(again.results('root 7', ['main'])).toHaveLength(1);
});

test('keys of an earlier version that have lost their record have lost it, the others have not', async () => {
  await earlier('lost.db', 2);
  const before = openDatabase('lost.db');
  before.run("INSERT INTO cache_key VALUES (3, 'lost')");
  before.run("INSERT INTO cache_link VALUES (1, 7, 3, 'main')");
  await before.close();
  const store = new SqliteKeyStore(openDatabase('lost.db'));
  expect(['lost', 'made', 'other'].map((id) => store.absence(id, ['main']))).toEqual(['dropped', undefined, undefined]);
});

test('so many dropped keys are remembered, and no more', () => {
  const db = openDatabase();
  const dropped = new SqliteKeyStore(db);
  db.transaction(() => {
    for (let n = 0; n < 20_002; n++) {
      dropped.addResult(`key ${n}`, `result ${n}`, n, 'main');
      dropped.dropResult(`result ${n}`);
    }
  });
  expect(['key 0', 'key 1', 'key 2', 'key 20001'].map((id) => dropped.absence(id, ['main']))).toEqual([
    ...[undefined, undefined, 'dropped', 'dropped'],
  ]);
  expect(db.get('SELECT count(*) AS n FROM cache_dropped')).toEqual({ n: 20_000 });
});
