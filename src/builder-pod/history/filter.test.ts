import { expect, test } from 'vitest';
import { timestampOf } from '../../builder-api/index.ts';
import { fieldsOf, matchRecords, parseHistoryFilters } from './filter.ts';
import type { BuildRecord } from './store.ts';

const NOW = 1_700_000_000_000;
const at = (ago: number) => timestampOf(NOW - ago);
const RECORDS: readonly BuildRecord[] = [
  { ref: 'running', createdAt: at(1000), frontendAttrs: { context: 'https://host/x.git#main:dir' } },
  { ref: 'done', createdAt: at(7_200_000), completedAt: at(7_140_000), frontendAttrs: { 'vcs:source': 'git@host:x' } },
  { ref: 'failed', createdAt: at(600_000), completedAt: at(599_500), error: { code: 2, message: 'no' } },
  { ref: 'left', createdAt: at(600_000), completedAt: at(1000), error: { code: 1, message: 'x: context canceled' } },
];
const found = (...filters: string[]) =>
  matchRecords({ filter: parseHistoryFilters(filters, NOW), records: RECORDS.map(fieldsOf) }).map(
    (index) => RECORDS[index]!.ref,
  );

test.each([
  [['status==running'], ['running']],
  [
    ['status==error', 'status==canceled'],
    ['failed', 'left'],
  ],
  [['status!=completed,ref!=left'], ['running', 'failed']],
  [['ref~=^(done|left)$'], ['done', 'left']],
  [['repository'], ['running', 'done']],
  [['repository==https://host/x.git'], ['running']],
  [['repository=="git@host:x"'], ['done']],
  [['startedAt<1h'], ['done']],
  [['startedAt>=600s,status==error'], ['failed']],
  [['startedAt<2023-11-14T21:00:00Z'], ['done']],
  [['completedAt>1m'], ['left']],
  [['duration>30s'], ['done', 'left']],
  [['duration<=500ms'], ['running', 'failed']],
  [['duration>1m,status==completed', 'ref==failed'], ['failed']],
  [[''], ['running', 'done', 'failed', 'left']],
  [['nothing==x'], []],
])('%j', (filters, refs) => {
  expect(found(...filters)).toEqual(refs);
});

test.each([
  ['startedAt>soon', 'invalid time soon'],
  ['duration>2021-01-01T00:00:00Z', 'invalid duration 2021-01-01T00:00:00Z'],
  ['status=', 'failed to parse history filters'],
])('%s is refused', (filter, why) => {
  expect(() => parseHistoryFilters([filter])).toThrow(why);
});
