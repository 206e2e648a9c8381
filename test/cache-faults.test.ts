import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

/** The table of faults in docs/cache.md: each row names tests that there are. */
const docs = path.join(import.meta.dirname, '../docs');
const rows = readFileSync(path.join(docs, 'cache.md'), 'utf8')
  .split('## What can go wrong')[1]!
  .split('\n## ')[0]!
  .split('\n')
  .filter((line) => /^\| (?!what was done|---)/.test(line));

test('the table has what a cache must stand', () => {
  for (const fault of ['missing', 'corrupt', 'truncated', 'forged', 'circles', '100,000', 'forbidden', 'rate-limited'])
    expect(rows.some((row) => row.includes(fault))).toBe(true);
  for (const fault of ['hanging', 'killed', 'full disk']) expect(rows.some((row) => row.includes(fault))).toBe(true);
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
