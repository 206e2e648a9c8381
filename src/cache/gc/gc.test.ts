import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesFilter, parseFilters } from './filter.ts';
import { Heap } from './heap.ts';
import { defaultGcPolicy, keepBytes } from './policy.ts';
import type { DiskUsage } from './usage.ts';

const record: DiskUsage = {
  ...{ id: 'abc', mutable: true, inUse: false, size: 1, parents: ['p1'], createdAt: 0, lastUsedAt: 0, usageCount: 1 },
  ...{ description: 'RUN make, all', recordType: 'exec.cachemount', shared: false, scope: '' },
};

test.each([
  [[], true],
  [['type==exec.cachemount'], true],
  [['type==regular', 'type==exec.cachemount'], true],
  [['type==exec.cachemount,inuse'], false],
  [['type==exec.cachemount,inuse==0'], true],
  [['inuse==1'], false],
  [['mutable'], true],
  [['mutable==true , private'], true],
  [['immutable'], false],
  [['shared'], false],
  [['id==abc'], true],
  [['id!=abc'], false],
  [['id'], true],
  [['parents==p1'], true],
  [['description=="RUN make, all"'], true],
  [['description~="^RUN .*all$"'], true],
  [['description~=COPY'], false],
  [['unknown'], false],
  [['unknown==x'], false],
  [['description~=make.*=?a'], true],
  [['id==a=b'], false],
  [['"id"=="abc"'], true],
  [['id.any==abc'], true],
  [['id!=a==b'], true],
  [['description~=/RUN\\s.*/'], true],
  [['description~=|make, all|,id==abc'], true],
  [['description~=/make, all/,id==x'], false],
  [['description~=(?i)^run'], true],
  [['description=="RUN \\x6dake, \\u0061ll"'], true],
])('filter %j matches: %s', (filters, expected) => {
  expect(matchesFilter(parseFilters(filters), record)).toBe(expected);
});

test.each([
  '==x',
  'type==',
  'type==a b',
  'a,,b',
  'a,',
  'type=x',
  'type===x',
  'type~==x',
  'type==/x/',
  '.id==x',
  'id.==x',
  'id==.x',
  'id~="("',
  `id==${'x'.repeat(2000)}`,
  'id=="open',
])('filter %j is refused by name', (text) => {
  expect(() => parseFilters([text])).toThrow(/invalid filter/);
});

test('any text is parsed or refused as invalid', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (text) => {
      try {
        matchesFilter(parseFilters([text]), record);
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_argument' });
      }
    }),
  );
});

test('how much a rule lets stay', () => {
  expect(keepBytes({}, 500, 100)).toBeUndefined();
  expect(keepBytes({ maxUsedSpace: 300 }, 500, 100)).toBe(300);
  expect(keepBytes({ minFreeSpace: 150 }, 500, 100)).toBe(450);
  expect(keepBytes({ minFreeSpace: 50 }, 500, 100)).toBeGreaterThanOrEqual(500);
  expect(keepBytes({ maxUsedSpace: 300, minFreeSpace: 400, reservedSpace: 250 }, 500, 100)).toBe(250);
  expect(keepBytes({ reservedSpace: 250 }, 500, 100)).toBe(250);
  const policy = defaultGcPolicy({ total: 1_000_000_000_000 });
  expect(policy).toHaveLength(4);
  expect(policy[3]).toEqual({ all: true, reservedSpace: 10e9, maxUsedSpace: 100e9, minFreeSpace: 200e9 });
});

test('a heap gives its items in order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), (numbers) => {
      const heap = new Heap<number>((a, b) => a - b);
      for (const n of numbers) heap.push(n);
      const out = numbers.map(() => heap.pop());
      expect(out).toEqual(numbers.toSorted((a, b) => a - b));
      expect(heap.pop()).toBeUndefined();
    }),
  );
});
