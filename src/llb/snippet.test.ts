import { expect, test } from 'vitest';
import { markedLines, snippet } from './snippet.ts';

const lines = Array.from({ length: 1200 }, (_, index) => `line ${index + 1}`);
const shown = (startLine: number, endLine: number, all = lines) =>
  snippet({ filename: 'Dockerfile', lines: all, startLine, endLine });

test('a single line has two beside it, several have one, as buildctl shows them', () => {
  expect(shown(9, 9)).toEqual([
    'Dockerfile:9',
    '--------------------',
    '   7 |     line 7',
    '   8 |     line 8',
    '   9 | >>> line 9',
    '  10 |     line 10',
    '  11 |     line 11',
    '--------------------',
  ]);
  expect(shown(999, 1000).slice(2, -1)).toEqual([
    ' 998 |     line 998',
    ' 999 | >>> line 999',
    ' 1000 | >>> line 1000',
    ' 1001 |     line 1001',
  ]);
});

test('the ends of the file are the ends of what is shown, and a place behind it shows nothing', () => {
  expect(shown(1, 0, ['one', 'two']).slice(2, -1)).toEqual(['   1 | >>> one', '   2 |     two']);
  expect(shown(2, 9, ['one', 'two']).slice(2, -1)).toEqual(['   1 |     one', '   2 | >>> two']);
  expect(shown(3, 3, ['one', 'two'])).toEqual([]);
});

test('no more than thirty lines are shown', () => {
  expect(
    shown(2, 1000)
      .slice(2, -1)
      .map((line) => line.slice(0, 9))
      .at(-1),
  ).toBe('  30 | >>');
});

test('where there is no room for all, the lines around are left out first', () => {
  const long = Array.from({ length: 5 }, (_, n) => `${n}`.repeat(100));
  const numbers = (most: number) =>
    markedLines({ lines: long, startLine: 3, endLine: 3 }, most).map((line) => Number(line.slice(0, 4)));
  expect(numbers(1000)).toEqual([1, 2, 3, 4, 5]);
  expect(numbers(400)).toEqual([2, 3, 4]);
  expect(numbers(10)).toEqual([3]);
});
