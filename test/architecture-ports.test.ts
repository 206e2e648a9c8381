import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const files = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);

/** The rows of ARCHITECTURE.md's table of ports. */
function table(): readonly { readonly port: string; readonly file: string; readonly suite: string }[] {
  const [, after = ''] = read('ARCHITECTURE.md').split('\n## Ports\n');
  const [section = ''] = after.split('\n## ');
  const rows = section.matchAll(/^\| `(\w+)` \| `([\w/.-]+)` \| [^|]+ \| `([\w/.-]+)` \|$/gm);
  return [...rows].map(([, port, file, suite]) => ({ port: port!, file: file!, suite: suite! }));
}

test('the table of ports has all conformance suites, each of a port that is there', () => {
  const suites = files.filter((file) => file.endsWith('-suite.ts'));
  expect(
    table()
      .map(({ suite }) => suite)
      .toSorted(),
  ).toEqual(suites.toSorted());
  const missing = table().filter(
    ({ port, file }) => !new RegExp(`^export interface ${port}\\b`, 'm').test(read(`src/${file}`)),
  );
  expect(missing).toEqual([]);
});

test('a conformance suite is called by tests', () => {
  const tests = files.filter((file) => file.endsWith('.test.ts')).map((file) => read(`src/${file}`));
  const idle = table().filter(({ suite }) => {
    const name = /^export function (\w+Suite)\b/m.exec(read(`src/${suite}`))?.[1];
    return name === undefined || !tests.some((text) => new RegExp(`\\b${name}(?:<.*>)?\\(`).test(text));
  });
  expect(idle).toEqual([]);
});
