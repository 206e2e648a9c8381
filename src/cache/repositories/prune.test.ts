import { expect, test } from 'vitest';
import { type Digest, digestOf } from '../../base/index.ts';
import { chooseCaches, type KeepCaches } from './prune.ts';
import type { Tagged } from './tagged.ts';

const DAY = 86_400_000;
const NOW = 100 * DAY;

function cache(tag: string, days: number | undefined, blobs: Readonly<Record<string, number>>): Tagged {
  const digest = digestOf(tag.replace(/ .*/, ''));
  return {
    ...{ tag: tag.replace(/^.* /, ''), digest, kind: 'cache', manifests: [digest], manifestBytes: 10, records: 1 },
    blobs: new Map(Object.entries(blobs).map(([name, size]) => [digestOf(name), size])),
    ...(days === undefined ? {} : { createdAt: NOW - days * DAY }),
  };
}

const CACHES = [
  cache('old', 30, { base: 100, a: 10 }),
  cache('new', 1, { base: 100, b: 20 }),
  cache('middle', 10, { base: 100, c: 30 }),
  cache('new again', 1, { base: 100, b: 20 }),
];

test.each<readonly [string, KeepCaches, readonly string[]]>([
  ['the newest ones, each under all its names', { keepLast: 1 }, ['middle', 'old']],
  ['as many as there are', { keepLast: 9 }, []],
  ['none', { keepLast: 0 }, ['new+again', 'middle', 'old']],
  ['what is young enough', { olderThanMs: 9 * DAY }, ['middle', 'old']],
  ['what is young enough, and the newest anyway', { keepLast: 2, olderThanMs: DAY / 2 }, ['old']],
  ['what there is room for, what is shared counted once', { maxBytes: 150 }, ['old']],
  ['nothing that is too large', { maxBytes: 110 }, ['new+again', 'middle', 'old']],
  ['both', { maxBytes: 150, olderThanMs: 5 * DAY }, ['middle', 'old']],
])('keeps %s', (_what, keep, doomed) => {
  const chosen = chooseCaches(CACHES, keep, NOW);
  expect(chosen.doomed.map(({ tags }) => tags.join('+'))).toEqual(doomed);
  expect(chosen.kept.length + chosen.doomed.length).toBe(3);
});

test('what says nothing of its age is never too old, images are never chosen, nor what an index is made of', () => {
  const part = cache('part', 90, { x: 1 });
  const index: Tagged = { ...cache('index', 90, { x: 1 }), kind: 'other', manifests: [digestOf('index'), part.digest] };
  const image: Tagged = { ...cache('image', 90, { y: 1 }), kind: 'other' };
  const unreadable: Tagged = { ...cache('unreadable', undefined, { z: 1 }), fault: 'malformed' };
  const { kept, doomed } = chooseCaches([part, index, image, unreadable], { olderThanMs: DAY }, NOW);
  expect(kept.map(({ digest }): Digest => digest).sort()).toEqual([part.digest, unreadable.digest].sort());
  expect(doomed).toEqual([]);
});
