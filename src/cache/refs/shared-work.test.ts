import { expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import { SharedWork } from './shared-work.ts';

test('callers with one key share one run, and each learns its result or failure', async () => {
  const work = new SharedWork<number, object>();
  let runs = 0;
  const run = () =>
    work.run('k', {}, { signal: neverAborted }, async ({ participants }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      runs++;
      return participants.size;
    });
  expect(await Promise.all([run(), run(), run()])).toEqual([3, 3, 3]);
  expect(runs).toBe(1);
  await run();
  expect(runs).toBe(2);
  await expect(work.run('k', {}, { signal: neverAborted }, () => Promise.reject(new Error('no')))).rejects.toThrow(
    'no',
  );
});

test('the work goes on until the last caller leaves, and who comes after that starts anew', async () => {
  const work = new SharedWork<string, object>();
  let started = 0;
  let ended = 0;
  const task = ({ signal }: { signal: AbortSignal }) => {
    started++;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    // The first goes on for as long as anybody wants it.
    const timer = started === 1 ? undefined : setTimeout(resolve, 50, `run ${started}`);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      // Takes its time to end.
      setTimeout(() => {
        ended++;
        reject(signal.reason);
      }, 10);
    });
    return promise;
  };
  const a = new AbortController();
  const b = new AbortController();
  const first = work.run('k', {}, { signal: a.signal }, task);
  const second = work.run('k', {}, { signal: b.signal }, task);
  a.abort(new Error('a left'));
  await expect(first).rejects.toThrow('a left');
  expect(ended).toBe(0);
  const left = expect(second).rejects.toThrow('b left');
  b.abort(new Error('b left'));
  await new Promise(setImmediate);
  const third = work.run('k', {}, { signal: neverAborted }, task);
  expect(await third).toBe('run 2');
  await left;
  expect([started, ended]).toEqual([2, 1]);
});
