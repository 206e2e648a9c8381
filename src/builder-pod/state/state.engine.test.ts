import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf, HOUSE, neverAborted } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { refResult } from '../../cache/refs/index.ts';
import { openTestState } from '../../cache/testing/open-state.ts';
import { mount, unmountOrDetach } from '../../sys/index.ts';
import type { State } from './index.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-state-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function build(state: State, name: string, parent?: ImmutableRef): Promise<ImmutableRef> {
  const mutable = await state.refs.create(parent, { ...options, description: name });
  {
    await using view = await mutable.mount(options);
    writeFileSync(join(view.root, name), name);
  }
  const ref = await mutable.commit(options);
  await state.results.save(refResult(ref));
  return ref;
}

describe('opening', () => {
  test('a directory is open once at a time, keeps its id, and says who has it', async () => {
    let id: string;
    {
      await using state = await openTestState({ root });
      id = state.id;
      await expect(openTestState({ root })).rejects.toMatchObject({
        code: 'failed_precondition',
        message: expect.stringContaining(`${process.pid}`),
      });
    }
    await using again = await openTestState({ root });
    expect(again.id).toBe(id);
  });

  test('another format, or something else, is refused untouched', async () => {
    mkdirSync(join(root, 'snapshots'));
    await expect(openTestState({ root })).rejects.toMatchObject({ reason: 'STATE_FOREIGN' });
    expect(readdirSync(root).sort()).toEqual(['lock', 'snapshots']);
    writeFileSync(join(root, 'slipway-state'), '99\n');
    await expect(openTestState({ root })).rejects.toMatchObject({ reason: 'STATE_FORMAT' });
    // Both leave the lock free.
    writeFileSync(join(root, 'slipway-state'), '1\nabc\n');
    await using _state = await openTestState({ root });
  });

  test('mounts and temp files of an earlier life go', async () => {
    {
      await using _state = await openTestState({ root });
    }
    const left = join(root, 'run', 'mounts', 'left');
    mkdirSync(left);
    mount({ type: 'tmpfs', source: 'tmpfs', options: [] }, left);
    mkdirSync(join(root, 'run', 'bundle'));
    writeFileSync(join(root, 'tmp', 'blob-1'), 'half');
    mkdirSync(join(root, 'snapshots', '77', 'fs'), { recursive: true });
    await using state = await openTestState({ root });
    await state.trash.idle();
    expect(readdirSync(state.layout.run)).toEqual(['mounts']);
    expect(readdirSync(state.layout.mounts)).toEqual([]);
    expect(readdirSync(state.layout.tmp)).toEqual(['trash']);
    expect(readdirSync(state.layout.snapshots)).toEqual([]);
  });
});

describe('content that is gone is a miss', () => {
  test('a snapshot that vanished takes what stands on it, and its keys', async () => {
    const dropped: string[] = [];
    let ids: string[];
    {
      await using state = await openTestState({ root });
      const a = await build(state, 'a');
      const b = await build(state, 'b', a);
      const c = await build(state, 'c', b);
      ids = [a.id, b.id, c.id];
      rmSync(join(state.snapshotter.upperDir(b.id), '..'), { recursive: true });
    }
    await using state = await openTestState({ root, onResultDropped: (id) => dropped.push(id) });
    expect(dropped.sort()).toEqual([ids[1], ids[2]].sort());
    expect(ids.map((id) => state.results.exists(id))).toEqual([true, false, false]);
  });

  test('a layer blob that vanished is made again', async () => {
    let id: string;
    let digests: string[];
    {
      await using state = await openTestState({ root });
      const ref = await build(state, 'a');
      id = ref.id;
      digests = (await ref.layers(options)).map(({ descriptor }) => descriptor.digest);
      rmSync(state.content.path(digests[0] as `${string}:${string}`));
    }
    await using state = await openTestState({ root });
    const ref = await state.refs.get(id);
    const layers = (await ref!.layers(options)).map(({ descriptor }) => descriptor.digest);
    expect(layers).toEqual(digests);
    expect(state.content.has(layers[0]!)).toBe(true);
  });
});

test('after a restart of the machine only what was marked durable is served', async () => {
  const dropped: string[] = [];
  let durable: string;
  let torn: string;
  {
    await using state = await openTestState({ root, bootId: 'one', syncDelayMs: 1e6 });
    const a = await build(state, 'a');
    await state.snapshotter.sync();
    const b = await build(state, 'b', a);
    [durable, torn] = [a.id, b.id];
  }
  {
    await using state = await openTestState({ root, bootId: 'one', syncDelayMs: 1e6 });
    expect([durable, torn].map((id) => state.results.exists(id))).toEqual([true, true]);
  }
  await using state = await openTestState({ root, bootId: 'two', onResultDropped: (id) => dropped.push(id) });
  expect([durable, torn].map((id) => state.results.exists(id))).toEqual([true, false]);
  expect(dropped).toEqual([torn]);
  await state.trash.idle();
  expect(readdirSync(state.layout.snapshots)).toHaveLength(1);
});

test('a layer blob that was not on the disk when the machine lost its power is made again', async () => {
  const life = async (bootId: string, id?: string) => {
    await using state = await openTestState({ root, bootId, syncDelayMs: 1e6 });
    const ref = id === undefined ? await build(state, 'a') : (await state.refs.get(id))!;
    await state.snapshotter.sync();
    const before = ref.packed({});
    const [layer] = await ref.layers(options);
    expect(state.content.has(layer!.descriptor.digest)).toBe(true);
    return { id: ref.id, wasThere: before !== undefined, digest: layer!.descriptor.digest };
  };
  const { id, digest } = await life('one');
  expect(await life('one', id)).toMatchObject({ wasThere: true, digest });
  expect(await life('two', id)).toMatchObject({ wasThere: false, digest });
});

test('what was removed, and is brought back by a power loss, does not stand for what was made after it', async () => {
  const ends = ['', '-wal', '-shm'];
  const copy = (from: string, to: string) => {
    for (const end of ends) {
      rmSync(`${to}${end}`, { force: true });
      if (existsSync(`${from}${end}`)) copyFileSync(`${from}${end}`, `${to}${end}`);
    }
  };
  const durable = join(root, 'durable');
  let removed: string;
  let database: string;
  {
    await using state = await openTestState({ root, bootId: 'one', syncDelayMs: 1e6 });
    removed = (await build(state, 'removed')).id;
    await state.snapshotter.sync();
    // So much of the database is on disk when the power goes.
    database = state.layout.database;
    copy(database, durable);
    rmSync(join(state.layout.snapshots, '1'), { recursive: true });
  }
  {
    await using state = await openTestState({ root, bootId: 'one', syncDelayMs: 1e6 });
    expect(state.results.exists(removed)).toBe(false);
    await build(state, 'made');
    await state.snapshotter.sync();
  }
  copy(durable, database);
  await using state = await openTestState({ root, bootId: 'two' });
  expect(state.results.exists(removed)).toBe(false);
  expect(state.snapshotter.list()).toEqual([]);
});

test('the mark comes by itself soon after a commit', async () => {
  {
    await using state = await openTestState({ root, bootId: 'one', syncDelayMs: 1 });
    await build(state, 'a');
    await expect
      .poll(() => state.db.get<{ n: number }>('SELECT count(*) AS n FROM snapshots WHERE synced = 0')?.n)
      .toBe(0);
  }
  await using state = await openTestState({ root, bootId: 'two' });
  expect(state.snapshotter.list()).toHaveLength(1);
});

describe('a full disk', () => {
  const disk = () => {
    const target = mkdtempSync(join(tmpdir(), 'slipway-disk-'));
    execFileSync('truncate', ['-s', '24M', `${target}.img`]);
    execFileSync('mkfs.ext4', ['-q', `${target}.img`]);
    execFileSync('mount', ['-o', 'loop', `${target}.img`, target]);
    return {
      target,
      [Symbol.dispose]: () => {
        unmountOrDetach(target);
        rmSync(target, { recursive: true });
        rmSync(`${target}.img`);
      },
    };
  };

  test('fails what needs room, as a coded error, and leaves the rest usable', async () => {
    using small = disk();
    await using state = await openTestState({ root: join(small.target, 'state') });
    const ref = await build(state, 'a');
    const big = Buffer.alloc(64 << 20, 'x');
    await expect(state.content.ingest(big, {}, options)).rejects.toMatchObject({
      code: 'resource_exhausted',
      fault: 'infrastructure',
    });
    expect(state.content.has(digestOf(big))).toBe(false);
    await expect.poll(() => readdirSync(state.layout.tmp)).toEqual(['trash']);
    // A step that fills the disk is dropped, and the room is there again.
    const mutable = await state.refs.create(ref, { ...options, description: 'big' });
    {
      await using view = await mutable.mount(options);
      expect(() => writeFileSync(join(view.root, 'big'), big)).toThrow(/ENOSPC/);
    }
    await mutable.release();
    await state.trash.idle();
    const { digest } = await state.content.ingest(Buffer.alloc(4 << 20, 'y'), {}, options);
    expect(state.content.has(digest)).toBe(true);
    expect(await ref.layers(options)).toHaveLength(1);
    expect(existsSync(state.content.path((await ref.layers(options))[0]!.descriptor.digest))).toBe(true);
  });
});
