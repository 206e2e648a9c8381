import { expect, test } from 'vitest';
import { CodedError, digestOf, HOUSE, neverAborted, onAbort } from '../../base/index.ts';
import type { ImmutableRef, RefOptions } from '../../cache/ports.ts';
import { LostResultError, type ResultStore } from '../../solver/index.ts';
import { MemoryKeyStore } from '../../solver/testing/memory-key-store.ts';
import { collectCache } from './collect.ts';

const roots = ['lost', 'packing', 'loading'].map((name) => digestOf(name));

/** A step whose result is lost at once, one that is being packed, and one whose result is still coming. */
class Results implements ResultStore<ImmutableRef> {
  readonly packs = Promise.withResolvers<void>();
  readonly loads = Promise.withResolvers<void>();
  readonly comes = Promise.withResolvers<void>();
  /** Why packing was given up. */
  givenUp: unknown;
  held = 0;

  exists(): boolean {
    return true;
  }

  save(): never {
    return expect.unreachable();
  }

  async load(record: string): ReturnType<ResultStore<ImmutableRef>['load']> {
    if (record === roots[0]) {
      await Promise.all([this.packs.promise, this.loads.promise]);
      throw new LostResultError(record, 'it is gone');
    }
    if (record === roots[2]) {
      this.loads.resolve();
      await this.comes.promise;
    }
    this.held++;
    const value = {
      packed: () => undefined,
      layers: async ({ signal }: RefOptions) => {
        this.packs.resolve();
        using aborted = onAbort(signal);
        return await aborted.promise.catch((error: unknown) => {
          this.givenUp = error;
          throw error;
        });
      },
      release: async () => void this.held--,
    } as unknown as ImmutableRef;
    return { id: record, value, clone: () => expect.unreachable(), release: async () => {} };
  }
}

function collecting(signal: AbortSignal) {
  const keys = new MemoryKeyStore();
  for (const root of roots) keys.addResult(root, root, 1, 'here');
  const results = new Results();
  const collected = collectCache(
    { roots, scopes: ['here'] },
    { mode: 'max', compression: { type: 'gzip' } },
    { keys, results },
    {
      ...{ signal, owner: HOUSE, sessions: () => [], exporterId: 0 },
      progress: { status() {}, log() {}, warn() {} },
    },
  );
  let over = false;
  const ended = collected.then(
    () => undefined,
    (error: unknown) => {
      over = true;
      return error;
    },
  );
  return { results, ended, isOver: () => over };
}

test('a lost result ends what is done beside it, and is told of once nothing is held', async () => {
  const { results, ended, isOver } = collecting(neverAborted);
  await expect.poll(() => results.givenUp).toBeInstanceOf(LostResultError);
  expect(isOver()).toBe(false);
  results.comes.resolve();
  expect(await ended).toBeInstanceOf(LostResultError);
  expect(results.held).toBe(0);
});

test('a build that is given up holds nothing, either', async () => {
  const over = new AbortController();
  const { results, ended } = collecting(over.signal);
  const reason = new CodedError('cancelled', 'given up');
  await results.loads.promise;
  over.abort(reason);
  results.comes.resolve();
  expect(await ended).toBe(reason);
  expect(results.held).toBe(0);
});
