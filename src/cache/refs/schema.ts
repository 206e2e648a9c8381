import { parseImageReference } from '../../base/index.ts';
import type { Database, Migration } from '../metadata/index.ts';
import type { BlobPlace } from '../ports.ts';
import { placesName, placeText } from './places.ts';

/** Tables of refs and leases; steps are only appended. */
export const MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE refs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    parent TEXT REFERENCES refs (id),
    snapshot TEXT,
    description TEXT NOT NULL,
    record_type TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    usage_count INTEGER NOT NULL DEFAULT 0,
    size INTEGER,
    chain_id TEXT,
    diff_id TEXT,
    stored INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE INDEX refs_parent ON refs (parent);
  CREATE UNIQUE INDEX refs_chain ON refs (scope, chain_id) WHERE chain_id IS NOT NULL;
  CREATE INDEX refs_mutable ON refs (kind) WHERE kind = 'mutable';

  CREATE TABLE ref_blobs (
    ref TEXT NOT NULL REFERENCES refs (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    descriptor TEXT NOT NULL,
    type TEXT NOT NULL,
    diff_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    held INTEGER NOT NULL,
    provider TEXT,
    PRIMARY KEY (ref, digest)
  ) WITHOUT ROWID;
  CREATE INDEX ref_blobs_digest ON ref_blobs (digest);

  CREATE TABLE ref_metadata (
    ref TEXT NOT NULL REFERENCES refs (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (ref, key)
  );

  CREATE TABLE named_refs (
    id TEXT PRIMARY KEY,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    kept INTEGER NOT NULL DEFAULT 0,
    base TEXT,
    ref TEXT NOT NULL REFERENCES refs (id)
  ) WITHOUT ROWID;
  CREATE INDEX named_refs_key ON named_refs (scope, key);
  CREATE INDEX named_refs_ref ON named_refs (ref);

  CREATE TABLE leases (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    persistent INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE lease_resources (
    lease TEXT NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    resource TEXT NOT NULL,
    PRIMARY KEY (lease, kind, resource)
  ) WITHOUT ROWID;
  CREATE INDEX lease_resources_resource ON lease_resources (kind, resource);`,

  // Before this step a name could vouch for content that another had brought.
  `ALTER TABLE refs ADD COLUMN place TEXT NOT NULL DEFAULT '';
  DROP INDEX refs_chain;
  UPDATE refs SET chain_id = NULL;
  UPDATE ref_blobs SET held = 0 WHERE origin = 'given';
  CREATE UNIQUE INDEX refs_chain ON refs (scope, chain_id, place) WHERE chain_id IS NOT NULL;
  CREATE INDEX refs_snapshot ON refs (snapshot) WHERE snapshot IS NOT NULL;`,
  'ALTER TABLE named_refs DROP COLUMN base',

  // A blob whose bytes a repository has delivered to a scope, or been given by it.
  `CREATE TABLE blob_deliveries (
    digest TEXT NOT NULL,
    scope TEXT NOT NULL,
    place TEXT NOT NULL,
    PRIMARY KEY (digest, scope, place)
  ) WITHOUT ROWID;
  INSERT OR IGNORE INTO blob_deliveries
    SELECT b.digest, r.scope, r.place FROM ref_blobs b JOIN refs r ON r.id = b.ref WHERE b.held = 1 AND b.origin = 'given';`,

  // Which repository brought what was given before places were written down is not known: each such ref is a place of its own.
  `UPDATE refs SET place = id WHERE place = '' AND id IN (SELECT ref FROM ref_blobs WHERE origin = 'given');`,

  // What a ref is made of: one parent or none for a layer, any number for other kinds.
  `CREATE TABLE ref_parents (
    ref TEXT NOT NULL REFERENCES refs (id) ON DELETE CASCADE,
    pos INTEGER NOT NULL,
    parent TEXT NOT NULL REFERENCES refs (id),
    PRIMARY KEY (ref, pos)
  ) WITHOUT ROWID;
  INSERT INTO ref_parents SELECT id, 0, parent FROM refs WHERE parent IS NOT NULL;
  CREATE INDEX ref_parents_parent ON ref_parents (parent);
  DROP INDEX refs_parent;
  ALTER TABLE refs DROP COLUMN parent;
  UPDATE refs SET kind = 'layer' WHERE kind = 'immutable';`,

  // States of clients' directories were as many layers as there had been transfers.
  `UPDATE refs SET kind = 'whole' WHERE kind = 'layer' AND record_type = 'source.local';
  DELETE FROM ref_blobs WHERE ref IN (SELECT id FROM refs WHERE kind = 'whole');`,
  typePlaces,
  'ALTER TABLE ref_blobs ADD COLUMN derived TEXT',
  'ALTER TABLE ref_blobs ADD COLUMN compressor TEXT',
];

/** A blob has any number of places, each of a kind; what is no name of a repository is none. */
function typePlaces(db: Database): void {
  const repository = (name: string): BlobPlace | undefined => {
    if (!name.includes('/')) return undefined;
    try {
      const { domain, path } = parseImageReference(name);
      return { kind: 'registry', host: domain, repository: path };
    } catch {
      return undefined;
    }
  };
  db.run(`CREATE TABLE blob_places (
    ref TEXT NOT NULL, digest TEXT NOT NULL, pos INTEGER NOT NULL, kind TEXT NOT NULL, place TEXT NOT NULL,
    PRIMARY KEY (ref, digest, kind, place),
    FOREIGN KEY (ref, digest) REFERENCES ref_blobs (ref, digest) ON DELETE CASCADE
  ) WITHOUT ROWID`);
  db.run(`CREATE TABLE blob_deliveries_next (
    digest TEXT NOT NULL, scope TEXT NOT NULL, kind TEXT NOT NULL, place TEXT NOT NULL,
    PRIMARY KEY (digest, scope, kind, place)
  ) WITHOUT ROWID`);
  const providers = 'SELECT DISTINCT provider FROM ref_blobs WHERE provider IS NOT NULL';
  for (const { provider } of db.all<{ provider: string }>(providers)) {
    const place = repository(provider);
    if (place === undefined) continue;
    const sql = 'INSERT INTO blob_places SELECT ref, digest, 0, ?, ? FROM ref_blobs WHERE provider = ?';
    db.run(sql, place.kind, placeText(place), provider);
  }
  // Of a ref whose place is its own name it is not known who delivered its blobs; they are asked for again.
  const unknown = `place = '' OR place IN (SELECT id FROM refs)`;
  for (const { name } of db.all<{ name: string }>(
    `SELECT place AS name FROM refs WHERE NOT (${unknown}) UNION SELECT place FROM blob_deliveries WHERE NOT (${unknown})`,
  )) {
    const place = repository(name);
    if (place === undefined) continue;
    const moved = 'INSERT INTO blob_deliveries_next SELECT digest, scope, ?, ? FROM blob_deliveries WHERE place = ?';
    db.run(moved, place.kind, placeText(place), name);
    db.run('UPDATE refs SET place = ? WHERE place = ?', placesName([place]), name);
  }
  db.run('DROP TABLE blob_deliveries');
  db.run('ALTER TABLE blob_deliveries_next RENAME TO blob_deliveries');
  db.run('ALTER TABLE ref_blobs DROP COLUMN provider');
}

/**
 * What a ref is: being written on its parent, or that once it is done; one layer with all that its parent only keeps the files of; its parents one above the
 * other; what makes the second parent of the first.
 */
export type RefKind = 'mutable' | 'layer' | 'whole' | 'merge' | 'diff';

/** A row of `refs`. Times in ms since the epoch, size in bytes. */
export interface RefRow {
  readonly id: string;
  readonly kind: RefKind;
  /** Name of its snapshot; null while it is lazy. */
  readonly snapshot: string | null;
  readonly description: string;
  readonly record_type: string;
  readonly scope: string;
  readonly created_at: number;
  readonly last_used_at: number;
  readonly usage_count: number;
  readonly size: number | null;
  /** Of layers that were given: what they and those below are said to be; see {@link layerChain}. */
  readonly chain_id: string | null;
  /** Names the places that are to deliver its layer, see {@link placesName}; empty where it was made here. */
  readonly place: string;
  readonly diff_id: string | null;
  readonly stored: number;
}

/** A row of `ref_blobs`: a blob known to hold a ref's own layer. */
export interface BlobRow {
  readonly ref: string;
  readonly digest: string;
  /** Descriptor as JSON. */
  readonly descriptor: string;
  readonly type: 'gzip' | 'zstd' | 'uncompressed';
  readonly diff_id: string;
  readonly origin: 'given' | 'made';
  /** Whether the bytes in the content store are this ref's: made here, or delivered by one of its places. Those that others brought do not count. */
  readonly held: number;
  /** How its tar differs from the layer, of which it was made for images: it never stands for the ref. Null where it does not. */
  readonly derived?: string | null;
  /** What made it, here or, of one that was given, at the builder that says so; null where that is not known. */
  readonly compressor?: string | null;
}

/** Whether the ref is had again by its blob, and not by those of others. */
export function hasOwnBlob({ kind }: RefRow): boolean {
  return kind === 'layer' || kind === 'whole';
}
