import {
  existsSync,
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
import { expect, test } from 'vitest';
import { type Digest, HOUSE, neverAborted } from '../../base/index.ts';
import { LostResultError } from '../../solver/ports.ts';
import { prune } from '../gc/index.ts';
import type { ImmutableRef, Layer } from '../ports.ts';
import { makeRef as build } from '../testing/make-ref.ts';
import { openTestState } from '../testing/open-state.ts';
import { TestRepositories } from '../testing/places.ts';
import { refResult } from './index.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const describing = { ...options, description: 'test' };

const file = (path: string, text: string) => (root: string) => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
};

async function filesOf(ref: ImmutableRef): Promise<Record<string, string>> {
  await using view = await ref.mount(options);
  const names = readdirSync(view.root, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => statSync(join(view.root, name)).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(view.root, name), 'utf8')]));
}

const digestsOf = async (ref: ImmutableRef) =>
  (await ref.layers(options)).map(({ descriptor }: Layer) => descriptor.digest);

test('a merge of lazy images is had without a byte; mounted, each is pulled once', async () => {
  const images: (readonly Layer[])[] = [];
  const bytes = new Map<Digest, Buffer>();
  {
    await using state = await openTestState();
    for (const name of ['one', 'two']) {
      const lower = await build(state, undefined, file('same/name', name));
      const layers = await (await build(state, lower, file(`only/${name}`, name))).layers(options);
      for (const { descriptor } of layers)
        bytes.set(descriptor.digest, readFileSync(state.content.path(descriptor.digest)));
      images.push(layers);
    }
  }
  const repositories = new TestRepositories();
  await using state = await openTestState({ fetchers: repositories.fetchers });
  const from = images.map((_, n) => repositories.repository(bytes, `registry.example/${n}`));
  const opened = () => from.flatMap((one) => one.opened);
  const [one, two] = await Promise.all(
    images.map((layers, n) => state.refs.fromLayers(layers, { ...describing, places: [from[n]!.place] })),
  );
  const merged = await state.refs.merge([one!, two!], describing);
  const digests = images.flat().map(({ descriptor }) => descriptor.digest);
  expect(await digestsOf(merged)).toEqual(digests);
  const upper = await state.refs.diff(one!, merged, describing);
  expect(await digestsOf(upper)).toEqual(digests.slice(2));
  expect([merged.lazy, opened(), state.snapshotter.list()]).toEqual([true, [], []]);
  expect(await filesOf(merged)).toEqual({ 'only/one': 'one', 'only/two': 'two', 'same/name': 'two' });
  expect(opened().toSorted()).toEqual(digests.toSorted());
});

test('a layer stays when what it is merged on changes, and its files where they are', async () => {
  await using state = await openTestState();
  const layer = await build(state, undefined, file('deep/a', 'layer'));
  const inode = statSync(join(state.snapshotter.upperDir(layer.id), 'deep/a')).ino;
  const [layerDigest] = await digestsOf(layer);
  for (const text of ['old', 'new']) {
    const base = await build(state, undefined, file('deep/b', text));
    const merged = await state.refs.merge([base, layer], describing);
    expect((await digestsOf(merged))[1]).toBe(layerDigest);
    await using view = await merged.mount(options);
    expect(readFileSync(join(view.root, 'deep/b'), 'utf8')).toBe(text);
    expect(statSync(join(view.root, 'deep/a')).ino).toBe(inode);
  }
  // Also where a step took something away from what it stood on, and is laid on something else that has it.
  const base = await build(state, undefined, (root) => {
    file('d/kept', 'kept')(root);
    file('d/gone', 'gone')(root);
  });
  const step = await build(state, base, (root) => {
    rmSync(join(root, 'd/gone'));
    writeFileSync(join(root, 'd/new'), 'new');
  });
  const other = await build(state, undefined, (root) => {
    file('d/gone', 'other')(root);
    file('d/other', 'other')(root);
  });
  const rebased = await state.refs.merge([other, await state.refs.diff(base, step, describing)], describing);
  expect(await filesOf(rebased)).toEqual({ 'd/new': 'new', 'd/other': 'other' });
  expect((await digestsOf(rebased))[1]).toBe((await digestsOf(step))[1]);
  await using view = await rebased.mount(options);
  const made = statSync(join(state.snapshotter.upperDir(step.id), 'd/new')).ino;
  expect(statSync(join(view.root, 'd/new')).ino).toBe(made);
});

test('what is laid on something else lists no whiteouts there', async () => {
  await using state = await openTestState();
  const base = await build(state, undefined, (root) => {
    file('d/gone', '')(root);
    file('e/f/gone', '')(root);
  });
  const step = await build(state, base, (root) => {
    rmSync(join(root, 'd/gone'));
    rmSync(join(root, 'e/f'), { recursive: true });
    file('e/f/new', 'new')(root);
  });
  const apart = await build(state, undefined, file('e/f/apart', 'apart'));
  const taken = await state.refs.diff(base, step, describing);
  const merged = await state.refs.merge([apart, taken], describing);
  for (const [ref, names] of [
    [taken, ['d', 'e', 'e/f', 'e/f/new']],
    [merged, ['d', 'e', 'e/f', 'e/f/apart', 'e/f/new']],
  ] as const) {
    await using view = await ref.mount(options);
    expect(readdirSync(view.root, { recursive: true, encoding: 'utf8' }).sort()).toEqual(names);
  }
});

test('lost with a layer that cannot be had again, and made again when only its stack is gone', async () => {
  const root = mkdtempSync(join(tmpdir(), 'slipway-merge-'));
  try {
    let id: string;
    let lower: string;
    let layerDir: string;
    {
      await using state = await openTestState({ root });
      const base = await build(state, undefined, file('a', 'base'));
      const layer = await build(state, undefined, file('b', 'layer'));
      const merged = await state.refs.merge([base, layer], describing);
      const computed = await state.refs.diff(layer, merged, describing);
      await state.results.save(refResult(computed));
      expect(await filesOf(computed)).toEqual({ a: 'base' });
      id = computed.id;
      lower = layer.id;
      layerDir = state.snapshotter.upperDir(layer.id);
      const stack = state.snapshotter.list().find(({ name }) => name === merged.id);
      expect(stack).toMatchObject({ kind: 'committed' });
      for (const ref of [merged.id, computed.id])
        rmSync(join(state.snapshotter.upperDir(ref), '..'), { recursive: true });
    }
    const dropped: string[] = [];
    await using state = await openTestState({ root, onResultDropped: (one) => dropped.push(one) });
    const again = (await state.refs.get(id))!;
    expect(await filesOf(again)).toEqual({ a: 'base' });
    rmSync(layerDir, { recursive: true });
    await expect(again.check(options)).rejects.toBeInstanceOf(LostResultError);
    expect(dropped).toContain(id);
    expect(state.refs.exists(id)).toBe(false);
    expect(state.refs.exists(lower)).toBe(false);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('its parents stay as long as it does, and nothing stays after it', async () => {
  await using state = await openTestState();
  const base = await build(state, undefined, file('a', 'base'));
  const layer = await build(state, base, file('b', 'layer'));
  const other = await build(state, undefined, file('c', 'other'));
  const diff = await state.refs.diff(base, layer, describing);
  const merged = await state.refs.merge([other, diff], describing);
  const top = await build(state, merged, file('d', 'top'));
  expect(await filesOf(top)).toEqual({ b: 'layer', c: 'other', d: 'top' });
  const directory = state.snapshotter.upperDir(layer.id);
  for (const ref of [base, layer, other, diff, merged]) await ref.release();
  expect(await prune(state.refs, { ...options, all: true })).toEqual([]);
  for (const ref of [base, layer, other, diff, merged]) expect(await state.refs.remove(ref.id)).toBe(false);
  await top.release();
  const removed = await prune(state.refs, { ...options, all: true });
  expect(new Set(removed.map(({ id }) => id))).toEqual(
    new Set([base, layer, other, diff, merged, top].map(({ id }) => id)),
  );
  expect(state.snapshotter.list()).toEqual([]);
  expect(existsSync(directory)).toBe(false);
});

test('scratch is no layer of a merge, and more layers than can be mounted are refused', async () => {
  await using state = await openTestState();
  const empty = await state.refs.empty(options);
  const one = await build(state, undefined, file('a', ''));
  expect((await state.refs.merge([empty, one, empty], describing)).id).toBe(one.id);
  expect((await state.refs.merge([empty], describing)).id).toBe(empty.id);
  expect((await state.refs.diff(one, one, describing)).id).toBe(empty.id);
  let twice = await state.refs.merge([one, one], describing);
  for (let n = 0; n < 7; n++) twice = await state.refs.merge([twice, twice], describing);
  expect(await filesOf(twice)).toEqual({ a: '' });
  await expect(state.refs.merge([twice, twice], describing)).rejects.toMatchObject({ reason: 'SNAPSHOT_TOO_DEEP' });
});
