import { expect, test } from 'vitest';
import { digestOf, HOUSE, neverAborted } from '../../base/index.ts';
import type { WorkerPool } from '../../sys/index.ts';
import type { ImmutableRef } from '../ports.ts';
import { ContentHasher } from './hasher.ts';

test('who waits for the digest that another is computing leaves by its own signal, the next still waits, and what is known is computed once', async () => {
  const begun: PromiseWithResolvers<unknown>[] = [];
  const pool = {
    run: () => {
      begun.push(Promise.withResolvers());
      return begun.at(-1)!.promise;
    },
  } as unknown as WorkerPool;
  const ref = {
    id: 'ref',
    getMetadata: () => undefined,
    mount: async () => ({ root: '/nowhere', [Symbol.asyncDispose]: async () => {} }),
  } as unknown as ImmutableRef;
  const hasher = new ContentHasher({ pool });
  const checksum = (signal: AbortSignal, path = '/') =>
    hasher.checksum(ref, [{ path }], { signal, owner: HOUSE, sessions: () => [] });
  const leaving = new AbortController();
  const first = checksum(neverAborted);
  const second = checksum(leaving.signal);
  const third = checksum(neverAborted, '/other');
  const fourth = checksum(neverAborted);
  await new Promise(setImmediate);
  leaving.abort(new Error('left'));
  await expect(second).rejects.toThrow('left');
  expect(begun).toHaveLength(1);
  begun[0]!.resolve({ digest: digestOf('one') });
  expect(await first).toBe(digestOf('one'));
  await new Promise(setImmediate);
  expect(begun).toHaveLength(2);
  begun[1]!.resolve({ digest: digestOf('two') });
  expect(await third).toBe(digestOf('two'));
  // What a ref was found to hold it holds for good: nothing is read for it again.
  expect(await fourth).toBe(digestOf('one'));
  expect(await checksum(neverAborted)).toBe(digestOf('one'));
  expect(begun).toHaveLength(2);
});
