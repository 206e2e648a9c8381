import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import { openTestState } from '../testing/open-state.ts';

const options = { signal: neverAborted, sessions: () => [] };
const describing = { ...options, description: 'test' };

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
