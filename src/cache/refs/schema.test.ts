import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Database } from '../metadata/index.ts';
import { layersOf } from './layers-of.ts';
import { placesName } from './places.ts';
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

test('what earlier versions knew a blob’s provider by becomes a place, and vouches for what it delivered and nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-schema-'));
  try {
    await using db = new Database(join(folder, 'db'));
    db.migrate('refs', MIGRATIONS.slice(0, 7));
    const columns = 'id, kind, description, record_type, scope, created_at, last_used_at, chain_id, place';
    const image = 'docker.io/library/alpine';
    for (const [id, place] of [
      ['pulled', image],
      ['unknown', 'unknown'],
      ['made', ''],
      ['other', 'client-store'],
    ] as const) {
      db.run(`INSERT INTO refs (${columns}) VALUES (?, 'layer', '', 'regular', 'a', 0, 0, ?, ?)`, id, id, place);
      const provider = { pulled: `${image}:3@sha256:${'0'.repeat(64)}`, unknown: `${image}:2`, other: 'client-store' };
      db.run(
        `INSERT INTO ref_blobs (ref, digest, descriptor, type, diff_id, origin, held, provider) VALUES (?, 'sha256:x', '{}', 'gzip', 'd', ?, 1, ?)`,
        ...[id, id === 'made' ? 'made' : 'given', id === 'made' ? null : provider[id]],
      );
      db.run(`INSERT INTO blob_deliveries VALUES (?, 'a', ?)`, `sha256:${id}`, place);
    }
    db.migrate('refs', MIGRATIONS);
    const alpine = { kind: 'registry', place: '{"host":"docker.io","repository":"library/alpine"}' };
    expect(db.all('SELECT ref, kind, place FROM blob_places ORDER BY ref')).toEqual([
      { ref: 'pulled', ...alpine },
      { ref: 'unknown', ...alpine },
    ]);
    expect(db.all('SELECT digest, scope, kind, place FROM blob_deliveries')).toEqual([
      { digest: 'sha256:pulled', scope: 'a', ...alpine },
    ]);
    // By this name the same image is found again.
    const found = `SELECT id FROM refs WHERE scope = 'a' AND chain_id = 'pulled' AND place = ?`;
    expect(db.all(found, placesName([{ kind: 'registry', host: 'docker.io', repository: 'library/alpine' }]))).toEqual([
      { id: 'pulled' },
    ]);
    expect(db.all('SELECT count(*) AS held FROM ref_blobs WHERE held = 1')).toEqual([{ held: 4 }]);
    db.run(`DELETE FROM ref_blobs WHERE ref = 'pulled'`);
    expect(db.all('SELECT ref FROM blob_places')).toEqual([{ ref: 'unknown' }]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
