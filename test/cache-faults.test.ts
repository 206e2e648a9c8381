import { expect, test } from 'vitest';
import { faultRows, testRows } from './fault-table.ts';

/** The table of faults in docs/cache.md: each row names tests that there are. */
const rows = faultRows('cache.md', 'What can go wrong');

test('the table has what a cache must stand', () => {
  for (const fault of ['missing', 'corrupt', 'truncated', 'forged', 'circles', '100,000', 'forbidden', 'rate-limited'])
    expect(rows.some((row) => row.includes(fault))).toBe(true);
  for (const fault of ['hanging', 'killed', 'full disk']) expect(rows.some((row) => row.includes(fault))).toBe(true);
});

testRows(rows);
