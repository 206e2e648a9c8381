import { expect, test } from 'vitest';
import { Afterwork, HOUSE, neverAborted } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { KeptView } from './kept-view.ts';

/** Refs that note when they are mounted and unmounted. */
function refs() {
  const log: string[] = [];
  const ref = (id: string): Pick<ImmutableRef, 'id' | 'mount'> => ({
    id,
    mount: async () => {
      log.push(`mount ${id}`);
      return {
        root: `/${id}`,
        mounts: [],
        [Symbol.asyncDispose]: async () => {
          log.push(`unmount ${id}`);
        },
      };
    },
  });
  return { log, a: ref('a'), b: ref('b') };
}

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };

test('reads of one ref share a mount, until another is read or the build is over', async () => {
  const { log, a, b } = refs();
  const over = new AbortController();
  const view = new KeptView(new Afterwork(), over.signal);
  for (let n = 0; n < 3; n++) expect(await view.use(a, options, async (root) => root)).toBe('/a');
  expect(log).toEqual(['mount a']);
  await view.use(b, options, async () => {});
  expect(log).toEqual(['mount a', 'mount b', 'unmount a']);
  over.abort();
  expect(log.at(-1)).toBe('unmount b');
});

test('nothing is unmounted under a read, and everything once', async () => {
  const { log, a, b } = refs();
  const over = new AbortController();
  const view = new KeptView(new Afterwork(), over.signal);
  const reading = Promise.withResolvers<void>();
  const first = view.use(a, options, () => reading.promise);
  const second = view.use(b, options, () => reading.promise);
  await Promise.resolve();
  over.abort();
  expect(log.filter((line) => line.startsWith('unmount'))).toEqual([]);
  reading.resolve();
  await Promise.all([first, second]);
  expect(log.toSorted()).toEqual(['mount a', 'mount b', 'unmount a', 'unmount b']);
});

test('a failed read and a build that is over leave nothing mounted', async () => {
  const { log, a } = refs();
  const over = new AbortController();
  const view = new KeptView(new Afterwork(), over.signal);
  await expect(view.use(a, options, () => Promise.reject(new Error('no such file')))).rejects.toThrow('no such file');
  over.abort();
  await view.use(a, options, async () => {});
  expect(log).toEqual(['mount a', 'unmount a', 'mount a', 'unmount a']);
});
