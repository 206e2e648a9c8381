import { expect, test } from 'vitest';
import { lastTime, nextTime, parseSchedule } from './cron.ts';

const at = (text: string) => Date.parse(text);
const next = (schedule: string, after: string) => {
  const found = nextTime(parseSchedule(schedule)!, at(after));
  return found === undefined ? undefined : new Date(found).toISOString().slice(0, 16);
};

test.each([
  ['* * * * *', '2026-01-01T00:00:00Z', '2026-01-01T00:01'],
  ['*/15 * * * *', '2026-01-01T00:15:01Z', '2026-01-01T00:30'],
  ['5/20 * * * *', '2026-01-01T00:06:00Z', '2026-01-01T00:25'],
  ['30 2 * * *', '2026-01-01T02:30:00Z', '2026-01-02T02:30'],
  ['0 9-17/4 * * mon-fri', '2026-01-02T17:00:00Z', '2026-01-05T09:00'],
  ['0 0 * * 7', '2026-01-01T00:00:00Z', '2026-01-04T00:00'],
  // Either of the two days.
  ['0 0 13 * fri', '2026-01-01T00:00:00Z', '2026-01-02T00:00'],
  ['0 0 13 * fri', '2026-01-09T00:00:00Z', '2026-01-13T00:00'],
  ['0 0 29 2 *', '2097-01-01T00:00:00Z', '2104-02-29T00:00'],
  ['@monthly', '2026-01-31T12:00:00Z', '2026-02-01T00:00'],
  ['1,2 0 1 JAN,Jul *', '2026-01-01T00:02:00Z', '2026-07-01T00:01'],
])('%s after %s is due at %s', (schedule, after, due) => {
  expect(next(schedule, after)).toBe(due);
});

test.each([
  '',
  '* * * *',
  '60 * * * *',
  '* 24 * * *',
  '* * 0 * *',
  '* * * 13 *',
  '* * * * 8',
  '5-1 * * * *',
])('is no schedule: %s', (text) => {
  expect(parseSchedule(text)).toBeUndefined();
});

test.each([
  '*/0 * * * *',
  '1- * * * *',
  'a * * * *',
  '0 0 30 2 *',
  '@every 5m',
  '* * * * * *',
  '1-2-3 * * * *',
])('is none either: %s', (text) => {
  expect(parseSchedule(text)).toBeUndefined();
});

test('of many times that were missed the last one is told, and none before it', () => {
  const hourly = parseSchedule('@hourly')!;
  expect(lastTime(hourly, at('2026-01-01T00:00:00Z'), at('2026-01-03T05:59:00Z'))).toBe(at('2026-01-03T05:00:00Z'));
  expect(lastTime(hourly, at('2026-01-03T05:00:00Z'), at('2026-01-03T05:59:00Z'))).toBeUndefined();
  expect(lastTime(parseSchedule('@yearly')!, at('2026-01-02T00:00:00Z'), at('2026-12-31T00:00:00Z'))).toBeUndefined();
});
