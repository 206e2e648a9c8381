import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Database } from '../metadata/index.ts';
import { layersOf } from './layers-of.ts';
import { MIGRATIONS, type RefKind } from './schema.ts';

/** By name: kind and parents. */
const REFS: Readonly<Record<string, readonly [RefKind, ...string[]]>> = {
  a: ['layer'],
  b: ['layer', 'a'],
  c: ['layer', 'b'],
  x: ['layer'],
  y: ['layer', 'x'],
  merged: ['merge', 'b', 'y'],
  nested: ['merge', 'merged', 'x', 'merged'],
  onMerge: ['layer', 'merged'],
  onIt: ['mutable', 'onMerge'],
  state: ['whole', 'a'],
  onState: ['layer', 'state'],
  one: ['diff', 'b', 'c'],
  two: ['diff', 'a', 'c'],
  computed: ['diff', 'y', 'c'],
  back: ['diff', 'c', 'a'],
  same: ['diff', 'merged', 'merged'],
  mergedOn: ['diff', 'b', 'merged'],
  mergedOnOne: ['diff', 'b', 'bx'],
  bx: ['merge', 'b', 'x'],
  ofDiffs: ['merge', 'two', 'computed', 'one'],
  diffOfDiffs: ['diff', 'one', 'ofDiffs'],
  onDiff: ['layer', 'computed'],
  lastOfMerge: ['diff', 'merged', 'onMerge'],
};

const LAYERS: Readonly<Record<string, string>> = {
  a: 'a',
  c: 'a b c',
  merged: 'a b x y',
  nested: 'a b x y x a b x y',
  onIt: 'a b x y onMerge onIt',
  // With all that its parent only keeps the files of.
  state: 'state',
  onState: 'state onState',
  one: 'c',
  two: 'b c',
  computed: 'computed',
  back: 'back',
  same: 'same',
  mergedOn: 'x y',
  // A single layer only where it was made right on the other.
  mergedOnOne: 'mergedOnOne',
  ofDiffs: 'b c computed c',
  diffOfDiffs: 'diffOfDiffs',
  onDiff: 'computed onDiff',
  lastOfMerge: 'onMerge',
};

async function withRefs(
  refs: Readonly<Record<string, readonly [RefKind, ...string[]]>>,
  look: (db: Database) => void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-layers-'));
  try {
    await using db = new Database(join(folder, 'db'));
    db.migrate('refs', MIGRATIONS);
    db.transaction(() => {
      for (const [id, [kind]] of Object.entries(refs))
        db.run(
          `INSERT INTO refs (id, kind, description, record_type, scope, created_at, last_used_at) VALUES (?, ?, '', 'regular', '', 0, 0)`,
          ...[id, kind],
        );
      for (const [id, [, ...parents]] of Object.entries(refs))
        for (const [pos, parent] of parents.entries())
          db.run('INSERT INTO ref_parents (ref, pos, parent) VALUES (?, ?, ?)', id, pos, parent);
    });
    look(db);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const idsOf = (db: Database, id: string) =>
  layersOf(db, id)
    .map((row) => row.id)
    .join(' ');

test('what layers, merges and diffs consist of', () =>
  withRefs(REFS, (db) => {
    const found = Object.keys(LAYERS).map((id) => [id, idsOf(db, id)]);
    expect(Object.fromEntries(found)).toEqual(LAYERS);
  }));

test('what is made of diffs of diffs is looked at once, however many ways lead there', async () => {
  const refs: Record<string, [RefKind, ...string[]]> = { x: ['layer'], diff0: ['diff', 'x', 'x'] };
  for (let n = 1; n <= 100; n++) {
    refs[`merge${n}`] = ['merge', `diff${n - 1}`, 'x'];
    refs[`diff${n}`] = ['diff', `diff${n - 1}`, `merge${n}`];
  }
  await withRefs(refs, (db) => expect(idsOf(db, 'merge100')).toBe('diff99 x'));
});
