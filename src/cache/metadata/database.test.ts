import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WorkerPool } from '../../sys/index.ts';
import { Database } from './database.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'slipway-db-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const STEPS = ['CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID', 'ALTER TABLE t ADD COLUMN w INTEGER'];

test('a transaction that throws changes nothing, and inner ones join it', async () => {
  await using db = new Database(join(dir, 'db'));
  db.migrate('t', STEPS);
  expect(() =>
    db.transaction(() => {
      db.run('INSERT INTO t (k) VALUES (?)', 'a');
      db.transaction(() => db.run('INSERT INTO t (k) VALUES (?)', 'b'));
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(db.all('SELECT * FROM t')).toEqual([]);
});

test('migrations run once each, and newer tables are refused', async () => {
  {
    await using db = new Database(join(dir, 'db'));
    db.migrate('t', STEPS.slice(0, 1));
    db.run('INSERT INTO t (k, v) VALUES (?, ?)', 'a', '1');
  }
  await using db = new Database(join(dir, 'db'));
  db.migrate('t', STEPS);
  expect(db.get('SELECT * FROM t')).toEqual({ k: 'a', v: '1', w: null });
  expect(() => db.migrate('t', STEPS.slice(0, 1))).toThrow(/version 2, this Slipway knows 1/);
});

test('what is no database is refused with a hint', () => {
  writeFileSync(join(dir, 'db'), 'x'.repeat(5000));
  expect(() => new Database(join(dir, 'db'))).toThrow(
    expect.objectContaining({ code: 'data_loss', hint: expect.stringContaining('state directory') }),
  );
});

test('an inner transaction that throws takes back its own changes only', async () => {
  await using db = new Database(join(dir, 'db'));
  db.migrate('t', STEPS);
  const insert = (k: string) => db.run('INSERT INTO t (k) VALUES (?)', k);
  db.transaction(() => {
    insert('a');
    expect(() =>
      db.transaction(() => {
        insert('b');
        db.transaction(() => insert('c'));
        throw new Error('no');
      }),
    ).toThrow('no');
    db.reserved(() => insert('d'));
  });
  expect(db.all<{ k: string }>('SELECT k FROM t ORDER BY k').map(({ k }) => k)).toEqual(['a', 'd']);
});

test('a checkpoint in a worker lets the log start again, and keeps to its size', async () => {
  await using pool = new WorkerPool({ name: 'test', threads: 1 });
  const logBytes = 1 << 20;
  await using db = new Database(join(dir, 'db'), { pool, logBytes });
  db.migrate('t', STEPS);
  const logSize = () => statSync(join(dir, 'db-wal')).size;
  expect(logSize()).toBe(logBytes);
  let round = 0;
  const fill = async (transactions: number) => {
    for (let n = 0; n < transactions; n++) {
      db.run('INSERT OR REPLACE INTO t (k, v) VALUES (?, ?)', String(n % 500), `${round++}${'x'.repeat(500)}`);
      // As requests are served: checkpoints go on beside them.
      if (n % 50 === 0) await new Promise(setImmediate);
    }
  };
  await fill(6000);
  await db.checkpoint();
  await fill(1);
  expect(logSize()).toBe(logBytes);
  const one = 'SELECT 1';
  db.transaction(() => {
    for (let n = 0; n < 4000; n++) db.run('INSERT INTO t (k, v) VALUES (?, ?)', `big ${n}`, 'x'.repeat(1000));
  });
  expect(logSize()).toBeGreaterThan(logBytes);
  await db.checkpoint();
  db.run(`DELETE FROM t WHERE k = 'big 1'`);
  expect(logSize()).toBe(logBytes);
  expect(db.get(one)).toBeDefined();
});
