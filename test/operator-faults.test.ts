import { expect, test } from 'vitest';
import { faultRows, testRows } from './fault-table.ts';

/** The table of faults in docs/operator.md: each row names tests that there are. */
const rows = faultRows('operator.md', 'Faults');

test('the table has what a run must stand', () => {
  const all = rows.join('\n');
  for (const fault of ['operator** killed', 'lease', 'hangs', 'builder** killed', 'evicted', '500', '429', '401'])
    expect(all).toContain(fault);
  for (const fault of ['corrupt', 'watch', '410', 'Secret', 'full', 'cache** away']) expect(all).toContain(fault);
});

testRows(rows);
