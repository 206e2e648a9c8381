import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Database } from '../metadata/index.ts';
import { layersOf } from './layers-of.ts';
import { MIGRATIONS } from './schema.ts';

test('what earlier versions took by its digest alone vouches for nothing any more', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-schema-'));
  try {
    await using db = new Database(join(folder, 'db'));
    db.migrate('refs', MIGRATIONS.slice(0, 1));
    const columns = 'id, kind, description, record_type, scope, created_at, last_used_at, chain_id';
    for (const [id, chain] of [
      ['pulled', 'sha256:1'],
      ['other', 'sha256:2'],
      ['made', null],
    ])
      db.run(`INSERT INTO refs (${columns}) VALUES (?, 'immutable', '', 'regular', 'a', 0, 0, ?)`, id!, chain!);
    const blob =
      'INSERT INTO ref_blobs (ref, digest, descriptor, type, diff_id, origin, held) VALUES (?, ?, ?, ?, ?, ?, 1)';
    db.run(blob, 'pulled', 'sha256:x', '{}', 'gzip', 'sha256:d', 'given');
    db.run(blob, 'other', 'sha256:x', '{}', 'gzip', 'sha256:d', 'given');
    db.run(blob, 'made', 'sha256:y', '{}', 'gzip', 'sha256:e', 'made');
    db.migrate('refs', MIGRATIONS);
    expect(db.all('SELECT id, chain_id, place FROM refs ORDER BY id')).toEqual([
      { id: 'made', chain_id: null, place: '' },
      { id: 'other', chain_id: null, place: 'other' },
      { id: 'pulled', chain_id: null, place: 'pulled' },
    ]);
    expect(db.all('SELECT ref FROM ref_blobs WHERE held = 1')).toEqual([{ ref: 'made' }]);
    expect(db.all('SELECT * FROM blob_deliveries')).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('chains of earlier versions are read as what each layer is made of', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-schema-'));
  try {
    await using db = new Database(join(folder, 'db'));
    db.migrate('refs', MIGRATIONS.slice(0, 5));
    const sql = `INSERT INTO refs (id, kind, parent, description, record_type, scope, created_at, last_used_at) VALUES (?, ?, ?, '', 'regular', 'a', 0, 0)`;
    db.run(sql, 'base', 'immutable', null);
    db.run(sql, 'middle', 'immutable', 'base');
    db.run(sql, 'written', 'mutable', 'middle');
    db.migrate('refs', MIGRATIONS);
    expect(layersOf(db, 'written').map(({ id, kind }) => [id, kind])).toEqual([
      ['base', 'layer'],
      ['middle', 'layer'],
      ['written', 'mutable'],
    ]);
    expect(() => db.run("DELETE FROM refs WHERE id = 'base'")).toThrow(/FOREIGN KEY/);
    db.run("DELETE FROM refs WHERE id = 'written'");
    expect(db.all('SELECT * FROM ref_parents')).toEqual([{ ref: 'middle', pos: 0, parent: 'base' }]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('states of clients’ directories of earlier versions are packed anew, each as one layer', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-schema-'));
  try {
    await using db = new Database(join(folder, 'db'));
    db.migrate('refs', MIGRATIONS.slice(0, 6));
    const sql = `INSERT INTO refs (id, kind, description, record_type, scope, created_at, last_used_at) VALUES (?, 'layer', '', ?, 'a', 0, 0)`;
    const layers = [
      ['one', 'source.local'],
      ['two', 'source.local'],
      ['step', 'regular'],
    ] as const;
    for (const [n, [id, type]] of layers.entries()) {
      db.run(sql, id, type);
      if (n > 0) db.run('INSERT INTO ref_parents VALUES (?, 0, ?)', id, layers[n - 1]![0]);
      const blob = `INSERT INTO ref_blobs (ref, digest, descriptor, type, diff_id, origin, held) VALUES (?, ?, '{}', 'gzip', 'd', 'made', 1)`;
      db.run(blob, id, `sha256:${n}`);
    }
    db.migrate('refs', MIGRATIONS);
    expect(layersOf(db, 'step').map(({ id }) => id)).toEqual(['two', 'step']);
    expect(db.all('SELECT ref FROM ref_blobs')).toEqual([{ ref: 'step' }]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
