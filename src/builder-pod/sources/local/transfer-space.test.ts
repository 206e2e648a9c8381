import { expect, test } from 'vitest';
import { toCodedError } from '../../../base/index.ts';
import { TransferSpace } from './transfer-space.ts';

const MB = 1e6;
const left = (free: number, freeInodes = 1000) => ({ free, inodes: 1000, freeInodes });

test('on a disk that is almost full the largest transfer of who sends most in sum is ended, once, and the others go on', () => {
  let low = 0;
  const space = new TransferSpace({ keepFree: 100 * MB, onLow: () => low++ });
  const begin = (tenant: string, build: string) => space.begin({ tenant, build });
  const good = begin('good', 'one');
  const bad = [1, 2, 3, 4].map((n) => begin('bad', `${n}`));
  good.report({ bytes: 60 * MB, entries: 1 }, left(1000 * MB));
  expect(low).toBe(0);
  for (const [at, transfer] of bad.entries()) transfer.report({ bytes: (20 + at) * MB, entries: 1 }, left(300 * MB));
  expect(low).toBe(4);
  good.report({ bytes: 61 * MB, entries: 1 }, left(99 * MB));
  const ended = () => bad.map(({ signal }) => signal.aborted);
  expect(ended()).toEqual([false, false, false, true]);
  expect(toCodedError(bad[3]?.signal.reason)).toMatchObject({ reason: 'CONTEXT_DISK', fault: 'infrastructure' });
  // What it had is not gone yet, nor when it is over.
  good.report({ bytes: 62 * MB, entries: 1 }, left(90 * MB));
  bad[3]?.[Symbol.dispose]();
  good.report({ bytes: 63 * MB, entries: 1 }, left(90 * MB));
  expect(ended()).toEqual([false, false, false, true]);
  // It still gets less.
  good.report({ bytes: 64 * MB, entries: 1 }, left(40 * MB));
  expect(good.signal.aborted).toBe(true);
  expect(ended()).toEqual([false, false, false, true]);
});

test('inodes are kept free as well, and who sends little is not what fills a disk', () => {
  const space = new TransferSpace({ keepFree: 100 * MB });
  const many = space.begin({ tenant: 'a', build: 'one' });
  many.report({ bytes: 0, entries: 5000 }, left(1000 * MB, 9));
  expect(many.signal.aborted).toBe(true);
  many[Symbol.dispose]();
  const little = space.begin({ tenant: 'a', build: 'two' });
  little.report({ bytes: 9 * MB, entries: 1 }, left(0, 0));
  expect(little.signal.aborted).toBe(false);
  const none = new TransferSpace({ keepFree: 0 }).begin({ tenant: 'a', build: 'one' });
  none.report({ bytes: 900 * MB, entries: 1 }, { free: 0, inodes: 0, freeInodes: 0 });
  expect(none.signal.aborted).toBe(false);
});
