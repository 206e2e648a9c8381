import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DiskUsage } from './disk-usage.ts';
import { matchesFilter, parseFilters } from './filter.ts';
import { Heap } from './heap.ts';
import { defaultGcPolicy, keepBytes } from './policy.ts';

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
  expect(matchesFilter(parseFilters(filters, 'prune'), record)).toBe(expected);
});

/** What buildkitd v0.34.2 says of each, but for the last, which it takes. */
test.each([
  ['==x', '[ >|=|< =x]: expected field or quoted'],
  ['type==', '[type==]: expected value or quoted'],
  ['type==a b', '[type==a >| |< b]: unexpected input:  '],
  ['a,,b', '[a, >|,|< b]: expected field or quoted'],
  ['a,', '[a,]: expected field or quoted'],
  ['type=x', '[type >|=|< x]: unsupported operator "="'],
  ['type===x', '[type >|=|< ==x]: unsupported operator "==="'],
  ['type<x', '[type >|<|< x]: expected an operator ("=="|"!="|"~=")'],
  ['type~=/x', '[type~= >|/|< x]: quoted literal not terminated'],
  ['type==/x/', '[type== >|/|< x/]: invalid quote encountered'],
  ['id.==x', '[id. >|=|< =x]: expected field or quoted'],
  ['id=="open', '[id== >|"|< open]: quoted literal not terminated'],
  ['type~==x', '[type >|~|< ==x]: unsupported operator "~=="'],
  ['.id==x', '[ >|.|< id==x]: expected field or quoted'],
  ['id==.x', '[id== >|.|< x]: expected value or quoted'],
  ['id~="("', '[id~="("]: "(" is no regular expression'],
])('what is wrong with the filter %j is shown in it', (text, where) => {
  const message = `failed to parse prune filters [${text}]: filters: parse error: ${where}: invalid argument`;
  expect(() => parseFilters([text], 'prune')).toThrow(message);
});

test('a filter is bounded', () => {
  expect(() => parseFilters([`id==${'x'.repeat(2000)}`], 'prune')).toThrow('longer than 1024 characters');
});

test('any text is parsed or refused as invalid', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (text) => {
      try {
        matchesFilter(parseFilters([text], 'prune'), record);
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
