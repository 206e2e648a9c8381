import {
  type AbortOptions,
  areLooser,
  type BuildLimits,
  CodedError,
  type Descriptor,
  type Digest,
  KeyedSemaphore,
  NO_LIMITS,
  neverAborted,
  newId,
  sharedLimits,
  toCodedError,
  type WorkOptions,
} from '../../base/index.ts';
import type { RefOptions } from '../ports.ts';
import { changedRefs, openChanges } from './changes.ts';
import { counter, fromPlaces, sourceName } from './fetching.ts';
import type { KnownLayers } from './layers-of.ts';
import { type Losses, layerFailure, pullFailure } from './losses.ts';
import type { RefRecords } from './records.ts';
import { type BlobRow, hasOwnBlob, type RefRow } from './schema.ts';
import { ownerOf, SharedWork } from './shared-work.ts';

/** Blobs pulled at once from one registry for one client of a scope: a registry that drips, or a tenant that pulls much, keeps nobody else waiting. */
const MAX_PULLS = 6;

type Participants = ReadonlySet<RefOptions>;
type Shared = AbortOptions & { readonly participants: Participants };

/** Brings lazy refs here: each blob is pulled once and each layer unpacked once, however many builds wait for it. */
export class Unlazier {
  readonly #records: RefRecords;
  readonly #losses: Losses;
  readonly #pulls = new SharedWork<string, RefOptions>();
  readonly #unpacks = new SharedWork<void, RefOptions>();
  /** The limits of unpackings that failed on one. */
  readonly #overLimits = new WeakMap<object, BuildLimits>();
  readonly #permits = new KeyedSemaphore(MAX_PULLS);

  constructor(records: RefRecords, losses: Losses) {
    this.#records = records;
    this.#losses = losses;
  }

  /** Afterwards the ref and what it is mounted of have snapshots. @throws CodedError not_found when a blob can no longer be had */
  async unlazy(id: string, options: RefOptions): Promise<void> {
    const lazy = this.#lazyOnes(id);
    if (lazy.length === 0) return;
    const stop = new AbortController();
    const signal = AbortSignal.any([options.signal, stop.signal]);
    // Pulls run ahead of unpacking, which goes bottom up.
    const chosen = lazy.map((row) => {
      if (!hasOwnBlob(row)) return { row };
      const blob = this.#records.usableBlobs(row)[0];
      if (blob === undefined) throw layerFailure(row.id, gone(row, 'its layer'), options);
      return { row, blob };
    });
    const pulls = chosen.map(({ row, blob }) => blob && this.pull(row, blob, { ...options, signal }));
    for (const pull of pulls) pull?.catch(() => {});
    try {
      for (const [n, { row, blob }] of chosen.entries()) {
        const path = await pulls[n];
        const unpack = (shared: Shared) =>
          blob === undefined || path === undefined
            ? this.#stack(row.id, shared)
            : this.#unpack(row.id, blob, path, shared);
        await this.#unpackShared(row.id, unpack, { ...options, signal }).catch((error: unknown) => {
          throw layerFailure(row.id, error, options);
        });
      }
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled(pulls);
      throw error;
    }
  }

  /** The ref and what must have a snapshot before it, as far as these have none: each once, after those that it needs. */
  #lazyOnes(id: string): RefRow[] {
    const records = this.#records;
    const found = new Set<string>();
    const order: RefRow[] = [];
    const ways: { readonly id: string; readonly row?: RefRow }[] = [{ id }];
    for (let at = ways.pop(); at !== undefined; at = ways.pop()) {
      if (at.row !== undefined) order.push(at.row);
      if (at.row !== undefined || found.has(at.id)) continue;
      found.add(at.id);
      const row = records.row(at.id);
      if (row === undefined || row.snapshot !== null) continue;
      ways.push({ id: row.id, row });
      if (row.kind === 'whole') continue;
      if (row.kind === 'layer') {
        for (const parent of records.parents(row.id)) ways.push({ id: parent });
        continue;
      }
      const { base, layers } = this.#partsOf(row);
      const needed = layers.flatMap((one) => changedRefs(records, one));
      for (const one of needed.toReversed()) ways.push({ id: one });
      if (base !== undefined) ways.push({ id: base });
    }
    return order;
  }

  /** What the snapshot of a merge or a diff is stacked of: layers on the snapshot of `base`, where they lie as they were made. */
  #partsOf({ id, kind }: RefRow): { readonly base: string | undefined; readonly layers: readonly RefRow[] } {
    const records = this.#records;
    if (kind !== 'merge') return { base: undefined, layers: records.layersOf(id) };
    const [base, ...others] = records.parents(id);
    const known: KnownLayers = new Map();
    return { base, layers: others.flatMap((other) => records.layersOf(other, known)) };
  }

  /** Path of a blob of this ref's layer in the content store, pulled if need be. */
  pull(row: RefRow, blob: BlobRow, options: RefOptions): Promise<string> {
    const { size } = JSON.parse(blob.descriptor) as Descriptor;
    const key = `${row.scope} ${row.place} ${blob.digest} ${size}`;
    const work = (shared: AbortOptions & { participants: Participants }) => this.#pull(row, blob, shared);
    const pulled = this.#pulls.run(key, { ...options }, options, work);
    return pulled.then(
      (path) => {
        // Another ref of the same scope and places may have done the work.
        if (blob.held === 0) this.#records.setHeld(row.id, blob.digest, true);
        return path;
      },
      (error: unknown) => {
        throw pullFailure(row.id, error, options);
      },
    );
  }

  async #pull(
    row: RefRow,
    blob: BlobRow,
    { signal, participants }: AbortOptions & { participants: Participants },
  ): Promise<string> {
    const records = this.#records;
    const { content } = records.options;
    const digest = blob.digest as Digest;
    const descriptor = JSON.parse(blob.descriptor) as Descriptor;
    if (records.isHere(row, blob)) return content.path(digest);
    const report = (current: number, completed: boolean) => {
      for (const { onProgress } of onePerBuild(participants))
        onProgress?.({ id: digest, current, total: descriptor.size, completed });
    };
    const sessions = () => [...new Set([...participants].flatMap((p) => p.sessions()))];
    const path = await fromPlaces(records.places, blob, { signal }, async (fetcher, place) => {
      const [client = ''] = sessions();
      const key = JSON.stringify([row.scope, client, fetcher.host(place)]);
      using _permit = await this.#permits.acquire(key, { signal });
      report(0, false);
      const told = (line: string) => {
        for (const participant of onePerBuild(participants)) participant.told?.(line);
      };
      const owner = ownerOf(participants);
      const stream = await fetcher.open(place, descriptor, { signal, owner, sessions, told });
      let pulled = 0;
      const counted = stream.pipeThrough(
        counter((bytes) => {
          pulled = bytes;
          report(bytes, false);
        }),
      );
      try {
        await content.ingest(counted, { digest, size: descriptor.size }, { signal });
      } finally {
        records.options.onPulled?.(owner, sourceName(fetcher, place), pulled);
      }
      records.places.deliver(digest, row.scope, place);
      report(descriptor.size, true);
      return content.path(digest);
    });
    if (path === undefined) throw gone(row, digest);
    return path;
  }

  /** The snapshot of a merge or a diff: of the layers' own directories, as far as they may lie there as they are. */
  async #stack(id: string, { signal, participants }: AbortOptions & { participants: Participants }): Promise<void> {
    const work: WorkOptions = { signal, owner: ownerOf(participants) };
    const records = this.#records;
    const { snapshotter, tools, db } = records.options;
    const row = records.row(id);
    if (row === undefined) throw new CodedError('not_found', `ref ${id} is gone`, { fault: 'infrastructure' });
    if (row.snapshot !== null) return;
    const { base, layers } = this.#partsOf(row);
    const parent = base === undefined ? undefined : (records.row(base)?.snapshot ?? undefined);
    if (base !== undefined && parent === undefined) throw gone(row, 'what it lies on');
    const key = `stack-${newId()}`;
    const name = snapshotter.has(id) ? newId() : id;
    await snapshotter.prepare(key, parent, work);
    let snapshot = key;
    try {
      const lowers = parent === undefined ? [] : [...snapshotter.directories(parent)];
      const stack: (string | undefined)[] = [];
      for (const [position, layer] of layers.entries()) {
        await using changes = await openChanges(records, layer, work);
        if (changes === undefined) throw layerFailure(layer.id, gone(layer, 'its layer'), { signal });
        const { directory, below, whole } = changes;
        const into = snapshotter.layerDir(key, position);
        const fits = await tools.restack({ directory, below, whole, lowers, into }, work);
        stack.push(fits ? (layer.snapshot ?? undefined) : undefined);
        lowers.unshift(fits ? directory : into);
      }
      await snapshotter.commitStack(name, key, stack, work);
      snapshot = name;
      db.run('UPDATE refs SET snapshot = ?, size = NULL WHERE id = ?', name, id);
    } catch (error) {
      await snapshotter.remove(snapshot, { signal: neverAborted }).catch(() => {});
      throw error;
    }
  }

  /** Held to the loosest limits of those who wait when it begins. Whoever comes later and has looser ones does not fail with it: it is begun again. */
  async #unpackShared(id: string, unpack: (shared: Shared) => Promise<void>, options: RefOptions): Promise<void> {
    while (true)
      try {
        return await this.#unpacks.run(id, { ...options }, options, unpack);
      } catch (error) {
        const heldTo = this.#overLimits.get(error as object);
        if (heldTo === undefined || !areLooser(options.limits?.() ?? NO_LIMITS, heldTo)) throw error;
      }
  }

  async #unpack(
    id: string,
    layer: BlobRow,
    blob: string,
    { signal, participants }: AbortOptions & { participants: Participants },
  ): Promise<void> {
    const records = this.#records;
    const { snapshotter, tools, db } = records.options;
    const row = records.row(id);
    if (row === undefined) throw new CodedError('not_found', `ref ${id} is gone`, { fault: 'infrastructure' });
    if (row.snapshot !== null) return;
    const [parent] = row.kind === 'whole' ? [] : records.parents(id).map((one) => records.row(one));
    if (parent?.snapshot === null) throw gone(row, 'what it lies on');
    const like = records.snapshotLike(row, parent?.snapshot);
    if (like !== undefined) {
      db.run('UPDATE refs SET snapshot = ? WHERE id = ?', like, id);
      db.run('UPDATE refs SET size = NULL WHERE snapshot = ?', like);
      return;
    }
    const digest = layer.digest as Digest;
    const total = (JSON.parse(layer.descriptor) as Descriptor).size;
    const report = (current: number, completed: boolean) => {
      for (const { onProgress } of onePerBuild(participants))
        onProgress?.({ id: `extracting ${digest}`, current, total, completed });
    };
    report(0, false);
    const limits = sharedLimits([...participants].map((one) => one.limits?.() ?? NO_LIMITS));
    const work: WorkOptions = { signal, owner: ownerOf(participants) };
    const key = `unpack-${newId()}`;
    // One that was found damaged may still be there under the first name.
    const name = snapshotter.has(id) ? newId() : id;
    await snapshotter.prepare(key, parent?.snapshot, work);
    let snapshot = key;
    try {
      const lowers = parent === undefined ? [] : snapshotter.directories(parent.snapshot);
      const diffId = layer.diff_id as Digest;
      const args = {
        blob,
        directory: snapshotter.upperDir(key),
        digest,
        diffId,
        limits,
        onProgress: (n: number) => report(n, false),
      };
      const image = await snapshotter.imageFile(key, total, work);
      const isImage =
        image !== undefined && (await tools.index({ ...args, image }, work)) && (await snapshotter.useImage(key, work));
      if (!isImage) await tools.apply({ ...args, lowers }, work);
      await snapshotter.commit(name, key, work);
      snapshot = name;
      db.run('UPDATE refs SET snapshot = ?, size = NULL WHERE id = ?', name, id);
    } catch (error) {
      await snapshotter.remove(snapshot, { signal: neverAborted }).catch(() => {});
      const blamed = toCodedError(await this.#losses.blameBlob(layer, error, work));
      if (blamed.reason === 'UNPACK_LIMIT') this.#overLimits.set(blamed, limits);
      throw blamed;
    }
    report(total, true);
  }
}

/** Of the steps of one build that wait for the same, the first shows it. */
function onePerBuild(participants: Participants): Iterable<RefOptions> {
  const shown = new Map<unknown, RefOptions>();
  for (const participant of participants) {
    const build = participant.sessions()[0] ?? participant;
    if (!shown.has(build)) shown.set(build, participant);
  }
  return shown.values();
}

function gone(row: RefRow, what: string): CodedError {
  return CodedError.of('REF_CONTENT_GONE', `ref ${row.id} (${row.description}): ${what} can no longer be had`, {
    hint: 'build it again, or give the registry it came from',
  });
}
