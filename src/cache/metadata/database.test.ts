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

test('a checkpoint in a worker lets the log start again', async () => {
  await using pool = new WorkerPool({ name: 'test', threads: 1 });
  await using db = new Database(join(dir, 'db'), { pool });
  db.migrate('t', STEPS);
  const fill = () => {
    for (let n = 0; n < 500; n++) db.run('INSERT OR REPLACE INTO t (k, v) VALUES (?, ?)', String(n), 'x'.repeat(500));
    return statSync(join(dir, 'db-wal')).size;
  };
  const first = fill();
  await db.checkpoint();
  expect(fill()).toBeLessThan(first * 1.5);
});
