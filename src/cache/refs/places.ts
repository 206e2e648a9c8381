import type { Digest } from '../../base/index.ts';
import type { Database } from '../metadata/index.ts';
import type { BlobFetcher, BlobFetchers, BlobPlace } from '../ports.ts';

/** Places that one chain of layers is said to be at: whoever writes manifests chooses them. */
const MAX_PLACES = 16;
/** Places of a scope that one blob is remembered to have come from, or gone to. */
const MAX_DELIVERIES = 256;
/** Repositories of one registry that it is asked to mount a blob from. */
const MAX_MOUNTS = 4;

/** Names a place of its kind in the database: equal places are one. */
export function placeText({ kind: _kind, ...rest }: BlobPlace): string {
  return JSON.stringify(Object.fromEntries(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Who answers for what a chain of layers holds that is said to be at any of these places. */
export function placesName(places: readonly BlobPlace[]): string {
  return [...new Set(places.map((place) => `${place.kind} ${placeText(place)}`))].sort().join(' ');
}

/** The places that are taken of those that somebody names, each once. */
export function takenPlaces(places: readonly BlobPlace[]): readonly BlobPlace[] {
  return [...new Map(places.map((place) => [placesName([place]), place])).values()].slice(0, MAX_PLACES);
}

interface PlaceRow {
  readonly kind: BlobPlace['kind'];
  readonly place: string;
}

/**
 * Where blobs of lazy refs may be had, best first, and which places have shown that they have one. A name never vouches for content: that a digest is said to be
 * somewhere gives nobody its bytes, until that place has delivered all of them to the scope, or been given them by it.
 */
export class BlobPlaces {
  readonly #db: Database;
  readonly #fetchers: BlobFetchers;
  /** Of this life only, by ref. */
  readonly #passing = new Map<string, readonly { readonly digest: string; readonly place: BlobPlace }[]>();

  constructor(db: Database, fetchers: BlobFetchers) {
    this.#db = db;
    this.#fetchers = fetchers;
  }

  /** What reads from the place; undefined when this builder has none for its kind. */
  fetcher(place: BlobPlace): BlobFetcher | undefined {
    return this.#fetchers[place.kind] as BlobFetcher | undefined;
  }

  /** From now on the blob of the ref may be had from these places. */
  add(ref: string, digest: string, places: readonly BlobPlace[]): void {
    for (const [pos, place] of places.entries()) {
      if (this.fetcher(place)?.lasting === false) {
        const others = (this.#passing.get(ref) ?? []).filter(
          (one) => one.digest !== digest || placesName([one.place]) !== placesName([place]),
        );
        this.#passing.set(ref, [...others, { digest, place }]);
      } else
        this.#db.run(
          'INSERT OR IGNORE INTO blob_places (ref, digest, pos, kind, place) VALUES (?, ?, ?, ?, ?)',
          ...[ref, digest, pos, place.kind, placeText(place)],
        );
    }
  }

  /** The ref is no more; its rows go with it. */
  forget(ref: string): void {
    this.#passing.delete(ref);
  }

  /** Those of the places of a ref's blob that something here reads from. */
  of(ref: string, digest: string): BlobPlace[] {
    const passing = (this.#passing.get(ref) ?? []).flatMap((one) => (one.digest === digest ? [one.place] : []));
    const sql = 'SELECT kind, place FROM blob_places WHERE ref = ? AND digest = ? ORDER BY pos';
    const stored = this.#db.all<PlaceRow>(sql, ref, digest).map(read);
    return [...passing, ...stored].filter((place) => this.fetcher(place) !== undefined);
  }

  /** Whether one of the places of a ref's blob has shown to the scope that it has it. */
  isDelivered(ref: string, digest: string, scope: string): boolean {
    const sql = `SELECT 1 FROM blob_places p JOIN blob_deliveries d ON d.digest = p.digest AND d.scope = ? AND d.kind = p.kind AND d.place = p.place
      WHERE p.ref = ? AND p.digest = ?`;
    return this.#db.get(sql, scope, ref, digest) !== undefined;
  }

  /** From now on the scope may have the blob by the name of this place, which has delivered all its bytes, or was given them. */
  deliver(digest: string, scope: string, place: BlobPlace): void {
    if (this.fetcher(place)?.lasting === false) return;
    // Whoever builds chooses the names. What is forgotten is delivered again when it is wanted by that name.
    const known = 'SELECT count(*) AS count FROM blob_deliveries WHERE digest = ? AND scope = ?';
    if ((this.#db.get<{ count: number }>(known, digest, scope)?.count ?? 0) >= MAX_DELIVERIES)
      this.#db.run('DELETE FROM blob_deliveries WHERE digest = ? AND scope = ?', digest, scope);
    this.#db.run(
      'INSERT OR IGNORE INTO blob_deliveries (digest, scope, kind, place) VALUES (?, ?, ?, ?)',
      ...[digest, scope, place.kind, placeText(place)],
    );
  }

  /** Of a blob that was removed. A part of making room. */
  forgetDeliveries(digest: Digest): void {
    this.#db.reserved(() => this.#db.run('DELETE FROM blob_deliveries WHERE digest = ?', digest));
  }

  /** All blobs that were delivered and not forgotten. */
  delivered(): readonly Digest[] {
    return this.#db.all<{ digest: Digest }>('SELECT DISTINCT digest FROM blob_deliveries').map(({ digest }) => digest);
  }

  /**
   * By host the repositories that a registry may mount the blob from, for whoever may read there: those of the ref, and with a scope those that it has had the
   * blob from, or given it.
   */
  repositories(ref: string, digest: string, scope: string | undefined): ReadonlyMap<string, readonly string[]> {
    const found = this.of(ref, digest);
    if (scope !== undefined) {
      const sql = `SELECT kind, place FROM blob_deliveries WHERE digest = ? AND scope = ? AND kind = 'registry'`;
      found.push(...this.#db.all<PlaceRow>(sql, digest, scope).map(read));
    }
    const byHost = new Map<string, string[]>();
    for (const place of found) {
      if (place.kind !== 'registry') continue;
      const known = byHost.get(place.host) ?? [];
      if (!known.includes(place.repository) && known.length < MAX_MOUNTS)
        byHost.set(place.host, [...known, place.repository]);
    }
    return byHost;
  }
}

function read({ kind, place }: PlaceRow): BlobPlace {
  return { kind, ...(JSON.parse(place) as object) } as BlobPlace;
}
