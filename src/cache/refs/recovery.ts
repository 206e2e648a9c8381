import { type Digest, neverAborted } from '../../base/index.ts';
import type { RefRecords } from './records.ts';

/**
 * At start, when nothing is open: drops mutable refs of the earlier life, refs whose snapshot is gone (with what stands on them: a miss, not an error),
 * and snapshots that no ref names. A few set statements, whatever the number of refs.
 */
export async function recover(records: RefRecords): Promise<void> {
  const { db, snapshotter, content, log, onResultDropped } = records.options;
  const snapshots = snapshotter.list();
  const dropped = db.reserved(() => {
    db.run('DELETE FROM leases WHERE persistent = 0');
    db.run('CREATE TEMP TABLE IF NOT EXISTS present (name TEXT PRIMARY KEY) WITHOUT ROWID');
    db.run('DELETE FROM present');
    for (const { name } of snapshots) db.run('INSERT INTO present VALUES (?)', name);
    // A stack is made again when somebody mounts it.
    db.run(`UPDATE refs SET snapshot = NULL, size = NULL WHERE kind IN ('merge', 'diff') AND snapshot IS NOT NULL
      AND snapshot NOT IN (SELECT name FROM present)`);
    const gone = db.all<{ id: string; stored: number }>(
      `WITH RECURSIVE gone (id) AS (
        SELECT id FROM refs WHERE kind <> 'mutable' AND snapshot IS NOT NULL AND snapshot NOT IN (SELECT name FROM present)
        UNION SELECT id FROM refs WHERE kind IN ('layer', 'whole') AND snapshot IS NULL
          AND NOT EXISTS (SELECT 1 FROM ref_blobs b WHERE b.ref = refs.id AND b.derived IS NULL AND (b.held = 1
            OR EXISTS (SELECT 1 FROM blob_places p WHERE p.ref = b.ref AND p.digest = b.digest)))
        UNION SELECT id FROM refs WHERE kind = 'mutable'
          AND (id NOT IN (SELECT ref FROM named_refs WHERE kept = 1)
            OR id NOT IN (SELECT name FROM present))
        UNION SELECT p.ref FROM gone g CROSS JOIN ref_parents p ON p.parent = g.id
      ) SELECT refs.id, refs.stored FROM gone CROSS JOIN refs ON refs.id = gone.id`,
    );
    // Children before parents.
    db.run('PRAGMA defer_foreign_keys = ON');
    for (const { id } of gone) {
      db.run('DELETE FROM named_refs WHERE ref = ?', id);
      records.delete(id);
    }
    return gone;
  });
  for (const { id, stored } of dropped) if (stored === 1) onResultDropped?.(id);

  const named = new Set(
    db
      .all<{ name: string }>(
        `SELECT coalesce(snapshot, id) AS name FROM refs WHERE kind = 'mutable' OR snapshot IS NOT NULL`,
      )
      .map(({ name }) => name),
  );
  let swept = 0;
  // Newest first, so that children go before their parents.
  for (const { name } of snapshots.toReversed()) {
    if (named.has(name)) continue;
    await snapshotter.remove(name, { signal: neverAborted });
    swept++;
  }

  const blobs = content.digests();
  const held = db.all<{ ref: string; digest: Digest }>('SELECT ref, digest FROM ref_blobs WHERE held = 1');
  const lost = held.filter(({ digest }) => !blobs.has(digest));
  db.reserved(() => {
    for (const { ref, digest } of lost) {
      db.run(`DELETE FROM ref_blobs WHERE ref = ? AND digest = ? AND origin = 'made'`, ref, digest);
      records.setHeld(ref, digest, false);
    }
  });
  for (const digest of records.places.delivered()) if (!blobs.has(digest)) records.places.forgetDeliveries(digest);
  if (dropped.length + swept + lost.length > 0) {
    log.info('swept what an earlier life left', { refs: dropped.length, snapshots: swept, blobs: lost.length });
  }
}
