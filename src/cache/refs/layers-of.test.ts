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

test('what layers, merges and diffs consist of', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-layers-'));
  try {
    await using db = new Database(join(folder, 'db'));
    db.migrate('refs', MIGRATIONS);
    db.transaction(() => {
      for (const [id, [kind]] of Object.entries(REFS))
        db.run(
          `INSERT INTO refs (id, kind, description, record_type, scope, created_at, last_used_at) VALUES (?, ?, '', 'regular', '', 0, 0)`,
          ...[id, kind],
        );
      for (const [id, [, ...parents]] of Object.entries(REFS))
        for (const [pos, parent] of parents.entries())
          db.run('INSERT INTO ref_parents (ref, pos, parent) VALUES (?, ?, ?)', id, pos, parent);
    });
    const found = Object.keys(LAYERS).map((id) => [
      id,
      layersOf(db, id)
        .map((row) => row.id)
        .join(' '),
    ]);
    expect(Object.fromEntries(found)).toEqual(LAYERS);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
