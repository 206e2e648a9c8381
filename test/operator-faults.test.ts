import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

/** The table of faults in docs/operator.md: each row names tests that there are. */
const docs = path.join(import.meta.dirname, '../docs');
const rows = readFileSync(path.join(docs, 'operator.md'), 'utf8')
  .split('## Faults')[1]!
  .split('\n## ')[0]!
  .split('\n')
  .filter((line) => /^\| (?!what was done|---)/.test(line));

test('the table has what a run must stand', () => {
  const all = rows.join('\n');
  for (const fault of ['operator** killed', 'lease', 'hangs', 'builder** killed', 'evicted', '500', '429', '401'])
    expect(all).toContain(fault);
  for (const fault of ['corrupt', 'watch', '410', 'Secret', 'full', 'cache** away']) expect(all).toContain(fault);
});

test.each(rows.map((row) => [row.split('|')[1]!.trim(), row] as const))('%s', (_fault, row) => {
  const named = [...row.matchAll(/(“[^[\]]*”) \[[^\]]*\]\(([^)]*)\)/g)];
  expect(named.length).toBeGreaterThan(0);
  for (const [, titles = '', file = ''] of named) {
    const at = path.join(docs, file);
    expect(existsSync(at), file).toBe(true);
    const text = readFileSync(at, 'utf8');
    for (const [, title = ''] of titles.matchAll(/“([^”]*)”/g)) expect(text, `${title} in ${file}`).toContain(title);
  }
});
