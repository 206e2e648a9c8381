import { expect, test } from 'vitest';
import { digestOf, KeyFilter, keyMark, scopeMark } from '../../base/index.ts';
import { KnownKeys } from './known-keys.ts';

const marks = (...numbers: readonly number[]) =>
  Buffer.concat(numbers.map((n) => keyMark(digestOf(String(n)), scopeMark('a')) as Uint8Array));
const none = new Uint8Array();
const filterOf = (...numbers: readonly number[]) => {
  const filter = KeyFilter.for(100);
  for (const n of numbers) filter.add(marks(n));
  return filter.bytes;
};

test('a builder’s summary is kept, grows by what it adds, and is gone when it tells another', () => {
  const known = new KnownKeys();
  const holds = (...numbers: readonly number[]) => known.holds('a')?.(marks(...numbers));
  expect([known.version('a'), holds(1)]).toEqual(['', undefined]);
  known.heard('a', { keysVersion: 'x.0', keysFilter: filterOf(1, 2), keysAdded: none });
  expect([known.version('a'), holds(1, 2), holds(3)]).toEqual(['x.0', 1, 0]);
  known.heard('a', { keysVersion: 'x.1', keysFilter: none, keysAdded: marks(3) });
  expect([known.version('a'), holds(1, 2, 3)]).toEqual(['x.1', 1]);
  known.learn('a', marks(4));
  expect(holds(4)).toBe(1);
  known.heard('a', { keysVersion: 'y.0', keysFilter: filterOf(9), keysAdded: none });
  expect([holds(1), holds(9)]).toEqual([0, 1]);
  // One that was started again has not read all of them yet.
  known.heard('a', { keysVersion: '', keysFilter: none, keysAdded: none });
  expect(holds(9)).toBe(1);
  known.forget('a');
  expect([known.version('a'), holds(9)]).toEqual(['', undefined]);
});

test('what is no summary, or only news of one that is not known, tells nothing', () => {
  const known = new KnownKeys();
  known.heard('a', { keysVersion: 'x.1', keysFilter: none, keysAdded: marks(3) });
  known.heard('b', { keysVersion: 'x.1', keysFilter: new Uint8Array(77), keysAdded: none });
  expect([known.version('a'), known.holds('a'), known.holds('b')]).toEqual(['', undefined, undefined]);
  // What ran there is known all the same, until it tells itself.
  known.learn('a', marks(3));
  expect([known.version('a'), known.holds('a')?.(marks(3))]).toEqual(['', 1]);
});
