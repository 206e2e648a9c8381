import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../base/index.ts';
import type { Snapshotter } from '../../cache/ports.ts';
import { openTestState } from '../../cache/testing/open-state.ts';
import { snapshotterSuite } from '../../cache/testing/snapshotter-suite.ts';
import { indexLayer, packLayer } from '../../oci/layers/index.ts';
import { inUserNamespace, ROOT } from '../../sys/index.ts';

snapshotterSuite('overlay', openTestState);
snapshotterSuite('overlay of a user namespace', () =>
  openTestState({ privileges: inUserNamespace(ROOT.capabilities) }),
);

/** What stands on nothing becomes an image as it is committed. */
snapshotterSuite('overlay on images', async () => {
  const state = await openTestState({ minImageBytes: 0 });
  const { snapshotter, pools, layout } = state;
  const commit: Snapshotter['commit'] = async (name, key, options) => {
    const image = await snapshotter.imageFile(key, 1, options);
    const parent = snapshotter.list().find((one) => one.name === key)?.parent;
    expect(image === undefined).toBe(parent !== undefined);
    if (image !== undefined && !snapshotter.has(name)) {
      const directory = snapshotter.upperDir(key);
      const blob = join(layout.tmp, 'layer.tar');
      await packLayer(pools.bulk, { directory, into: blob, compression: { type: 'uncompressed' }, ...options });
      for (const one of readdirSync(directory)) rmSync(join(directory, one), { recursive: true });
      expect(await indexLayer(pools.bulk, { blob, directory, image, ...options })).toBe(true);
      expect(await snapshotter.useImage(key, options)).toBe(true);
    }
    await snapshotter.commit(name, key, options);
  };
  const withImages = new Proxy(snapshotter, {
    get(target, property) {
      if (property === 'commit') return commit;
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { snapshotter: withImages, [Symbol.asyncDispose]: () => state[Symbol.asyncDispose]() };
});

test('what is removed leaves the disk in the background, however deep', async () => {
  await using state = await openTestState();
  const { snapshotter, trash, layout } = state;
  await snapshotter.prepare('key', undefined, { signal: neverAborted, owner: HOUSE });
  const before = process.cwd();
  try {
    // Deeper than a path can name.
    process.chdir(snapshotter.upperDir('key'));
    for (let n = 0; n < 1200; n++) {
      mkdirSync('dddddddddd');
      process.chdir('dddddddddd');
    }
    writeFileSync('f', '');
  } finally {
    process.chdir(before);
  }
  mkdirSync(join(snapshotter.upperDir('key'), 'more'));
  writeFileSync(join(snapshotter.upperDir('key'), 'more', 'f'), '');
  await snapshotter.remove('key', { signal: neverAborted });
  await trash.idle();
  expect(readdirSync(layout.snapshots)).toEqual([]);
  expect(readdirSync(join(layout.tmp, 'trash'))).toEqual([]);
});

test('what a snapshot needed while it was written goes from the disk with the sync after its commit', async () => {
  const root = mkdtempSync(join(tmpdir(), 'slipway-state-'));
  try {
    {
      await using state = await openTestState({ root });
      const { snapshotter, refs } = state;
      const options = { signal: neverAborted, owner: HOUSE, sessions: () => [], description: 'test' };
      const [done, written] = [await refs.create(undefined, options), await refs.create(undefined, options)];
      await (await done.commit(options)).release();
      await snapshotter.sync();
      const kept = ({ id }: { readonly id: string }) => readdirSync(join(snapshotter.upperDir(id), '..')).sort();
      expect([kept(done), kept(written)]).toEqual([['fs'], ['fs', 'work']]);
      await (await written.commit(options)).release();
    }
    // That life ended before the sync.
    await using state = await openTestState({ root });
    await state.snapshotter.sync();
    const { snapshots } = state.layout;
    expect(readdirSync(snapshots).map((id) => readdirSync(join(snapshots, id)))).toEqual([['fs'], ['fs']]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test('an unsettling that failed leaves what was durable as it was, and the next one waits for the disk as well', async () => {
  await using state = await openTestState();
  const { snapshotter, db } = state;
  const options = { signal: neverAborted, owner: HOUSE };
  await snapshotter.prepare('kept', undefined, options);
  snapshotter.settle('kept');
  await snapshotter.sync();
  const { sync } = db;
  db.sync = async () => {
    throw new Error('enough');
  };
  await expect(snapshotter.unsettle('kept', options)).rejects.toThrow('enough');
  let synced = 0;
  db.sync = async (how) => {
    synced++;
    await sync.call(db, how);
  };
  await snapshotter.unsettle('kept', options);
  expect(synced).toBe(1);
});

test('an image is for what stands on nothing, is large, and of root in the machine’s own namespace', async () => {
  const options = { signal: neverAborted, owner: HOUSE };
  const large = 16 << 20;
  {
    await using state = await openTestState();
    const { snapshotter } = state;
    await snapshotter.prepare('small', undefined, options);
    expect(await snapshotter.imageFile('small', 1000, options)).toBeUndefined();
    expect(await snapshotter.imageFile('small', large, options)).toBeDefined();
    // Whether it is worth it only the caller knows.
    expect(await snapshotter.imageFile('small', undefined, options)).toBeDefined();
    await snapshotter.commit('small', 'small', options);
    await snapshotter.prepare('top', 'small', options);
    expect(await snapshotter.imageFile('top', large, options)).toBeUndefined();
    // What the kernel does not take is none, and its layer goes into the directory.
    await snapshotter.prepare('torn', undefined, options);
    writeFileSync((await snapshotter.imageFile('torn', large, options))!, Buffer.alloc(8192, 1));
    expect(await snapshotter.useImage('torn', options)).toBe(false);
    expect(readdirSync(join(snapshotter.upperDir('torn'), '..')).sort()).toEqual(['fs', 'work']);
  }
  await using state = await openTestState({ privileges: inUserNamespace(ROOT.capabilities) });
  await state.snapshotter.prepare('key', undefined, options);
  expect(await state.snapshotter.imageFile('key', large, options)).toBeUndefined();
});
