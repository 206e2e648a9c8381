import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import { LargeMap } from './large-map.ts';

type Change = { readonly kind: 'set' | 'delete' | 'clear'; readonly n: number };

const changes = fc.array(
  fc.record({
    kind: fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom('set' as const, 'set' as const, 'delete' as const) },
      { weight: 1, arbitrary: fc.constant('clear' as const) },
    ),
    n: fc.nat(9000),
  }),
  { maxLength: 300 },
);

const sorted = <T>(all: Iterable<T>) => [...all].map((one) => JSON.stringify(one)).sort();

test.each([0, 4090, 6000])('it holds what a map holds, also where it held %d before', (before) => {
  const run = (all: readonly Change[]) => {
    const map = new Map<string, number>();
    const large = LargeMap.byText<string, number>();
    for (let n = 0; n < before; n++) {
      map.set(digestOf(`${n}`), n);
      large.set(digestOf(`${n}`), n);
    }
    for (const [i, { kind, n }] of all.entries()) {
      const key = digestOf(`${n}`);
      expect(large.has(key)).toBe(map.has(key));
      if (kind === 'clear') {
        map.clear();
        large.clear();
      } else if (kind === 'delete') expect(large.delete(key)).toBe(map.delete(key));
      else {
        map.set(key, i);
        expect(large.set(key, i)).toBe(large);
      }
      expect(large.get(key)).toBe(map.get(key));
      expect(large.size).toBe(map.size);
    }
    expect(sorted(large)).toEqual(sorted(map));
    expect(sorted(large.keys())).toEqual(sorted(map.keys()));
    expect(sorted(large.values())).toEqual(sorted(map.values()));
    const told: unknown[] = [];
    large.forEach((value, key) => void told.push([key, value]));
    expect(sorted(told)).toEqual(sorted(map));
  };
  fc.assert(fc.property(changes, run), { numRuns: before === 0 ? 50 : 5 });
});

test('keys of one name are told apart by what they are, before and after it is split', () => {
  const large = LargeMap.by<{ readonly name: string }, number>(({ name }) => name);
  const twins = [{ name: digestOf('same') }, { name: digestOf('same') }] as const;
  const check = () => {
    expect(twins.map((twin) => large.get(twin))).toEqual([1, 2]);
    expect(large.has({ ...twins[0] })).toBe(false);
  };
  large.set(twins[0], 1).set(twins[1], 2);
  check();
  for (let n = 0; n < 10_000; n++) large.set({ name: digestOf(`${n}`) }, n);
  check();
  expect(large.size).toBe(10_002);
});

test.each([30, 100, 1000])('names that are alike in their last %d characters are told apart, and quickly', (end) => {
  const name = (n: number) => `${n}${'x'.repeat(end)}`;
  const large = LargeMap.byText<string, number>();
  for (let n = 0; n < 50_000; n++) large.set(name(n), n);
  expect(large.size).toBe(50_000);
  for (let n = 0; n < 50_000; n++) expect(large.get(name(n)) === n && large.delete(name(n))).toBe(true);
  expect([large.size, [...large]]).toEqual([0, []]);
});
