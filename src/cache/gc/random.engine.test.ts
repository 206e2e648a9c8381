import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Digest, digestOf, HOUSE, neverAborted } from '../../base/index.ts';
import type { State } from '../../builder-pod/state/index.ts';
import type { Lease } from '../leases/index.ts';
import type { ImmutableRef } from '../ports.ts';
import { refResult } from '../refs/index.ts';
import { openTestState } from '../testing/open-state.ts';
import { collectBlobs, diskUsage, prune } from './index.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };

/** One of these at a time, and the last few of them side by side; `n` chooses what it is done to. */
const step = fc.record({
  verb: fc.constantFrom(
    'build',
    'build',
    'build',
    'pack',
    'release',
    'release',
    'lease',
    'unlease',
    'take',
    'prune',
    'pruneSome',
  ),
  n: fc.nat(1000),
});

/** What was done, as far as it decides what must still be there. */
class World {
  readonly state: State;
  readonly handles: ImmutableRef[] = [];
  readonly leases: { readonly lease: Lease; readonly ref?: string; readonly blob?: Digest }[] = [];
  /** By ref: the one below. */
  readonly parents = new Map<string, string | undefined>();
  readonly layers = new Map<string, Digest[]>();
  #count = 0;

  constructor(state: State) {
    this.state = state;
  }

  async do(verb: string, n: number): Promise<void> {
    const { state, handles, leases } = this;
    const handle = handles.length === 0 ? undefined : handles[n % handles.length];
    if (verb === 'build') {
      const below = n % 3 === 0 ? undefined : handle?.clone();
      const mutable = await state.refs.create(below, { ...options, description: `ref ${this.#count++}` });
      {
        await using view = await mutable.mount(options);
        writeFileSync(join(view.root, mutable.id), mutable.id);
      }
      const ref = await mutable.commit(options);
      this.parents.set(ref.id, below?.id);
      await below?.release();
      if (n % 2 === 0) await state.results.save(refResult(ref));
      handles.push(ref);
    } else if (verb === 'pack' && handle !== undefined) {
      const held = handle.clone();
      const layers = await held.layers(options);
      this.layers.set(
        held.id,
        layers.map(({ descriptor }) => descriptor.digest),
      );
      await held.release();
    } else if (verb === 'release' && handle !== undefined) {
      handles.splice(handles.indexOf(handle), 1);
      await handle.release();
    } else if (verb === 'lease' && handle !== undefined) {
      const lease = state.leases.open({ owner: 'test', persistent: n % 2 === 0 });
      lease.addRef(handle.id);
      leases.push({ lease, ref: handle.id });
    } else if (verb === 'take') {
      const lease = state.leases.open({ owner: 'test' });
      const { digest } = await state.content.ingest(Buffer.from(`blob ${n % 20}`), {}, options);
      lease.addBlob(digest);
      leases.push({ lease, blob: digest });
    } else if (verb === 'unlease' && leases.length > 0) {
      for (const { lease } of leases.splice(n % leases.length, 1)) lease.release();
    } else if (verb === 'prune') {
      await prune(state.refs, { ...options, all: n % 2 === 0, blobGraceMs: 0, busySince: () => this.since });
    } else if (verb === 'pruneSome') {
      await prune(state.refs, {
        ...options,
        all: true,
        maxUsedSpace: 1 + n * 50,
        blobGraceMs: 0,
        busySince: () => this.since,
      });
    }
  }

  /** Steps that run side by side are work under way. */
  since = Number.POSITIVE_INFINITY;

  /** What is held or leased is there with all below it, and every blob that records promise. */
  async check(): Promise<void> {
    const { state } = this;
    for (const id of new Set([...this.handles.map((ref) => ref.id), ...this.leases.flatMap(({ ref }) => ref ?? [])])) {
      const ref = await state.refs.get(id);
      expect(ref, id).toBeDefined();
      await using view = await (ref as ImmutableRef).mount(options);
      for (let one: string | undefined = id; one !== undefined; one = this.parents.get(one))
        expect(readFileSync(join(view.root, one), 'utf8')).toBe(one);
      for (const digest of this.layers.get(id) ?? []) expect(state.content.has(digest)).toBe(true);
      await (ref as ImmutableRef).release();
    }
    for (const { blob } of this.leases)
      if (blob !== undefined) expect(digestOf(readFileSync(state.content.path(blob)))).toBe(blob);
    for (const { digest } of state.db.all<{ digest: Digest }>('SELECT digest FROM ref_blobs WHERE held = 1'))
      expect(state.content.has(digest)).toBe(true);
    for (const { name } of state.snapshotter.list()) expect(existsSync(state.snapshotter.upperDir(name))).toBe(true);
  }

  /** Once all is let go of nothing stays. */
  async end(): Promise<void> {
    const { state } = this;
    for (const { lease } of this.leases.splice(0)) lease.release();
    for (const handle of this.handles.splice(0)) await handle.release();
    await prune(state.refs, { ...options, all: true, blobGraceMs: 0 });
    expect(await diskUsage(state.refs, options)).toEqual([]);
    expect(state.snapshotter.list()).toEqual([]);
    await collectBlobs(state.refs, { ...options, graceMs: -10_000 });
    expect(await Array.fromAsync(state.content.list())).toEqual([]);
    for (const table of ['refs', 'ref_blobs', 'ref_metadata', 'lease_resources', 'cache_key', 'cache_result'])
      expect(state.db.get(`SELECT count(*) AS n FROM ${table}`), table).toEqual({ n: 0 });
  }
}

test('whatever is built, packed, taken, let go of and pruned, one by one or at once: what is needed stays, the rest goes', async () => {
  await using state = await openTestState();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 3, maxLength: 10 }),
      async (rounds) => {
        const world = new World(state);
        for (const round of rounds) {
          world.since = round.length > 1 ? Date.now() : Number.POSITIVE_INFINITY;
          await Promise.all(round.map(({ verb, n }) => world.do(verb, n)));
          await world.check();
        }
        await world.end();
      },
    ),
    { numRuns: 30 },
  );
});
