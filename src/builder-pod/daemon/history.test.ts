import { expect, test } from 'vitest';
import { BuildHistory } from './history.ts';

const refsOf = (history: BuildHistory) =>
  history.list({ activeOnly: false, ref: '', limit: 0 }).map(({ record }) => record?.ref);

function finish(history: BuildHistory, ...refs: string[]): void {
  for (const ref of refs) history.start({ ref });
  for (const ref of refs) history.complete(ref, { numTotalSteps: 3 });
}

test('records beyond the number that is kept go once they are old enough, but for pinned ones', () => {
  const young = new BuildHistory({ maxEntries: 1, maxAgeMs: 3_600_000 });
  finish(young, 'a', 'b', 'c');
  expect(refsOf(young)).toEqual(['a', 'b', 'c']);
  const old = new BuildHistory({ maxEntries: 2, maxAgeMs: 0 });
  finish(old, 'a');
  old.pin('a', true);
  finish(old, 'b', 'c', 'd');
  expect(refsOf(old)).toEqual(['a', 'd']);
  const none = new BuildHistory({ maxEntries: 0, maxAgeMs: 0 });
  finish(none, 'a');
  expect(refsOf(none)).toEqual([]);
});

test('memory is bounded whatever the age', () => {
  const history = new BuildHistory({ maxEntries: 50, maxAgeMs: 3_600_000 });
  for (let i = 0; i < 1100; i++) finish(history, `build-${i}`);
  expect(refsOf(history)).toHaveLength(1000);
  expect(refsOf(history).at(-1)).toBe('build-1099');
});

test('nor does a client move its bounds: by pins, or by long attributes', () => {
  const history = new BuildHistory({ maxEntries: 0, maxAgeMs: 0 });
  for (let n = 0; n < 201; n++) {
    history.start({ ref: `${n}`, frontendAttrs: { filename: 'Dockerfile', 'build-arg:big': 'x'.repeat(1 << 20) } });
    if (n < 200) history.pin(`${n}`, true);
  }
  expect(() => history.pin('200', true)).toThrow(expect.objectContaining({ code: 'resource_exhausted' }));
  history.pin('0', false);
  history.pin('200', true);
  const [first] = history.list({ activeOnly: false, ref: '', limit: 0 });
  expect(first?.record?.frontendAttrs).toEqual({ filename: 'Dockerfile' });
});
