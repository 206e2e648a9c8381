import { expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import type { Refs } from '../refs/index.ts';
import { diskUsage } from './usage.ts';

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
