import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../base/index.ts';
import { mountAll } from '../../sys/index.ts';
import type { Mount, Snapshotter } from '../ports.ts';

const options = { signal: neverAborted, owner: HOUSE };

/** Mounts somewhere for the time of `fn`. */
function withMount<T>(mounts: readonly Mount[], fn: (root: string) => T): T {
  const root = mkdtempSync(join(tmpdir(), 'slipway-mount-'));
  try {
    using _mounted = mountAll(mounts, root);
    return fn(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** What every snapshotter must do (root needed). */
export function snapshotterSuite(
  name: string,
  open: () => Promise<{ snapshotter: Snapshotter } & AsyncDisposable>,
): void {
  describe(`snapshotter: ${name}`, () => {
    async function layer(
      snapshotter: Snapshotter,
      id: string,
      parent: string | undefined,
      write: (root: string) => void,
    ) {
      await snapshotter.prepare(`${id}-key`, parent, options);
      withMount(snapshotter.mounts(`${id}-key`), write);
      await snapshotter.commit(id, `${id}-key`, options);
    }

    test('what is written on a parent leaves the parent as it was', async () => {
      await using opened = await open();
      const { snapshotter } = opened;
      await layer(snapshotter, 'base', undefined, (root) => {
        writeFileSync(join(root, 'kept'), 'base');
        writeFileSync(join(root, 'deleted'), 'base');
        mkdirSync(join(root, 'dir'));
        writeFileSync(join(root, 'dir', 'old'), '');
      });
      await layer(snapshotter, 'top', 'base', (root) => {
        rmSync(join(root, 'deleted'));
        rmSync(join(root, 'dir'), { recursive: true });
        mkdirSync(join(root, 'dir'));
        writeFileSync(join(root, 'added'), 'top');
      });
      withMount(snapshotter.mounts('base'), (root) => {
        expect(readdirSync(root).sort()).toEqual(['deleted', 'dir', 'kept']);
        expect(() => writeFileSync(join(root, 'x'), '')).toThrow(/EROFS/);
      });
      withMount(snapshotter.mounts('top'), (root) => {
        expect(readdirSync(root).sort()).toEqual(['added', 'dir', 'kept']);
        expect(readdirSync(join(root, 'dir'))).toEqual([]);
        expect(() => writeFileSync(join(root, 'x'), '')).toThrow(/EROFS/);
      });
      const upper = snapshotter.upperDir('top');
      expect(readdirSync(upper).sort()).toEqual(['added', 'deleted', 'dir']);
      const whiteout = lstatSync(join(upper, 'deleted'));
      expect([whiteout.isCharacterDevice(), whiteout.rdev]).toEqual([true, 0]);
      expect(snapshotter.list()).toEqual([
        { name: 'base', kind: 'committed' },
        { name: 'top', kind: 'committed', parent: 'base' },
      ]);
    });

    test('an active snapshot can be mounted again and again', async () => {
      await using opened = await open();
      const { snapshotter } = opened;
      await layer(snapshotter, 'base', undefined, () => {});
      await snapshotter.prepare('key', 'base', options);
      for (const n of [1, 2, 3]) withMount(snapshotter.mounts('key'), (root) => writeFileSync(join(root, `${n}`), ''));
      withMount(snapshotter.mounts('key'), (root) => expect(readdirSync(root)).toEqual(['1', '2', '3']));
    });

    test('the top directory keeps its owner, and no mode: a layer carries neither', async () => {
      await using opened = await open();
      const { snapshotter } = opened;
      const { chmodSync, chownSync } = await import('node:fs');
      await layer(snapshotter, 'base', undefined, (root) => {
        chownSync(root, 12, 34);
        chmodSync(root, 0o1777);
      });
      await layer(snapshotter, 'top', 'base', () => {});
      withMount(snapshotter.mounts('top'), (root) => {
        const { uid, gid, mode } = statSync(root);
        expect([uid, gid, mode & 0o7777]).toEqual([12, 34, 0o755]);
      });
    });

    test('130 layers', async () => {
      await using opened = await open();
      const { snapshotter } = opened;
      let parent: string | undefined;
      for (let n = 0; n < 130; n++) {
        await snapshotter.prepare('key', parent, options);
        writeFileSync(join(snapshotter.upperDir('key'), `f${n}`), `${n}`);
        await snapshotter.commit(`layer-${n}`, 'key', options);
        parent = `layer-${n}`;
      }
      await snapshotter.prepare('key', parent, options);
      withMount(snapshotter.mounts('key'), (root) => {
        expect(readdirSync(root)).toHaveLength(130);
        expect(readFileSync(join(root, 'f0'), 'utf8')).toBe('0');
        writeFileSync(join(root, 'f0'), 'new');
      });
      withMount(snapshotter.mounts('layer-129'), (root) => expect(readFileSync(join(root, 'f0'), 'utf8')).toBe('0'));
    });

    test('what stands in the way of an order is refused', async () => {
      await using opened = await open();
      const { snapshotter } = opened;
      await layer(snapshotter, 'base', undefined, () => {});
      await layer(snapshotter, 'top', 'base', () => {});
      await snapshotter.prepare('key', 'top', options);
      await expect(snapshotter.remove('base', options)).rejects.toMatchObject({ code: 'failed_precondition' });
      await expect(snapshotter.prepare('key', undefined, options)).rejects.toMatchObject({ code: 'already_exists' });
      await expect(snapshotter.prepare('other', 'key', options)).rejects.toMatchObject({ code: 'failed_precondition' });
      await expect(snapshotter.prepare('other', 'none', options)).rejects.toMatchObject({ code: 'not_found' });
      await expect(snapshotter.commit('top', 'key', options)).rejects.toMatchObject({ code: 'already_exists' });
      await expect(snapshotter.commit('x', 'top', options)).rejects.toMatchObject({ code: 'failed_precondition' });
      expect(() => snapshotter.mounts('none')).toThrow(expect.objectContaining({ code: 'not_found' }));
      const upper = snapshotter.upperDir('key');
      for (const one of ['key', 'top', 'base']) await snapshotter.remove(one, options);
      expect(snapshotter.list()).toEqual([]);
      expect(existsSync(upper)).toBe(false);
    });

    test('a stack shows layers one above the other where they lie, and keeps them', async () => {
      await using opened = await open();
      const { snapshotter } = opened;
      await layer(snapshotter, 'base', undefined, (root) => {
        writeFileSync(join(root, 'a'), 'base');
        writeFileSync(join(root, 'b'), 'base');
      });
      await layer(snapshotter, 'apart', undefined, (root) => writeFileSync(join(root, 'b'), 'apart'));
      await snapshotter.prepare('key', 'base', options);
      const own = snapshotter.layerDir('key', 1);
      mkdirSync(own);
      writeFileSync(join(own, 'c'), 'own');
      await snapshotter.commitStack('stack', 'key', ['apart', undefined, 'apart'], options);
      const upper = (name: string) => snapshotter.upperDir(name);
      expect(snapshotter.directories('stack')).toEqual([upper('stack'), upper('apart'), own, upper('base')]);
      expect(snapshotter.ownDirs('stack')).toEqual([upper('stack'), own]);
      await layer(snapshotter, 'top', 'stack', (root) => rmSync(join(root, 'a')));
      withMount(snapshotter.mounts('top'), (root) => {
        expect(readdirSync(root).sort()).toEqual(['b', 'c']);
        expect(readFileSync(join(root, 'b'), 'utf8')).toBe('apart');
      });
      withMount(snapshotter.mounts('stack'), (root) => {
        expect(readdirSync(root).sort()).toEqual(['a', 'b', 'c']);
        expect(statSync(join(root, 'b')).ino).toBe(statSync(join(upper('apart'), 'b')).ino);
      });
      expect((await snapshotter.usage('stack', options)).inodes).toBe(1);
      await expect(snapshotter.remove('apart', options)).rejects.toMatchObject({ code: 'failed_precondition' });
      for (const one of ['top', 'stack', 'apart', 'base']) await snapshotter.remove(one, options);
      expect(snapshotter.list()).toEqual([]);
    });

    test('begins nothing for who has gone, and what failed can be done again', async () => {
      await using opened = await open();
      const { snapshotter } = opened;
      const gone = { ...options, signal: AbortSignal.abort(new Error('enough')) };
      await expect(snapshotter.prepare('key', undefined, gone)).rejects.toThrow('enough');
      expect(snapshotter.list()).toEqual([]);
      for (const id of ['base', 'one', 'two']) await layer(snapshotter, id, undefined, () => {});
      await snapshotter.prepare('key', 'base', options);
      const before = snapshotter.list();
      await expect(snapshotter.commit('stack', 'key', gone)).rejects.toThrow('enough');
      await expect(snapshotter.commitStack('stack', 'key', ['one'], gone)).rejects.toThrow('enough');
      await expect(snapshotter.commitStack('two', 'key', ['one'], options)).rejects.toMatchObject({
        code: 'already_exists',
      });
      await expect(snapshotter.commitStack('stack', 'key', ['one', 'none'], options)).rejects.toMatchObject({
        code: 'not_found',
      });
      await expect(snapshotter.remove('one', gone)).rejects.toThrow('enough');
      snapshotter.settle('key');
      await expect(snapshotter.unsettle('key', gone)).rejects.toThrow('enough');
      expect(snapshotter.list()).toEqual(before);
      // Nothing holds it.
      await snapshotter.remove('one', options);
      await snapshotter.commitStack('stack', 'key', ['two'], options);
      expect(snapshotter.directories('stack')).toHaveLength(3);
    });

    test('usage counts hard links once', async () => {
      await using opened = await open();
      const { snapshotter } = opened;
      const { linkSync } = await import('node:fs');
      await layer(snapshotter, 'base', undefined, (root) => {
        writeFileSync(join(root, 'a'), Buffer.alloc(100_000, 1));
        linkSync(join(root, 'a'), join(root, 'b'));
      });
      const used = await snapshotter.usage('base', options);
      expect(used.inodes).toBe(1);
      expect(used.bytes).toBeGreaterThanOrEqual(100_000);
      expect(used.bytes).toBeLessThan(200_000);
      expect(await snapshotter.usage('base', options)).toEqual(used);
    });
  });
}
