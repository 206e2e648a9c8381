import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const docs = path.join(import.meta.dirname, '../docs');

/** Rows of the table of faults in a section of a page of docs/. */
export function faultRows(page: string, section: string): readonly string[] {
  return readFileSync(path.join(docs, page), 'utf8')
    .split(`## ${section}`)[1]!
    .split('\n## ')[0]!
    .split('\n')
    .filter((line) => /^\| (?!what was done|---)/.test(line));
}

/** A test for each row: it names tests that there are. */
export function testRows(rows: readonly string[]): void {
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
}
