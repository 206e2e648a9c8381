import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../base/index.ts';
import type { State } from '../../builder-pod/state/index.ts';
import { mountsBelow } from '../../sys/index.ts';
import type { NamedRef, WritableRef } from '../ports.ts';
import { openTestState } from '../testing/open-state.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const describing = { ...options, description: 'cache', recordType: 'exec.cachemount' as const };
const named = (sharing: NamedRef['sharing'], key = 'k'): NamedRef => ({ scope: '', key, sharing });

async function write(ref: WritableRef, name: string): Promise<string[]> {
  await using view = await ref.mount(options);
  writeFileSync(join(view.root, name), '');
  return readdirSync(view.root);
}

async function used(state: State, sharing: NamedRef['sharing'], name: string): Promise<string[]> {
  const ref = await state.refs.openNamed(named(sharing), describing);
  const files = await write(ref, name);
  await ref.keep();
  await ref.release();
  return files;
}

test('what was kept is there the next time, what was not is gone', async () => {
  await using state = await openTestState();
  const dropped = await state.refs.openNamed(named('shared'), describing);
  await write(dropped, 'x');
  await dropped.release();
  expect(await used(state, 'shared', 'a')).toEqual(['a']);
  expect(await used(state, 'locked', 'b')).toEqual(['a', 'b']);
  expect(await used(state, 'private', 'c')).toEqual(['a', 'b', 'c']);
  expect(state.snapshotter.list()).toHaveLength(1);
});

test('shared holders see one file system, also above a parent', async () => {
  await using state = await openTestState();
  const seed = await state.refs.create(undefined, describing);
  await write(seed, 'seed');
  const parent = await seed.commit(options);
  const one = await state.refs.openNamed(named('shared'), { ...describing, parent });
  const two = await state.refs.openNamed(named('shared'), { ...describing, parent });
  expect(two.id).toBe(one.id);
  {
    await using a = await one.mount(options);
    await using b = await two.mount(options);
    writeFileSync(join(a.root, 'from-a'), '');
    expect(readdirSync(b.root)).toEqual(['from-a', 'seed']);
  }
  await one.keep();
  await one.release();
  expect(await write(two, 'from-b')).toEqual(['from-a', 'from-b', 'seed']);
  await two.release();
  expect(readdirSync(state.layout.mounts)).toEqual([]);
});

test('whoever opens while the last holder leaves gets a whole one', async () => {
  await using state = await openTestState();
  for (let n = 0; n < 20; n++) {
    const leaving = await state.refs.openNamed(named('shared'), describing);
    if (n % 2 === 0) await leaving.keep();
    const [, opened] = await Promise.all([leaving.release(), state.refs.openNamed(named('shared'), describing)]);
    expect(await write(opened, `${n}`)).toContain(`${n}`);
    await opened.release();
  }
});

test('private gives another when in use, locked waits its turn or until aborted', async () => {
  await using state = await openTestState();
  const first = await state.refs.openNamed(named('private'), describing);
  const second = await state.refs.openNamed(named('private'), describing);
  expect(second.id).not.toBe(first.id);
  await second.release();

  const controller = new AbortController();
  const aborted = state.refs.openNamed(named('locked'), { ...describing, signal: controller.signal });
  const waiting = state.refs.openNamed(named('locked'), describing);
  let got = false;
  void waiting.then(() => {
    got = true;
  });
  controller.abort(new Error('no longer wanted'));
  await expect(aborted).rejects.toThrow('no longer wanted');
  expect(got).toBe(false);
  await first.keep();
  await first.release();
  const third = await waiting;
  expect(third.id).toBe(first.id);
  await third.release();
});

test('what cannot be opened leaves nothing, and the next one opens it', async () => {
  await using state = await openTestState();
  await used(state, 'locked', '1');
  await state.snapshotter.sync();
  const { unsettle } = state.snapshotter;
  for (const key of ['k', 'new']) {
    // The caller leaves just when it is to be written.
    const stop = new AbortController();
    state.snapshotter.unsettle = async (name, how) => {
      stop.abort(new Error('left'));
      how.signal.throwIfAborted();
      await unsettle.call(state.snapshotter, name, how);
    };
    const opening = state.refs.openNamed(named('locked', key), { ...describing, signal: stop.signal });
    await expect(opening).rejects.toThrow('left');
  }
  state.snapshotter.unsettle = unsettle;
  expect(state.db.all('SELECT key FROM named_refs')).toHaveLength(1);
  expect(state.snapshotter.list()).toHaveLength(1);
  expect(mountsBelow(state.layout.root)).toEqual([]);
  expect(await used(state, 'locked', '2')).toEqual(['1', '2']);
});

test('kept names outlive the process; after a power loss only if they were on disk', async () => {
  const root = mkdtempSync(join(tmpdir(), 'slipway-state-'));
  try {
    {
      await using state = await openTestState({ root, bootId: '1', syncDelayMs: 1e6 });
      await used(state, 'shared', 'a');
    }
    {
      await using state = await openTestState({ root, bootId: '1', syncDelayMs: 1e6 });
      expect(await used(state, 'shared', 'b')).toEqual(['a', 'b']);
      await state.snapshotter.sync();
    }
    {
      await using state = await openTestState({ root, bootId: '2', syncDelayMs: 1e6 });
      expect(await used(state, 'shared', 'c')).toEqual(['a', 'b', 'c']);
    }
    await using state = await openTestState({ root, bootId: '3', syncDelayMs: 1e6 });
    expect(await used(state, 'shared', 'd')).toEqual(['d']);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('a forgotten name starts empty; who holds it goes on, and it goes with the last', async () => {
  await using state = await openTestState();
  await used(state, 'shared', 'a');
  const held = await state.refs.openNamed(named('shared'), describing);
  await used(state, 'shared', 'of-another');
  const nested = await state.refs.openNamed(named('shared', 'k:below'), describing);
  await nested.keep();
  await nested.release();
  const beside = await state.refs.openNamed(named('shared', 'kk'), describing);
  await beside.keep();
  await beside.release();
  const forgotten = state.refs.forgetNamed({ scope: '', key: 'k' });
  // At once, and whoever keeps it now keeps nothing.
  expect(await used(state, 'shared', 'b')).toEqual(['b']);
  await held.keep();
  expect(await write(held, 'c')).toEqual(['a', 'c', 'of-another']);
  await forgotten;
  expect(state.snapshotter.list()).toHaveLength(3);
  await held.release();
  expect(state.snapshotter.list()).toHaveLength(2);
  await state.refs.forgetNamed({ scope: 'other', key: 'k' });
  expect(await used(state, 'shared', 'd')).toEqual(['b', 'd']);
});

test('what the database has no room for leaves no files', async () => {
  await using state = await openTestState();
  for (const table of ['refs', 'named_refs'])
    state.db.run(
      `CREATE TEMP TRIGGER full_${table} BEFORE INSERT ON main.${table} BEGIN SELECT RAISE (ABORT, 'full'); END`,
    );
  await expect(state.refs.openNamed(named('shared'), describing)).rejects.toThrow('full');
  await expect(state.refs.empty(options)).rejects.toThrow('full');
  await expect(state.refs.create(undefined, describing)).rejects.toThrow('full');
  expect(state.snapshotter.list()).toEqual([]);
  state.db.run('DROP TRIGGER full_named_refs');
  state.db.run('DROP TRIGGER full_refs');
  expect(await used(state, 'shared', 'a')).toEqual(['a']);
});
