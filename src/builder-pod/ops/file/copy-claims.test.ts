import { expect, test } from 'vitest';
import { CopyClaims } from './copy-claims.ts';

const go = () => {};

/** The numbers among `count` that a thread takes, from where it is. */
function* taken(claims: CopyClaims, count: number): Generator<number> {
  for (let at = 0; at < count; at++) {
    if (claims.takesNext()) yield at;
    else yield -1;
  }
}

test('what is small is one thread’s alone, and nobody is asked for help', () => {
  let asked = 0;
  const claims = CopyClaims.first(() => asked++);
  expect([...taken(claims, 500)]).toEqual([...Array(500).keys()]);
  claims.settle(go);
  expect(asked).toBe(0);
});

test.each([
  0, 1, 700, 5000,
])('each entry is copied by one of two threads, also when the second comes after %i', (late) => {
  const count = 6000;
  let shared: SharedArrayBuffer | undefined;
  const first = taken(
    CopyClaims.first((buffer) => {
      shared = buffer;
    }),
    count,
  );
  const found: number[] = [];
  const step = (walk: Generator<number>) => {
    const { value, done } = walk.next();
    if (done !== true && value >= 0) found.push(value);
    return done !== true;
  };
  while (shared === undefined) step(first);
  for (let at = 0; at < late; at++) step(first);
  const second = taken(CopyClaims.second(shared)!, count);
  let going = true;
  // The second is three times as fast.
  while (going) going = [step(first), step(second), step(second), step(second)].some(Boolean);
  expect(found.sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
});

test('a second thread that comes when all is done has nothing to do; one that has joined is waited for', () => {
  const shared: SharedArrayBuffer[] = [];
  const begin = () => {
    const claims = CopyClaims.first((buffer) => shared.push(buffer));
    for (const _ of taken(claims, 1000));
    return claims;
  };
  begin().settle(go);
  expect(CopyClaims.second(shared[0]!)).toBeUndefined();

  const claims = begin();
  expect(CopyClaims.second(shared[1]!)).toBeDefined();
  let looks = 0;
  claims.settle(() => {
    if (++looks === 2) CopyClaims.endSecond(shared[1]!);
  });
  expect(looks).toBe(3);
  const cancelled = begin();
  CopyClaims.second(shared[2]!);
  expect(() =>
    cancelled.settle(() => {
      throw new Error('cancelled');
    }),
  ).toThrow('cancelled');
});
