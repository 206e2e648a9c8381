import { type Descriptor, type Digest, LargeMap, newId } from '../../base/index.ts';
import type { RecordType } from '../ports.ts';
import type { RefsOptions } from './context.ts';
import { EMPTY_CHAIN } from './layer-chain.ts';
import { type KnownLayers, layersOf, parentsOf } from './layers-of.ts';
import { BlobPlaces } from './places.ts';
import { type BlobRow, hasOwnBlob, type RefKind, type RefRow } from './schema.ts';

const UNDER = `WITH RECURSIVE tree (id) AS (
  SELECT id FROM refs WHERE id = ? UNION SELECT p.parent FROM tree CROSS JOIN ref_parents p ON p.ref = tree.id
) SELECT refs.* FROM tree CROSS JOIN refs ON refs.id = tree.id`;
const STANDING_ON = `WITH RECURSIVE below (id) AS (
  SELECT id FROM refs WHERE id = ?1 UNION SELECT p.parent FROM below b CROSS JOIN ref_parents p ON p.ref = b.id
), above (id) AS (
  SELECT ?2 UNION SELECT p.ref FROM above a CROSS JOIN ref_parents p ON p.parent = a.id WHERE p.ref IN (SELECT id FROM below)
) SELECT refs.* FROM above CROSS JOIN refs ON refs.id = above.id WHERE above.id IN (SELECT id FROM below)`;

interface NewRef {
  readonly kind: RefKind;
  readonly id?: string;
  readonly parents?: readonly string[];
  readonly snapshot?: string;
  readonly description: string;
  readonly recordType: RecordType | undefined;
  readonly scope: string | undefined;
  readonly chainId?: Digest | typeof EMPTY_CHAIN;
  readonly diffId?: Digest;
  readonly place?: string;
}

/** The stored rows of refs, and what only this life knows of them: open handles. No wait in here: every method is one step. */
export class RefRecords {
  readonly options: RefsOptions;
  readonly #handles = LargeMap.byText<string, number>();
  readonly places: BlobPlaces;

  constructor(options: RefsOptions) {
    this.options = options;
    this.places = new BlobPlaces(options.db, options.fetchers ?? {});
  }

  now(): number {
    return Math.round(this.options.now?.() ?? Date.now());
  }

  row(id: string): RefRow | undefined {
    return this.options.db.get<RefRow>('SELECT * FROM refs WHERE id = ?', id);
  }

  count(): number {
    return this.options.db.get<{ n: number }>('SELECT count(*) AS n FROM refs')?.n ?? 0;
  }

  /** {@link layersOf} */
  layersOf(id: string, known?: KnownLayers): RefRow[] {
    return layersOf(this.options.db, id, known);
  }

  /** What the ref is made of, in order. */
  parents(id: string): string[] {
    return parentsOf(this.options.db, id);
  }

  /** The ref and all that it is made of, each once. */
  under(id: string): RefRow[] {
    return this.options.db.all<RefRow>(UNDER, id);
  }

  /** Those of {@link under} that are or stand on `layer`. */
  standingOn(layer: string, id: string): RefRow[] {
    return this.options.db.all<RefRow>(STANDING_ON, id, layer);
  }

  insert(ref: NewRef): string {
    const id = ref.id ?? newId();
    const now = this.now();
    const { db } = this.options;
    db.transaction(() => {
      db.run(
        `INSERT INTO refs (id, kind, snapshot, description, record_type, scope, created_at, last_used_at, chain_id, diff_id, place)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[id, ref.kind, ref.snapshot ?? null, ref.description, ref.recordType ?? 'regular', ref.scope ?? ''],
        ...[now, now, ref.chainId ?? null, ref.diffId ?? null, ref.place ?? ''],
      );
      for (const [pos, parent] of (ref.parents ?? []).entries())
        db.run('INSERT INTO ref_parents (ref, pos, parent) VALUES (?, ?, ?)', id, pos, parent);
    });
    return id;
  }

  /** Deletes the row (blobs, metadata and leases' entries go with it); the caller removes the snapshot. */
  delete(id: string): void {
    this.options.db.reserved(() => {
      this.options.db.run(`DELETE FROM lease_resources WHERE kind = 'ref' AND resource = ?`, id);
      this.options.db.run('DELETE FROM refs WHERE id = ?', id);
    });
    this.places.forget(id);
  }

  /** Opens one more handle. */
  hold(id: string): void {
    this.#handles.set(id, (this.#handles.get(id) ?? 0) + 1);
  }

  /** Closes one; true when it was the last. */
  letGo(id: string): boolean {
    const left = (this.#handles.get(id) ?? 0) - 1;
    if (left > 0) {
      this.#handles.set(id, left);
      return false;
    }
    this.#handles.delete(id);
    return true;
  }

  /** Whether the ref is an empty file system, which is no layer. */
  isEmpty(id: string): boolean {
    return this.row(id)?.chain_id === EMPTY_CHAIN;
  }

  inUse(id: string): boolean {
    return this.#handles.has(id);
  }

  hasChildren(id: string): boolean {
    return this.options.db.get('SELECT 1 FROM ref_parents WHERE parent = ?', id) !== undefined;
  }

  leased(id: string): boolean {
    return this.options.db.get(`SELECT 1 FROM lease_resources WHERE kind = 'ref' AND resource = ?`, id) !== undefined;
  }

  touch(id: string): void {
    const { db } = this.options;
    db.ifRoom(() =>
      db.run('UPDATE refs SET last_used_at = ?, usage_count = usage_count + 1 WHERE id = ?', this.now(), id),
    );
  }

  /** The blobs of a ref's layer that can be had: first those that are here, then those that some place may give. */
  usableBlobs(row: RefRow): BlobRow[] {
    const blobs = this.blobs(row.id).filter(({ derived }) => !derived);
    const here = blobs.filter((blob) => this.isHere(row, blob));
    const away = blobs.filter((blob) => !here.includes(blob) && this.places.of(row.id, blob.digest).length > 0);
    return [...here, ...away];
  }

  blobs(ref: string): BlobRow[] {
    return this.options.db.all<BlobRow>('SELECT * FROM ref_blobs WHERE ref = ?', ref);
  }

  addBlob(row: BlobRow): void {
    this.options.db.run(
      `INSERT INTO ref_blobs (ref, digest, descriptor, type, diff_id, origin, held, derived, compressor)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (ref, digest) DO UPDATE SET descriptor = excluded.descriptor, type = excluded.type, diff_id = excluded.diff_id,
         origin = excluded.origin, held = excluded.held, derived = excluded.derived, compressor = excluded.compressor`,
      ...[row.ref, row.digest, row.descriptor, row.type, row.diff_id, row.origin, row.held],
      ...[row.derived ?? null, row.compressor ?? null],
    );
    this.options.db.run('UPDATE refs SET size = NULL WHERE id = ?', row.ref);
  }

  metadata(ref: string, key: string): string | undefined {
    const sql = 'SELECT value FROM ref_metadata WHERE ref = ? AND key = ?';
    return this.options.db.get<{ value: string }>(sql, ref, key)?.value;
  }

  setMetadata(ref: string, key: string, value: string): void {
    const { db } = this.options;
    db.transaction(() => {
      db.run('INSERT OR REPLACE INTO ref_metadata (ref, key, value) VALUES (?, ?, ?)', ref, key, value);
      db.run('UPDATE refs SET size = NULL WHERE id = ?', ref);
    });
  }

  setHeld(ref: string, digest: string, held: boolean): void {
    this.options.db.run('UPDATE ref_blobs SET held = ? WHERE ref = ? AND digest = ?', held ? 1 : 0, ref, digest);
    this.options.db.run('UPDATE refs SET size = NULL WHERE id = ?', ref);
  }

  /**
   * Whether a blob of the ref may be read from the store: its bytes are there, and were made for the ref, or one of its places has shown that it has them. That
   * some other place, or another scope, brought the same digest is no reason.
   */
  isHere({ id, scope }: RefRow, { digest, descriptor, held }: BlobRow): boolean {
    if (this.options.content.info(digest as Digest)?.size !== (JSON.parse(descriptor) as Descriptor).size) return false;
    return held === 1 || this.places.isDelivered(id, digest, scope);
  }

  /** A snapshot of the scope that holds what this row is going to, on the same snapshot below: another repository's, unpacked and found right. */
  snapshotLike({ scope, chain_id }: RefRow, below: string | undefined): string | undefined {
    if (chain_id === null) return undefined;
    const sql = `SELECT r.snapshot FROM refs r LEFT JOIN ref_parents l ON l.ref = r.id LEFT JOIN refs p ON p.id = l.parent
      WHERE r.scope = ? AND r.chain_id = ? AND r.snapshot IS NOT NULL AND p.snapshot IS ?`;
    return this.options.db
      .all<{ snapshot: string }>(sql, scope, chain_id, below ?? null)
      .find(({ snapshot }) => this.options.snapshotter.has(snapshot))?.snapshot;
  }

  /** Whether a ref stands for this snapshot; several may. */
  isNamed(snapshot: string): boolean {
    return this.options.db.get('SELECT 1 FROM refs WHERE snapshot = ?', snapshot) !== undefined;
  }

  /** Whether the content of a ref can be had: unpacked here, or lazy with a way to get it, or made of what can. */
  obtainable(row: RefRow): boolean {
    const wanted: RefRow[] = [row];
    const seen = new Set<string>();
    for (let one = wanted.pop(); one !== undefined; one = wanted.pop()) {
      if (one.snapshot !== null) {
        if (!this.options.snapshotter.has(one.snapshot)) return false;
        continue;
      }
      if (hasOwnBlob(one) && this.usableBlobs(one).length === 0) return false;
      if (one.kind === 'whole') continue;
      for (const parent of this.parents(one.id)) {
        if (seen.has(parent)) continue;
        seen.add(parent);
        wanted.push(this.row(parent) as RefRow);
      }
    }
    return true;
  }
}
