import { expect, test } from 'vitest';
import { releaseAll } from './handles.ts';
import type { Result } from './ports.ts';

test('a handle that cannot be released keeps none of the others, and fails nobody', async () => {
  const released: number[] = [];
  const handles = [1, 2, 3].map((n) => ({
    release: async () => {
      released.push(n);
      if (n === 2) throw new Error('the disk is gone');
    },
  }));
  await expect(releaseAll(handles as unknown as Result[])).resolves.toBeUndefined();
  expect(released).toEqual([1, 2, 3]);
});
