import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../base/index.ts';
import type { OpContext, Result, ResultStore } from '../ports.ts';

/** A store, and who makes what it keeps. */
interface ResultWorld<T> extends AsyncDisposable {
  readonly store: ResultStore<T>;
  make(): Promise<Result<T>>;
  /** What tells a value from another. */
  nameOf(value: T): string;
  /** Handles that are not given back. */
  held(): number;
  /** Takes away what a record stands for. */
  lose(record: string): Promise<void>;
}

/** What every {@link ResultStore} holds to. */
export function resultStoreSuite<T>(name: string, open: () => Promise<ResultWorld<T>>): void {
  describe(`result store: ${name}`, () => {
    let world: ResultWorld<T>;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const contextOf = (signal = neverAborted): OpContext => ({
      ...{ signal, owner: HOUSE, scope: 'main', sessions: () => [], limits: () => ({}) },
      progress: { status: () => {}, log: () => {}, warn: () => {} },
    });

    test('what was saved is found by its record, also when nobody holds it', async () => {
      const result = await world.make();
      const name = world.nameOf(result.value);
      const record = await world.store.save(result);
      await result.release();
      expect(world.store.exists(record)).toBe(true);
      const loaded = (await world.store.load(record, contextOf()))!;
      expect([loaded.id, world.nameOf(loaded.value)]).toEqual([result.id, name]);
      await loaded.release();
    });

    test('takes no handle and gives one to each who loads, whose releases are their own', async () => {
      const result = await world.make();
      const before = world.held();
      const record = await world.store.save(result);
      expect(world.held()).toBe(before);
      const [one, two] = [await world.store.load(record, contextOf()), await world.store.load(record, contextOf())];
      expect(world.held()).toBe(before + 2);
      await one!.release();
      const three = two!.clone();
      await two!.release();
      expect(world.nameOf(three.value)).toBe(world.nameOf(result.value));
      await three.release();
      await result.release();
      expect(world.held()).toBe(before - 1);
      expect(world.store.exists(record)).toBe(true);
    });

    test('one result has one record, however often it is saved', async () => {
      const [result, other] = [await world.make(), await world.make()];
      const record = await world.store.save(result);
      expect(await world.store.save(result)).toBe(record);
      expect(await world.store.save(other)).not.toBe(record);
      for (const each of [result, other]) await each.release();
    });

    test('what is gone or never was is nothing, and no error', async () => {
      const result = await world.make();
      const record = await world.store.save(result);
      await result.release();
      await world.lose(record);
      for (const none of [record, 'unknown', '']) {
        expect(world.store.exists(none)).toBe(false);
        expect(await world.store.load(none, contextOf())).toBeUndefined();
      }
      expect(world.held()).toBe(0);
    });

    test('gives nothing to who has gone', async () => {
      const result = await world.make();
      const record = await world.store.save(result);
      await result.release();
      const gone = contextOf(AbortSignal.abort(new Error('enough')));
      await expect(world.store.load(record, gone)).rejects.toThrow('enough');
      expect(world.held()).toBe(0);
    });
  });
}
