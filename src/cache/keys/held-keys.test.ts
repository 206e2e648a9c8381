import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { digestOf, KeyFilter, keyMark, marksOf, scopeMark } from '../../base/index.ts';
import { WorkerPool } from '../../sys/index.ts';
import { Database } from '../metadata/index.ts';
import { HeldKeys, KeySketch } from './held-keys.ts';
import { SqliteKeyStore } from './store.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'slipway-held-keys-'));
let pool: WorkerPool;
beforeAll(() => {
  pool = new WorkerPool({ name: 'held-keys', threads: 1 });
});
afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

let next = 0;
const key = (n: number) => digestOf(`key ${n}`);
const mark = (n: number, scope = 'a') => keyMark(key(n), scopeMark(scope)) as Uint8Array;

function world() {
  const db = new Database(path.join(folder, `${next++}.db`));
  const keys = new SqliteKeyStore(db);
  const add = (n: number, scope = 'a') => keys.addResult(key(n), `result ${n}`, n, scope);
  const held = new HeldKeys({ keys, path: db.path, pool, againMs: 0 });
  /** What one that has this version comes to know. */
  const follow = () => {
    let version = '';
    let filter: KeyFilter | undefined;
    let told = 0;
    return {
      ask: () => {
        const news = held.since(version);
        version = news.version;
        told = (news.filter?.length ?? 0) + (news.added?.length ?? 0);
        if (news.filter !== undefined) filter = KeyFilter.read(Uint8Array.from(news.filter));
        for (const one of marksOf(news.added ?? new Uint8Array())) filter?.add(one);
        return { version, told };
      },
      has: (n: number, scope?: string) => filter?.has(mark(n, scope)) ?? false,
    };
  };
  return { add, keys, held, follow, [Symbol.asyncDispose]: () => db.close() };
}

test('it tells what was there, then what comes, and nothing twice; by scope', async () => {
  await using one = world();
  for (let n = 0; n < 100; n++) one.add(n);
  one.add(200, 'b');
  const reader = one.follow();
  expect(reader.ask()).toEqual({ version: '', told: 0 });
  await one.held.settled();
  expect(reader.ask().told).toBeGreaterThan(1000);
  expect([0, 99].every((n) => reader.has(n))).toBe(true);
  expect([reader.has(200, 'b'), reader.has(200), reader.has(100)]).toEqual([true, false, false]);
  expect(reader.ask().told).toBe(0);
  one.add(100);
  one.add(100);
  expect(reader.ask().told).toBe(8);
  expect(reader.has(100)).toBe(true);
  const late = one.follow();
  expect(late.ask().told).toBeGreaterThan(1000);
  expect(late.ask()).toEqual({ version: reader.ask().version, told: 0 });
});

test('what comes while all keys are read is not lost; one that knows an old version is told all', async () => {
  await using one = world();
  const reader = one.follow();
  reader.ask();
  one.add(1);
  await one.held.settled();
  one.add(2);
  reader.ask();
  expect([1, 2].every((n) => reader.has(n))).toBe(true);
  for (let n = 10; n < 5000; n++) one.add(n);
  // More than is told one by one.
  expect(reader.ask().told).toBeGreaterThan(1000);
  expect([10, 4999].every((n) => reader.has(n))).toBe(true);
});

test('many that went are forgotten, and a summary that has become too small grows', async () => {
  await using one = world();
  for (let n = 0; n < 300; n++) one.add(n);
  const reader = one.follow();
  reader.ask();
  await one.held.settled();
  for (let n = 0; n < 200; n++) one.keys.dropResult(`result ${n}`);
  reader.ask();
  await one.held.settled();
  reader.ask();
  expect([reader.has(0), reader.has(299)]).toEqual([false, true]);
  for (let n = 1000; n < 4000; n++) one.add(n);
  reader.ask();
  await one.held.settled();
  expect(reader.ask().told).toBeGreaterThan(3000);
});

test('sketches of equal sets are equal, and of similar sets mostly', () => {
  const sketchOf = (all: readonly number[]) => {
    const sketch = new KeySketch();
    for (const n of all) sketch.add(key(n));
    sketch.add('random:1');
    return sketch.bytes(() => 'a');
  };
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 100 }), (all) => {
      const bytes = sketchOf(all);
      expect(bytes).toHaveLength(8 * Math.min(32, all.length));
      expect(sketchOf([...all, ...all].reverse())).toEqual(bytes);
      const marks = new Set([...marksOf(bytes)].map((one) => Buffer.from(one).toString('hex')));
      expect(marks.size).toBe(Math.min(32, all.length));
      const more = [...marksOf(sketchOf([...all, 5000]))].map((one) => Buffer.from(one).toString('hex'));
      expect(more.filter((one) => !marks.has(one)).length).toBeLessThanOrEqual(1);
    }),
  );
});
