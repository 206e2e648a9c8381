import { expect, test } from 'vitest';
import { PulledTally } from './pulled-bytes.ts';

const owner = (build: string) => ({ tenant: 'team', build });

test('bytes are counted to the build that pulls them, by where they come from, while it goes on', () => {
  const tally = new PulledTally();
  const [one, other] = [tally.begin(owner('one')), tally.begin(owner('other'))];
  for (const bytes of [1, 2]) tally.add(owner('one'), 'r.example.com/base', bytes);
  tally.add(owner('one'), 's3://caches/app', 10);
  tally.add(owner('one'), 'nothing', 0);
  tally.add({ tenant: 'other', build: 'one' }, 'r.example.com/base', 100);
  one[Symbol.dispose]();
  tally.add(owner('one'), 'late', 1);
  expect([...one.bytes]).toEqual([
    ['r.example.com/base', 3],
    ['s3://caches/app', 10],
  ]);
  expect([...other.bytes]).toEqual([]);
});

test('very many places are told of as one', () => {
  const tally = new PulledTally();
  const { bytes } = tally.begin(owner('one'));
  for (let at = 0; at < 1000; at++) tally.add(owner('one'), `r${at}.example.com/a`, 1);
  expect(bytes.size).toBe(65);
  expect(bytes.get('others')).toBe(936);
});
