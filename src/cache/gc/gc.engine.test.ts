import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestOf, HOUSE, neverAborted, silentLogger } from '../../base/index.ts';
import type { State } from '../../builder-pod/state/index.ts';
import { Leases } from '../leases/index.ts';
import type { ImmutableRef, RecordType } from '../ports.ts';
import { refResult } from '../refs/index.ts';
import { openTestState } from '../testing/open-state.ts';
import { collectBlobs, diskUsage, GarbageCollector, prune } from './index.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };

async function build(
  state: State,
  name: string,
  parent?: ImmutableRef,
  recordType: RecordType = 'regular',
): Promise<ImmutableRef> {
  const mutable = await state.refs.create(parent, { ...options, description: name, recordType });
  {
    await using view = await mutable.mount(options);
    writeFileSync(join(view.root, name), Buffer.alloc(100_000, name));
  }
  return mutable.commit(options);
}

const names = (records: readonly { description: string }[]) => records.map(({ description }) => description).sort();

test('usage tells size, parents, use and kind', async () => {
  await using state = await openTestState();
  const a = await build(state, 'a');
  const b = await build(state, 'b', a);
  await a.release();
  const [first, second] = (await diskUsage(state.refs, options)).sort((x, y) =>
    x.description.localeCompare(y.description),
  );
  expect(first).toMatchObject({ id: a.id, mutable: false, inUse: false, parents: [], usageCount: 1, shared: false });
  expect(second).toMatchObject({ id: b.id, inUse: true, parents: [a.id], recordType: 'regular' });
  expect(first?.size).toBeGreaterThanOrEqual(100_000);
  const before = second?.size ?? 0;
  const layers = await b.layers(options);
  const after = (await diskUsage(state.refs, options)).find(({ id }) => id === b.id)?.size;
  expect(after).toBe(before + layers[1]!.descriptor.size);
  b.setMetadata('tree', 'x'.repeat(1000));
  expect((await diskUsage(state.refs, options)).find(({ id }) => id === b.id)?.size).toBe((after ?? 0) + 1000);
  await b.release();
});

test('what is in use, leased, internal or below something that stays is kept; the rest goes, with its files, and keys are told', async () => {
  const dropped: string[] = [];
  await using state = await openTestState({ onResultDropped: (id) => dropped.push(id) });
  const a = await build(state, 'a');
  const b = await build(state, 'b', a);
  const c = await build(state, 'c', b);
  const internal = await build(state, 'internal', undefined, 'internal');
  const leased = await build(state, 'leased');
  await c.layers(options);
  await state.results.save(refResult(c));
  using lease = new Leases(state.db).open({ owner: 'test' });
  lease.addRef(leased.id);
  for (const ref of [a, c, internal, leased]) await ref.release();

  expect(names(await prune(state.refs, { ...options, blobGraceMs: 0 }))).toEqual(['c']);
  expect(dropped).toEqual([c.id]);
  expect(await state.results.load(c.id, { signal: neverAborted, owner: HOUSE })).toBeUndefined();
  await b.release();
  lease.release();
  expect(names(await prune(state.refs, { ...options, blobGraceMs: 0 }))).toEqual(['a', 'b', 'leased']);
  expect(names(await prune(state.refs, { ...options, all: true, blobGraceMs: 0 }))).toEqual(['internal']);
  await state.trash.idle();
  expect(readdirSync(state.layout.snapshots)).toEqual([]);
  expect(readdirSync(join(state.layout.blobs, 'sha256'))).toEqual([]);
});

test('filters, age and limits choose; least recently used goes first', async () => {
  await using state = await openTestState();
  let now = Date.now();
  // The records' clock, moved by hand.
  Object.assign(state.refs.records.options, { now: () => now });
  for (const name of ['a', 'b', 'c', 'd']) {
    await (await build(state, name)).release();
    now += 100_000_000;
  }
  expect(names(await prune(state.refs, { ...options, filters: ['type==internal'] }))).toEqual([]);
  expect(names(await prune(state.refs, { ...options, maxRecords: 4 }))).toEqual([]);
  expect(names(await prune(state.refs, { ...options, maxUsedSpace: 350_000 }))).toEqual(['a']);
  expect(names(await prune(state.refs, { ...options, keepDurationMs: 250_000_000 }))).toEqual(['b']);
  expect(names(await prune(state.refs, { ...options, filters: ['description~=^d'] }))).toEqual(['d']);
  await (await build(state, 'e')).release();
  expect(names(await prune(state.refs, { ...options, maxRecords: 1 }))).toEqual(['c']);
  await expect(prune(state.refs, { ...options, filters: ['=='] })).rejects.toMatchObject({ code: 'invalid_argument' });
  await using collector = new GarbageCollector({
    refs: state.refs,
    policy: [{ maxUsedSpace: 1 }],
    log: silentLogger,
    delayMs: 1,
    intervalMs: 1,
  });
  collector.trigger();
  await expect.poll(async () => names(await diskUsage(state.refs, options))).toEqual([]);
});

test('a pattern that never ends is stopped', async () => {
  await using state = await openTestState();
  await (await build(state, 'a'.repeat(60))).release();
  const endless = diskUsage(state.refs, {
    ...options,
    filter: [[{ field: 'description', operator: '~=', value: '^(a|a)*$x' }]],
  });
  await expect(endless).rejects.toMatchObject({ code: 'deadline_exceeded' });
});

test('a blob that nothing names goes once it is old; a lease keeps it, over a restart if persistent', async () => {
  const root = mkdtempSync(join(tmpdir(), 'slipway-state-'));
  const [kept, passing, none] = ['kept', 'passing', 'none'].map((text) => digestOf(text)) as [
    `${string}:${string}`,
    `${string}:${string}`,
    `${string}:${string}`,
  ];
  try {
    {
      await using state = await openTestState({ root });
      const leases = new Leases(state.db);
      for (const text of ['kept', 'passing', 'none']) await state.content.ingest(Buffer.from(text), {}, options);
      leases.open({ owner: 'history', persistent: true, id: 'h' }).addBlob(kept);
      leases.open({ owner: 'build' }).addBlob(passing);
      await collectBlobs(state.refs, { ...options, graceMs: 60_000 });
      expect(state.content.has(none)).toBe(true);
      await collectBlobs(state.refs, { ...options, graceMs: 0 });
      expect([kept, passing, none].map((d) => state.content.has(d))).toEqual([true, true, false]);
    }
    await using state = await openTestState({ root });
    await collectBlobs(state.refs, { ...options, graceMs: 0 });
    expect([kept, passing].map((d) => state.content.has(d))).toEqual([true, false]);
    new Leases(state.db).release('h');
    await collectBlobs(state.refs, { ...options, graceMs: 0 });
    expect(state.content.has(kept)).toBe(false);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('others have their turn while many records are pruned', async () => {
  await using state = await openTestState();
  const { db, refs } = state;
  db.transaction(() => {
    for (let n = 0; n < 5000; n++)
      refs.records.insert({ kind: 'layer', description: `${n}`, recordType: 'regular', scope: '' });
  });
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const seen: number[] = [];
  await prune(refs, { ...options, all: true, onRecord: () => seen.push(turns) });
  clearInterval(timer);
  expect(seen).toHaveLength(5000);
  expect(seen.at(-1)! - seen[0]!).toBeGreaterThan(3);
});
