import { expect, test } from 'vitest';
import { Shares } from './shares.ts';

test('who holds most in sum gives way, whatever its parts are', () => {
  const shares = new Shares<string>();
  const add = (tenant: string, build: string, holder: string, amount: number) =>
    shares.add({ tenant, build }, holder, amount);
  expect(shares.largest()).toBeUndefined();
  add('good', 'one', 'big', 50);
  for (let n = 0; n < 80; n++) add('bad', `${n}`, `small ${n}`, 1);
  add('bad', '7', 'another', 2);
  expect(shares.total).toBe(132);
  expect(shares.largest()).toBe('another');
  add('bad', '7', 'another', -2);
  expect(shares.largest()).toBe('small 79');
  for (let n = 40; n < 80; n++) add('bad', `${n}`, `small ${n}`, -1);
  expect(shares.largest()).toBe('big');
  expect([shares.ofTenant('bad'), shares.ofBuild({ tenant: 'bad', build: '7' })]).toEqual([40, 1]);
  add('good', 'one', 'big', -50);
  for (let n = 0; n < 40; n++) add('bad', `${n}`, `small ${n}`, -1);
  expect([shares.total, shares.largest(), shares.ofTenant('bad')]).toEqual([0, undefined, 0]);
});
