import { execFileSync } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fileSystemUsage, mount, unmountOrDetach, WorkerPool } from '../../sys/index.ts';
import { Database, Reserve } from './index.ts';

let disk: string;
let pool: WorkerPool;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'slipway-full-'));
  mount({ type: 'tmpfs', source: 'tmpfs', options: ['size=8M', 'nr_inodes=200'] }, disk);
  pool = new WorkerPool({ name: 'test', threads: 1 });
});
afterEach(async () => {
  await pool[Symbol.asyncDispose]();
  unmountOrDetach(disk);
  rmSync(disk, { recursive: true });
});

const TABLE = ['CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)'];
const path = () => join(disk, 'db');
const filler = () => join(disk, 'filler');
/** Takes all room that is left. */
function fill(): void {
  const piece = Buffer.alloc(4096, 1);
  try {
    for (;;) appendFileSync(filler(), piece);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
}

/** What a later life would find, also were this one killed now. */
function found(): { readonly integrity: unknown; readonly keys: Set<number> } {
  const copy = mkdtempSync(join(tmpdir(), 'slipway-copy-'));
  for (const end of ['', '-wal']) copyFileSync(path() + end, join(copy, `db${end}`));
  using db = new DatabaseSync(join(copy, 'db'));
  const integrity = db.prepare('PRAGMA integrity_check').get()?.['integrity_check'];
  const keys = new Set(
    db
      .prepare('SELECT k FROM t')
      .all()
      .map(({ k }) => k as number),
  );
  rmSync(copy, { recursive: true });
  return { integrity, keys };
}

describe('a database whose disk is full', () => {
  test('what was committed stays, what was refused is not there, wherever the room ended: at a page, a log, a checkpoint', async () => {
    for (let round = 0; round < 8; round++) {
      const committed = new Set<number>();
      {
        await using db = new Database(path(), { pool, logBytes: 1 << 20 });
        db.migrate('t', TABLE);
        writeFileSync(filler(), Buffer.alloc(Math.min(round * 700_000, fileSystemUsage(disk).free), 1));
        let refused = 0;
        for (let n = 0; n < 4000 && refused < 20; n++) {
          try {
            const keys = [3 * n, 3 * n + 1, 3 * n + 2].slice(0, 1 + (n % 3));
            db.transaction(() => {
              for (const key of keys) db.run('INSERT INTO t VALUES (?, ?)', key, 'x'.repeat(700));
            });
            for (const key of keys) committed.add(key);
          } catch (error) {
            expect(error).toMatchObject({ code: 'resource_exhausted', reason: 'METADATA_FULL' });
            refused++;
          }
          // Beside the checkpoints, which end on the full disk as well.
          if (n % 16 === 0) await new Promise(setImmediate);
        }
        expect(refused).toBe(20);
        await db.checkpoint();
        expect(found()).toEqual({ integrity: 'ok', keys: committed });
        // Removing is still possible, until there is room for more again.
        for (const key of [...committed].slice(0, 60)) {
          db.reserved(() => db.run('DELETE FROM t WHERE k = ?', key));
          committed.delete(key);
        }
        expect(found()).toEqual({ integrity: 'ok', keys: committed });
      }
      rmSync(filler());
      await using db = new Database(path(), { pool, logBytes: 1 << 20 });
      expect(new Set(db.all<{ k: number }>('SELECT k FROM t').map(({ k }) => k))).toEqual(committed);
      db.run('INSERT INTO t VALUES (?, ?)', 1e6, 'x'.repeat(100_000));
      await db.close();
      for (const end of ['', '-wal', '-shm']) rmSync(path() + end, { force: true });
    }
  });

  test('somebody takes each byte as it comes free: removing goes on in the room of the log', async () => {
    await using reserve = new Reserve({ directory: join(disk, 'reserve'), pool });
    await using db = new Database(path(), { pool, reserve, logBytes: 1 << 20 });
    db.migrate('t', TABLE);
    const insert = (key: number) => db.run('INSERT INTO t VALUES (?, ?)', key, 'x'.repeat(700));
    for (let n = 0; n < 500; n++) insert(n);
    await db.checkpoint();
    fill();
    let refused: unknown;
    let n = 500;
    // Now the database cannot grow, so that the log cannot start again: others are refused before it is used up.
    for (; n < 4000 && refused === undefined; n++) {
      try {
        insert(n);
      } catch (error) {
        refused = error;
      }
      if (n % 16 === 0) await db.checkpoint();
      fill();
    }
    expect(refused).toMatchObject({ reason: 'METADATA_FULL' });
    for (let key = 0; key < 60; key++) {
      db.reserved(() => db.run('DELETE FROM t WHERE k = ?', key));
      fill();
    }
    expect(found().integrity).toBe('ok');
    rmSync(filler());
    insert(1e6);
    await db.checkpoint();
    expect(found().keys.has(1e6)).toBe(true);
    expect(statSync(`${path()}-wal`).size).toBe(1 << 20);
  });

  test('what was given away of the reserve is taken again when it is closed: a later life has no other room', async () => {
    const directory = join(disk, 'reserve');
    {
      await using reserve = new Reserve({ directory, pool });
      await using db = new Database(path(), { pool, reserve, logBytes: 64 << 10 });
      db.migrate('t', TABLE);
      await reserve.fill();
      fill();
      expect(reserve.release()).toBe(true);
    }
    expect(readdirSync(directory).length).toBeGreaterThan(0);
    fill();
    await using reserve = new Reserve({ directory, pool });
    expect(reserve.release()).toBe(true);
    await using db = new Database(path(), { pool, reserve, logBytes: 64 << 10 });
    db.reserved(() => db.run('INSERT INTO t VALUES (1, ?)', 'x'));
  });

  test('it is opened on one: the reserve is given away, and taken again as far as there is room', async () => {
    const directory = join(disk, 'reserve');
    {
      await using reserve = new Reserve({ directory, pool });
      await using db = new Database(path(), { pool, reserve, logBytes: 64 << 10 });
      db.migrate('t', TABLE);
      await reserve.fill();
      expect(reserve.isNeeded).toBe(false);
    }
    fill();
    for (let n = 0; fileSystemUsage(disk).freeInodes > 0; n++) writeFileSync(join(disk, `empty-${n}`), '');
    expect(() => new Database(path(), { pool })).toThrow(expect.objectContaining({ reason: 'METADATA_FULL' }));
    await using reserve = new Reserve({ directory, pool });
    expect(reserve.isNeeded).toBe(true);
    expect(reserve.release()).toBe(true);
    await using db = new Database(path(), { pool, reserve, logBytes: 64 << 10 });
    db.reserved(() => db.run('INSERT INTO t VALUES (?, ?)', 1, 'x'));
    await reserve.fill();
    expect(fileSystemUsage(disk).free).toBeLessThan(64 << 10);
    expect(execFileSync('ls', [directory]).toString()).not.toBe('');
  });
});
