import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Digest, digestOf, HOUSE, neverAborted } from '../../base/index.ts';
import { mountsBelow } from '../../sys/index.ts';
import { collectBlobs } from '../gc/index.ts';
import { openTestState } from './open-state.ts';

const KILLS = 12;
const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };

/** Runs the worker on `root` and kills it some time after it has said `count` lines, whatever the machine's speed; all that it said. */
async function runAndKill(root: string, count: number): Promise<string[][]> {
  using cleanup = new DisposableStack();
  const child = spawn(process.execPath, [fileURLToPath(new URL('./crash-child.ts', import.meta.url)), root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanup.defer(() => child.kill('SIGKILL'));
  let text = '';
  let lines = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const before = lines;
    lines += chunk.split('\n').length - 1;
    if (before < count && lines >= count) setTimeout(() => child.kill('SIGKILL'), Math.random() * 15);
  });
  const [, signal] = await once(child, 'close');
  expect(signal).toBe('SIGKILL');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' '));
}

test('killed at any point: all that was finished is there and whole, and nothing else', async () => {
  const root = mkdtempSync(join(tmpdir(), 'slipway-kill-'));
  const committed = new Map<string, string>();
  const saved = new Set<string>();
  const blobs = new Map<string, Map<string, number>>();
  const named = new Map<string, Set<string>>();
  try {
    for (let n = 0; n < KILLS; n++) {
      const lines = await runAndKill(root, 1 + Math.floor(Math.random() * 50));
      for (const [verb, a = '', b = '', c = ''] of lines) {
        if (verb === 'committed') committed.set(a, b);
        else if (verb === 'saved') saved.add(a);
        else if (verb === 'blob') blobs.set(a, (blobs.get(a) ?? new Map()).set(b, Number(c)));
        else if (verb === 'named') named.set(a, (named.get(a) ?? new Set()).add(b));
        else if (verb === 'removing') for (const known of [committed, saved, blobs]) known.delete(a);
      }
      await using state = await openTestState({ root });
      const { refs, content, snapshotter, layout, db, trash } = state;
      expect(db.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' });
      expect(db.all('PRAGMA foreign_key_check')).toEqual([]);
      for (const [id, parent] of committed) {
        const ref = await refs.get(id);
        expect(ref, id).toBeDefined();
        await using view = await ref!.mount(options);
        expect(readFileSync(join(view.root, id), 'utf8')).toBe(id.repeat(1000));
        if (parent !== '-') expect(existsSync(join(view.root, parent))).toBe(true);
        await ref!.release();
      }
      for (const id of saved) expect(state.results.exists(id)).toBe(true);
      for (const [id, known] of blobs) {
        const ref = await refs.get(id);
        const layers = new Map(
          (await ref!.layers(options)).map(({ descriptor }) => [descriptor.digest as string, descriptor.size]),
        );
        for (const [digest, size] of known) expect(layers.get(digest)).toBe(size);
        for (const digest of known.keys()) expect(digestOf(readFileSync(content.path(digest as Digest)))).toBe(digest);
        await ref!.release();
      }
      for (const [name, files] of named) {
        const cache = await refs.openNamed(
          { scope: '', key: name, sharing: 'locked' },
          { ...options, description: 'cache', recordType: 'exec.cachemount' },
        );
        await using view = await cache.mount(options);
        for (const file of files) expect(existsSync(join(view.root, file)), `${name} ${file}`).toBe(true);
        await view[Symbol.asyncDispose]();
        await cache.release();
      }
      // Nothing else: every snapshot has its ref, every directory its snapshot, every blob its ref, and no mount or temp file is left.
      const owned = db
        .all<{ name: string }>(`SELECT coalesce(snapshot, id) AS name FROM refs ORDER BY name`)
        .map((row) => row.name);
      expect(
        snapshotter
          .list()
          .map(({ name }) => name)
          .sort(),
      ).toEqual(owned);
      expect(snapshotter.list().filter(({ kind }) => kind === 'active').length).toBeLessThanOrEqual(3);
      expect(readdirSync(layout.snapshots)).toHaveLength(owned.length);
      await collectBlobs(refs, { ...options, graceMs: 0 });
      const held = db
        .all<{ digest: string }>('SELECT DISTINCT digest FROM ref_blobs WHERE held = 1')
        .map((row) => row.digest.slice(7));
      expect(readdirSync(join(layout.blobs, 'sha256')).sort()).toEqual(held.sort());
      await trash.idle();
      expect(readdirSync(layout.tmp)).toEqual(['trash']);
      expect(readdirSync(join(layout.tmp, 'trash'))).toEqual([]);
      expect(mountsBelow(layout.root)).toEqual([]);
    }
    expect(committed.size).toBeGreaterThan(KILLS);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
