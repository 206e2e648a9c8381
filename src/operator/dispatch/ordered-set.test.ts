import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OrderedSet } from './ordered-set.ts';

test('it holds what a sorted list would, at the same places', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(40), fc.boolean()), { maxLength: 200 }), (steps) => {
      const set = new OrderedSet<number>((a, b) => a - b);
      const model = new Set<number>();
      for (const [value, adds] of steps) {
        if (adds) expect(set.add(value)).toBe(!model.has(value));
        else expect(set.delete(value)).toBe(model.has(value));
        if (adds) model.add(value);
        else model.delete(value);
        const sorted = [...model].sort((a, b) => a - b);
        expect([...set]).toEqual(sorted);
        expect(set.first).toBe(sorted[0]);
        expect(set.size).toBe(sorted.length);
        expect(set.has(value)).toBe(adds);
        for (const one of [0, value, 41]) expect(set.rank(one)).toBe(sorted.filter((other) => other < one).length);
      }
    }),
  );
});

test('each change costs few comparisons, however many there are and in whatever order they come', () => {
  let compared = 0;
  const set = new OrderedSet<number>((a, b) => {
    compared++;
    return a - b;
  });
  for (let at = 0; at < 20_000; at++) set.add(at);
  for (let at = 0; at < 20_000; at++) {
    set.rank(at);
    set.delete(at);
  }
  expect(compared / 60_000).toBeLessThan(80);
});
