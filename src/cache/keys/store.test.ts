import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { MemoryKeyStore } from '../../solver/index.ts';
import { Database } from '../metadata/index.ts';
import { keyStoreSuite } from '../testing/key-store-suite.ts';
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

keyStoreSuite('memory', () => new MemoryKeyStore());
keyStoreSuite('sqlite', () => new SqliteKeyStore(openDatabase()));

test('what earlier versions wrote is forgotten, once', async () => {
  const link = { input: 0, output: 0, digest: digestOf('x'), selector: '' };
  const fill = (store: SqliteKeyStore) => {
    store.addLink('content', link, 'made', 'main');
    store.addResult('made', 'result', 1, 'main');
  };
  const earlier = openDatabase('earlier.db');
  fill(new SqliteKeyStore(earlier));
  earlier.run(`UPDATE schema_version SET version = 1 WHERE room = 'keys'`); // the tables are the same
  await earlier.close();
  const later = openDatabase('earlier.db');
  const store = new SqliteKeyStore(later);
  for (const table of ['cache_key', 'cache_link', 'cache_link_kind', 'cache_result'])
    expect(later.all(`SELECT * FROM ${table}`)).toEqual([]);
  fill(store);
  await later.close();
  const next = new SqliteKeyStore(openDatabase('earlier.db'));
  expect(next.links('content', link, ['main'])).toEqual(['made']);
  expect(next.results('made', ['main'])).toHaveLength(1);
});

test('keys outlive the process that wrote them', async () => {
  const link = { input: 0, output: 0, digest: digestOf('x'), selector: '' };
  const first = openDatabase('kept.db');
  new SqliteKeyStore(first).addLink('a', link, 'b', 'main');
  await first.close();
  expect(new SqliteKeyStore(openDatabase('kept.db')).links('a', link, ['main'])).toEqual(['b']);
});

test('a result that ever new keys lead to keeps the newest of them', () => {
  const db = openDatabase();
  const store = new SqliteKeyStore(db);
  const link = { input: 0, output: 0, digest: digestOf('copy'), selector: '' };
  store.addResult('made', 'result', 1, 'main');
  db.transaction(() => {
    for (let n = 0; n < 1200; n++) {
      store.addLink('root', { ...link, digest: digestOf('fetch') }, `commit ${n}`, 'main');
      store.addLink(`commit ${n}`, link, 'made', 'main');
    }
  });
  expect(store.links('commit 1199', link, ['main'])).toEqual(['made']);
  expect(store.links('commit 1', link, ['main'])).toEqual([]);
  expect(db.get('SELECT count(*) AS n FROM cache_link')).toEqual({ n: 2000 });
  expect(db.get('SELECT count(*) AS n FROM cache_key')).toEqual({ n: 1002 });
  store.dropResult('result');
  for (const table of ['cache_key', 'cache_link', 'cache_link_kind'])
    expect(db.all(`SELECT * FROM ${table}`)).toEqual([]);
});
