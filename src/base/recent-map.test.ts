import { expect, test } from 'vitest';
import { RecentMap } from './recent-map.ts';

test('what was not asked for the longest makes way', () => {
  const map = new RecentMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  expect(map.get('a')).toBe(1);
  map.set('c', 3);
  expect(['a', 'b', 'c'].map((key) => map.get(key))).toEqual([1, undefined, 3]);
  expect(map.getOrMake('a', () => 9)).toBe(1);
  expect(map.getOrMake('d', () => 4)).toBe(4);
  expect(map.get('c')).toBe(undefined);
  map.set('a', 5);
  expect([map.get('a'), map.get('d')]).toEqual([5, 4]);
});
