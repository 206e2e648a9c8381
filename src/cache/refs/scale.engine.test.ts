import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../base/index.ts';
import type { Database, Parameter } from '../metadata/index.ts';
import type { BlobFetchers, BlobPlace } from '../ports.ts';
import { openTestState } from '../testing/open-state.ts';
import { refResult } from './index.ts';
import { placeText } from './places.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const describing = { ...options, description: 'test' };
const place: BlobPlace = { kind: 'registry', host: 'registry.example', repository: 'r' };
const none = () => Promise.reject(new Error('none'));
const fetchers: BlobFetchers = { registry: { lasting: true, host: ({ host }) => host, open: none } };

/** Notes every statement that `fn` runs, and says which of them read a whole table. */
async function scans(db: Database, fn: () => Promise<void>): Promise<string[]> {
  const seen = new Set<string>();
  const patched: Partial<Record<'get' | 'all' | 'run', unknown>> = {};
  for (const method of ['get', 'all', 'run'] as const) {
    const original = db[method].bind(db) as (sql: string, ...parameters: readonly Parameter[]) => unknown;
    patched[method] = (sql: string, ...parameters: readonly Parameter[]) => {
      seen.add(sql);
      return original(sql, ...parameters);
    };
  }
  Object.assign(db, patched);
  await fn();
  for (const method of ['get', 'all', 'run']) Reflect.deleteProperty(db, method);
  expect(seen.size).toBeGreaterThan(10);
  return [...seen].flatMap((sql) =>
    db
      .all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      .filter(({ detail }) => /^SCAN (?!chain|c$|c |tree)/.test(detail) && !/CONSTANT ROW/.test(detail))
      .map(({ detail }) => `${detail}: ${sql}`),
  );
}

test('no call reads a whole table', async () => {
  await using state = await openTestState({ fetchers });
  const { refs, db, results } = state;
  const found = await scans(db, async () => {
    const mutable = await refs.create(undefined, describing);
    await using _view = await mutable.mount(options);
    await _view[Symbol.asyncDispose]();
    const base = await mutable.commit(options);
    const child = await (await refs.create(base, describing)).commit(options);
    await results.save(refResult(child));
    results.exists(child.id);
    const layers = await child.layers(options);
    child.setMetadata('a', 'b');
    child.getMetadata('a');
    const lazy = await refs.fromLayers(layers, { ...describing, places: [place], scope: 's' });
    await expect(lazy.mounts(options)).rejects.toThrow('none');
    for (const _ of [1, 2]) {
      const named = await refs.openNamed(
        { scope: '', key: 'k', sharing: 'shared' },
        { ...describing, recordType: 'regular' },
      );
      await named.keep();
      await named.release();
    }
    const merged = await refs.merge([await refs.diff(base, child, describing), base], describing);
    await merged.mounts(options);
    await merged.check(options);
    await (await refs.get(child.id))?.release();
    await merged.release();
    await refs.forget(merged.id);
    await lazy.release();
    await child.release();
    await base.release();
    await refs.remove(child.id);
    await (await refs.create(undefined, describing)).release();
  });
  expect(found).toEqual([]);
});

test('a hundred thousand refs open again', async () => {
  const root = mkdtempSync(join(tmpdir(), 'slipway-scale-'));
  try {
    {
      await using state = await openTestState({ root });
      // Chains of a hundred layers each.
      const numbers = 'WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)';
      state.db.transaction(() => {
        state.db.run(
          `${numbers} INSERT INTO refs (id, kind, description, record_type, scope, created_at, last_used_at)
           SELECT 'r' || i, 'layer', '', 'regular', '', i, i FROM n`,
        );
        state.db.run(`${numbers} INSERT INTO ref_parents SELECT 'r' || i, 0, 'r' || (i - 1) FROM n WHERE i % 100 <> 0`);
        state.db.run(
          `${numbers} INSERT INTO ref_blobs (ref, digest, descriptor, type, diff_id, origin, held)
           SELECT 'r' || i, printf('sha256:%064x', i), '{}', 'gzip', '', 'given', 0 FROM n`,
        );
        state.db.run(
          `INSERT INTO blob_places SELECT ref, digest, 0, ?, ? FROM ref_blobs`,
          ...[place.kind, placeText(place)],
        );
      });
    }
    await using state = await openTestState({ root, fetchers });
    expect(state.refs.exists('r99999')).toBe(true);
    expect(state.db.get('SELECT count(*) AS n FROM refs')).toEqual({ n: 100_000 });
  } finally {
    rmSync(root, { recursive: true });
  }
});
