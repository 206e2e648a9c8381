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

test('keys outlive the process that wrote them', async () => {
  const link = { input: 0, output: 0, digest: digestOf('x'), selector: '' };
  const first = openDatabase('kept.db');
  new SqliteKeyStore(first).addLink('a', link, 'b', 'main');
  await first.close();
  expect(new SqliteKeyStore(openDatabase('kept.db')).links('a', link, ['main'])).toEqual(['b']);
});
