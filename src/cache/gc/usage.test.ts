import { expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import { slowMachine, turnsDuring } from '../../base/testing/turns.ts';
import type { Refs } from '../refs/index.ts';
import type { DiskUsage } from './disk-usage.ts';
import { parseFilters } from './filter.ts';
import { diskUsage, filterRecords } from './usage.ts';

test('usage of many records is read in pages, each record once', async () => {
  const ids = Array.from({ length: 1234 }, (_, n) => `ref ${n}`).sort();
  const read: number[] = [];
  const db = {
    all: (_: string, after: string, most: number) => {
      const rows = ids.filter((id) => id > after).slice(0, most);
      read.push(rows.length);
      return rows.map((id) => ({ id, kind: 'layer', size: 1, scope: 'a', leased: 0 }));
    },
  };
  const records = { options: { db }, inUse: () => false, parents: () => [] };
  const told = await diskUsage({ records } as unknown as Refs, { signal: neverAborted });
  expect(told.map(({ id }) => id)).toEqual(ids);
  expect(Math.max(...read)).toBeLessThanOrEqual(500);
});

test('many records are held against a filter a few at a time: others have their turns in between, and no thread is sent all at once', async () => {
  const records = Array.from({ length: 450 }, (_, n) => ({ id: `ref ${n}`, description: 'x' }) as DiskUsage);
  const sent: number[] = [];
  const run = async (_: unknown, { records: page }: { records: readonly DiskUsage[] }) => {
    sent.push(page.length);
    return page.flatMap(({ id }, n) => (id.endsWith('7') ? [n] : []));
  };
  const refs = { records: { options: { pools: { short: { run } } } } } as unknown as Refs;
  using _ = await slowMachine();
  const filter = parseFilters(['id=="ref 7"'], 'prune');
  let found: Awaited<ReturnType<typeof filterRecords>> = [];
  const turns = await turnsDuring(async () => {
    found = await filterRecords(refs, records, filter, { signal: neverAborted });
  });
  expect(found.map(({ id }) => id)).toEqual(['ref 7']);
  expect(turns).toBeGreaterThan(400);
  const matching = await filterRecords(refs, records, parseFilters(['id~=7$'], 'prune'), { signal: neverAborted });
  expect(matching).toHaveLength(45);
  expect(sent).toEqual([200, 200, 50]);
});
