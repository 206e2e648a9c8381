import { expect, test } from 'vitest';
import { httpTime } from './http-time.ts';

test.each([
  'Sun, 06 Nov 1994 08:49:37 GMT',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  'Sun Nov  6 08:49:37 1994',
])('%s is a time', (text) => {
  expect(httpTime(text)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
});

test.each([
  '',
  '1994-11-06',
  '1994',
  'Sun, 06 Nov 1994 08:49:37 +0100',
  'Sun, 06 Nix 1994 08:49:37 GMT',
  'yesterday',
])('%j is none', (text) => {
  expect(httpTime(text)).toBeUndefined();
});
