import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { HOUSE, neverAborted, type WorkOptions } from '../../base/index.ts';
import { LostResultError } from '../../solver/ports.ts';
import { resultStoreSuite } from '../../solver/testing/result-store-suite.ts';
import { type BestEffort, mountsBelow } from '../../sys/index.ts';
import { makeRef } from '../testing/make-ref.ts';
import { openTestState } from '../testing/open-state.ts';
import { repositoryPlace } from '../testing/places.ts';
import { refResult } from './index.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
const describing = { ...options, description: 'test' };

resultStoreSuite('refs', async () => {
  const state = await openTestState();
  const { refs, results: store } = state;
  const { records } = refs;
  let held = 0;
  const { hold, letGo } = records;
  records.hold = (id) => {
    held++;
    hold.call(records, id);
  };
  records.letGo = (id) => {
    held--;
    return letGo.call(records, id);
  };
  return {
    store,
    make: async () => refResult(await makeRef(state, undefined, () => {})),
    nameOf: ({ id }) => id,
    held: () => held,
    lose: async (record) => void (await refs.remove(record)),
    [Symbol.asyncDispose]: () => state[Symbol.asyncDispose](),
  };
});

test('a ref is written, committed, built upon and read', async () => {
  await using state = await openTestState();
  const { refs } = state;
  const bottom = await refs.create(undefined, describing);
  {
    await using view = await bottom.mount(options);
    writeFileSync(join(view.root, 'a'), '1');
  }
  const base = await bottom.commit(options);
  const upper = await refs.create(base, describing);
  {
    await using view = await upper.mount(options);
    expect(readFileSync(join(view.root, 'a'), 'utf8')).toBe('1');
    writeFileSync(join(view.root, 'b'), '2');
  }
  const top = await upper.commit(options);
  {
    await using view = await top.mount(options);
    expect(readdirSync(view.root).sort()).toEqual(['a', 'b']);
    expect(() => writeFileSync(join(view.root, 'c'), '')).toThrow(/EROFS/);
  }
  const layers = await top.layers(options);
  expect(layers).toHaveLength(2);
  for (const { descriptor } of layers) expect(state.content.info(descriptor.digest)?.size).toBe(descriptor.size);
  expect(await top.layers(options)).toEqual(layers);
  await base.release();
  await top.release();
  expect(readdirSync(state.layout.mounts)).toEqual([]);
  expect(existsSync(state.layout.database)).toBe(true);
});

test('what is committed in passing goes with its last handle, also when others stood on it; all else stays', async () => {
  await using state = await openTestState();
  const { refs } = state;
  const base = await makeRef(state, undefined, () => {});
  const writing = await refs.create(base, describing);
  const passing = await writing.commit({ ...options, passing: true });
  const other = passing.clone();
  const above = await refs.create(passing, describing);
  await passing.release();
  {
    await using view = await other.mount(options);
    expect(existsSync(view.root)).toBe(true);
  }
  await above.release();
  expect(refs.exists(passing.id)).toBe(true);
  await other.release();
  expect(refs.exists(passing.id)).toBe(false);
  await base.release();
  expect(refs.exists(base.id)).toBe(true);
  expect(state.snapshotter.list().map(({ name }) => name)).toEqual([base.id]);
});

test('one directory is its own view, and nothing is mounted', async () => {
  await using state = await openTestState();
  const { refs } = state;
  const writing = await refs.create(undefined, describing);
  {
    await using view = await writing.mount(options);
    writeFileSync(join(view.root, 'a'), '1');
    expect(mountsBelow(state.layout.root)).toEqual([]);
  }
  const base = await writing.commit(options);
  const view = await base.mount(options);
  expect(mountsBelow(state.layout.root)).toEqual([]);
  await base.release();
  // The view holds it.
  expect(await refs.remove(base.id)).toBe(false);
  expect(readFileSync(join(view.root, 'a'), 'utf8')).toBe('1');
  await view[Symbol.asyncDispose]();
  const again = (await refs.get(base.id))!;
  rmSync(view.root, { recursive: true });
  await expect(again.mount(options)).rejects.toBeInstanceOf(LostResultError);
});

test('what is committed as a whole is one layer, also when its files are lost and unpacked again', async () => {
  await using state = await openTestState();
  const { refs } = state;
  const first = await refs.create(undefined, describing);
  {
    await using view = await first.mount(options);
    for (const name of ['kept', 'gone', 'changed']) writeFileSync(join(view.root, name), '1');
  }
  const base = await first.commit({ ...options, whole: true });
  const second = await refs.create(base, describing);
  {
    await using view = await second.mount(options);
    rmSync(join(view.root, 'gone'));
    writeFileSync(join(view.root, 'changed'), '22');
  }
  const whole = await second.commit({ ...options, whole: true });
  const above = await (await refs.create(whole, describing)).commit(options);
  const [layer, ...others] = await whole.layers(options);
  expect(others).toEqual([]);
  expect((await above.layers(options)).map(({ diffId }) => diffId)).toEqual([layer!.diffId, expect.anything()]);

  // What it was written on goes with the rest: its layer is all that is needed.
  rmSync(dirname(state.snapshotter.upperDir(base.id)), { recursive: true });
  await expect(whole.check(options)).rejects.toMatchObject({ kind: 'gone' });
  const again = (await refs.get(whole.id))!;
  await using view = await again.mount(options);
  expect(readdirSync(view.root).sort()).toEqual(['changed', 'kept']);
  expect(readFileSync(join(view.root, 'changed'), 'utf8')).toBe('22');
});

test('layers are packed in the turns of the build that wants them', async () => {
  const owners: unknown[] = [];
  const told = (_: unknown, { owner }: WorkOptions) => {
    owners.push(owner);
    return Promise.reject(new Error('told'));
  };
  await using state = await openTestState({
    tools: { apply: told, index: told, pack: told, restack: told, convert: told },
  });
  const mutable = await state.refs.create(undefined, describing);
  const ref = await mutable.commit(options);
  const owner = { tenant: 'of-this-tenant', build: 'of-this-build' };
  await expect(ref.layers({ ...options, owner })).rejects.toThrow('told');
  expect(owners).toEqual([owner]);
  await ref.release();
});

test('a layer that is packed although nobody waits for it is hurried by who then does', async () => {
  const packing = Promise.withResolvers<BestEffort | undefined>();
  const go = Promise.withResolvers<never>();
  const pack = (_: unknown, { bestEffort }: WorkOptions & { readonly bestEffort?: BestEffort | undefined }) => {
    packing.resolve(bestEffort);
    return go.promise;
  };
  await using state = await openTestState({ tools: { apply: pack, index: pack, pack, restack: pack, convert: pack } });
  const ref = await (await state.refs.create(undefined, describing)).commit(options);
  const early = ref.layers({ ...options, bestEffort: true });
  const hurried = new Int32Array((await packing.promise)!.flag);
  const alsoEarly = ref.layers({ ...options, bestEffort: true });
  expect(hurried[0]).toBe(0);
  const exported = ref.layers(options);
  expect(hurried[0]).toBe(1);
  go.reject(new Error('packed'));
  for (const one of [early, alsoEarly, exported]) await expect(one).rejects.toThrow('packed');
  await ref.release();
});

test('an image without layers is an empty file system, and no layer of what is made on it', async () => {
  const dropped: string[] = [];
  await using state = await openTestState({ onResultDropped: (id) => void dropped.push(id) });
  const { refs } = state;
  const empty = await refs.fromLayers([], {
    ...describing,
    scope: 'a',
    places: [repositoryPlace('registry.example/empty')],
  });
  expect([empty.lazy, await empty.layers(options)]).toEqual([false, []]);
  {
    await using view = await empty.mount(options);
    expect(readdirSync(view.root)).toEqual([]);
  }
  expect((await refs.empty({ ...options, scope: 'a' })).id).toBe(empty.id);
  expect((await refs.empty({ ...options, scope: 'b' })).id).not.toBe(empty.id);

  const above = await refs.create(empty, { ...describing, scope: 'a' });
  {
    await using view = await above.mount(options);
    writeFileSync(join(view.root, 'a'), '1');
  }
  const made = await above.commit(options);
  expect(await made.layers(options)).toHaveLength(1);

  // Lost, it is made again.
  await state.results.save(refResult(empty.clone()));
  rmSync(dirname(state.snapshotter.upperDir(refs.records.row(empty.id)!.snapshot!)), { recursive: true });
  await expect(empty.check(options)).rejects.toMatchObject({ kind: 'gone' });
  expect(dropped).toContain(empty.id);
  const again = await refs.empty({ ...options, scope: 'a' });
  await using view = await again.mount(options);
  expect(readdirSync(view.root)).toEqual([]);
});
