import {
  type AbortOptions,
  CodedError,
  type Descriptor,
  type Digest,
  findCause,
  neverAborted,
  sameAs,
  toCodedError,
  type WorkOptions,
} from '../../base/index.ts';
import { findLostResult, type LossKind, LostResultError } from '../../solver/ports.ts';
import { siblingModule, tasksOf } from '../../sys/index.ts';
import { pullLoss } from './fetching.ts';
import type { RefRecords } from './records.ts';
import type { BlobRow, RefRow } from './schema.ts';

const task = tasksOf<typeof import('./mount-tasks.ts')>(siblingModule(import.meta.url, './mount-tasks'));
/** The layer of one ref cannot be had; as the failure itself to whoever does not care whose layer it was. */
class LayerLostError extends CodedError {
  readonly ref: string;
  readonly kind: LossKind;

  constructor(ref: string, kind: LossKind, cause: unknown) {
    const coded = toCodedError(cause);
    super(coded.code, coded.message, { ...sameAs(coded), cause });
    this.ref = ref;
    this.kind = kind;
  }
}

/** Codes of failures to read a layer after which there is no such layer: it is not there, damaged, or no layer at all, whatever was said of it. */
const NO_LAYER: ReadonlySet<string> = new Set(['not_found', 'data_loss', 'invalid_argument']);

/** Names the ref in a failure to read its layer here; a cancellation and failures of another kind stay what they are. */
export function layerFailure(ref: string, error: unknown, { signal }: AbortOptions): unknown {
  if (signal.aborted || error instanceof LayerLostError) return error;
  return NO_LAYER.has(toCodedError(error).code) ? new LayerLostError(ref, 'gone', error) : error;
}

/** The same of a failure to have it from its places, be it for now: another build may have it. */
export function pullFailure(ref: string, error: unknown, { signal }: AbortOptions): unknown {
  if (signal.aborted || error instanceof LayerLostError) return error;
  const kind = pullLoss(error);
  return kind === undefined ? error : new LayerLostError(ref, kind, error);
}

/**
 * What became of content that records promise. Whoever works on a ref and fails on its content gets a
 * {@link LostResultError} for it; cache keys forget it, and what stands on it, so that all of it is made or fetched again.
 */
export class Losses {
  readonly #records: RefRecords;

  constructor(records: RefRecords) {
    this.#records = records;
  }

  /** Runs work that needs the content of a ref. @throws LostResultError when that content turned out lost */
  async guard<T>(id: string, { signal, owner }: WorkOptions, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || findLostResult(error) !== undefined) throw error;
      await this.#checkSnapshots(id, { signal, owner }, error);
      const layer = findCause(error, LayerLostError);
      if (layer === undefined) throw error;
      if (layer.kind === 'gone' && layer.code === 'data_loss') await this.discardDamaged(id, { signal, owner });
      throw this.#lost(id, layer.ref, error, layer.kind);
    }
  }

  /** {@link ImmutableRef.check} */
  async check(id: string, blob: Descriptor | undefined, { signal, owner }: WorkOptions): Promise<void> {
    await this.#checkSnapshots(id, { signal, owner });
    if (blob === undefined) return;
    const { content } = this.#records.options;
    const row = this.#records.layersOf(id).findLast((one) => this.#blobOf(one, blob.digest) !== undefined);
    const known = row === undefined ? undefined : this.#blobOf(row, blob.digest);
    if (row === undefined || known === undefined || !this.#records.isHere(row, known)) return;
    if (await content.verify(blob.digest, { signal, owner })) return;
    await this.discardDamaged(id, { signal, owner });
    throw this.#lost(id, row.id, damaged(blob.digest));
  }

  /** The failure to tell of work that read a blob: its bytes went bad here, and are dropped; else what is said of them is wrong. */
  async blameBlob(blob: BlobRow, error: unknown, options: WorkOptions): Promise<unknown> {
    if (options.signal.aborted) return error;
    const digest = blob.digest as Digest;
    const { code, message } = toCodedError(error);
    if (code !== 'invalid_argument' && code !== 'data_loss') return error;
    if (!(await this.#records.options.content.verify(digest, options))) {
      await this.discard(blob);
      return damaged(digest, error);
    }
    if (code === 'invalid_argument') return error;
    return CodedError.of('REF_LAYER_MISDESCRIBED', `layer ${digest} is not what its image says: ${message}`, {
      cause: error,
    });
  }

  /** Where one blob went bad others may have too: reads all that are here of a ref's layers. */
  async discardDamaged(id: string, options: WorkOptions): Promise<void> {
    const { content } = this.#records.options;
    for (const row of this.#records.layersOf(id))
      for (const blob of this.#records.blobs(row.id)) {
        if (!this.#records.isHere(row, blob)) continue;
        if (!(await content.verify(blob.digest as Digest, options))) await this.discard(blob);
      }
  }

  /** Bytes that were read and do not fit their digest are had again: from where they came, or made anew. */
  async discard({ ref, digest, origin }: BlobRow): Promise<void> {
    const { db, content } = this.#records.options;
    await content.remove(digest as Digest);
    db.reserved(() => {
      this.#records.setHeld(ref, digest, false);
      if (origin === 'made' || this.#records.blobs(ref).length > 1)
        db.run('DELETE FROM ref_blobs WHERE ref = ? AND digest = ?', ref, digest);
    });
  }

  /** Those of these snapshots whose directory is not there. */
  async missing(snapshots: readonly string[], options: WorkOptions): Promise<ReadonlySet<string>> {
    const { snapshotter, pools } = this.#records.options;
    const known = snapshots.filter((name) => snapshotter.has(name));
    const owned = known.flatMap((name) => snapshotter.ownDirs(name).map((path) => ({ name, path })));
    const paths = owned.map(({ path }) => path);
    const found = await pools.short.run(task('missingDirectories'), { paths }, options);
    return new Set([
      ...snapshots.filter((name) => !known.includes(name)),
      ...found.map((n) => owned[n]?.name as string),
    ]);
  }

  async #checkSnapshots(id: string, options: WorkOptions, cause?: unknown): Promise<void> {
    const all = this.#records.under(id);
    const missing = await this.missing(
      all.flatMap(({ snapshot }) => (snapshot === null ? [] : [snapshot])),
      options,
    );
    const lost = all.filter(({ snapshot }) => snapshot !== null && missing.has(snapshot));
    const [lowest] = inOrder(lost, (row) => this.#records.under(row.id).map((one) => one.id));
    if (lowest === undefined) return;
    await this.#forgetSnapshots(lowest);
    const gone = CodedError.of('REF_CONTENT_GONE', `the files of ref ${lowest.id} (${lowest.description}) are gone`, {
      code: 'data_loss',
      cause,
      hint: 'something removed files below the state directory: build again, or prune all',
    });
    throw this.#lost(id, lowest.id, gone);
  }

  /** What was unpacked of a ref and of all that stands on it is worth nothing without it. Layers whose blobs can be had are lazy again. */
  async #forgetSnapshots(lowest: RefRow): Promise<void> {
    const { db, snapshotter, onResultDropped, log } = this.#records.options;
    const affected = db.all<RefRow>(
      `WITH RECURSIVE above (id) AS (
        SELECT id FROM refs WHERE snapshot = ?
        UNION SELECT p.ref FROM above a CROSS JOIN ref_parents p ON p.parent = a.id
      ) SELECT refs.* FROM above CROSS JOIN refs ON refs.id = above.id WHERE refs.kind <> 'mutable'`,
      lowest.snapshot,
    );
    const above = inOrder(affected, ({ id }) => this.#records.parents(id));
    log.warn('the files of a ref are gone', {
      ref: lowest.id,
      description: lowest.description,
      above: above.length - 1,
    });
    db.reserved(() => {
      for (const { id } of above) db.run('UPDATE refs SET snapshot = NULL, size = NULL WHERE id = ?', id);
    });
    for (const row of above)
      if (row.stored === 1 && !this.#records.obtainable({ ...row, snapshot: null })) onResultDropped?.(row.id);
    const records = this.#records;
    const mounted = new Set(above.filter(({ id }) => records.inUse(id)).map(({ snapshot }) => snapshot));
    for (const { id, snapshot } of above.toReversed()) {
      if (records.inUse(id)) continue;
      // One that is still a parent goes at the next start.
      if (snapshot !== null && !mounted.has(snapshot))
        await snapshotter.remove(snapshot, { signal: neverAborted }).catch(() => {});
      const row = records.row(id);
      if (row === undefined || row.snapshot !== null || records.inUse(id) || records.obtainable(row)) continue;
      if (!records.hasChildren(id) && !records.leased(id)) records.delete(id);
    }
  }

  /** The loss of a ref by that of a layer. When that is gone, the records that stand on it are dropped. */
  #lost(id: string, layer: string, cause: unknown, kind: LossKind = 'gone'): LostResultError {
    const stored = this.#records.standingOn(layer, id).filter((row) => row.stored === 1);
    if (kind === 'gone') for (const row of stored) this.#records.options.onResultDropped?.(row.id);
    const below = stored.map((row) => row.id).filter((one) => one !== id);
    return new LostResultError(id, toCodedError(cause).message, { cause, kind, below });
  }

  #blobOf(row: RefRow, digest: Digest): BlobRow | undefined {
    return this.#records.blobs(row.id).find((blob) => blob.digest === digest);
  }
}

/** What each needs of the others before it. */
function inOrder(rows: readonly RefRow[], needs: (row: RefRow) => readonly string[]): RefRow[] {
  const waiting = new Map(rows.map((row) => [row.id, row]));
  const ordered: RefRow[] = [];
  const open = [...rows].reverse().map((row) => ({ row, begun: false }));
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const { row, begun } = at;
    if (begun) ordered.push(row);
    else if (waiting.delete(row.id)) {
      open.push({ row, begun: true });
      for (const id of needs(row)) {
        const needed = waiting.get(id);
        if (needed !== undefined) open.push({ row: needed, begun: false });
      }
    }
  }
  return ordered;
}

function damaged(digest: Digest, cause?: unknown): CodedError {
  return CodedError.of('CONTENT_DIGEST_MISMATCH', `blob ${digest} is damaged in the content store`, {
    cause,
    hint: 'check the disk of the builder; it was dropped, so build again',
  });
}
