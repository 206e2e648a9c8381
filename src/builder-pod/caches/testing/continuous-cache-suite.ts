import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { neverAborted, Semaphore } from '../../../base/index.ts';
import type { CachedBuild, ContinuousCache, UpdateContext } from '../../engine/index.ts';
import { fakeContext } from '../../exporters/testing/fakes.ts';
import type { CacheExporterWorld } from './cache-exporter-suite.ts';

interface ContinuousCacheWorld extends Pick<CacheExporterWorld, 'asked' | 'does'>, AsyncDisposable {
  readonly cache: ContinuousCache;
  /** A build that has finished one result, of one layer that is not packed yet. */
  readonly build: CachedBuild;
  /** Whether the place has that layer. */
  hasLayer(): Promise<boolean>;
  /** Handles of the result that were taken and not given back. */
  readonly held: () => number;
}

/** What every {@link ContinuousCache} holds to. */
export function continuousCacheSuite(name: string, openWorld: () => Promise<ContinuousCacheWorld>): void {
  describe(`continuous cache: ${name}`, () => {
    let world: ContinuousCacheWorld;
    beforeEach(async () => {
      world = await openWorld();
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const busy = { run: async () => undefined };
    const idle = {
      run: async <T>(work: (signal: AbortSignal) => Promise<T>) => ({ value: await work(neverAborted) }),
    };
    const contextOf = (signal = neverAborted, spare: typeof busy | typeof idle = idle): UpdateContext => ({
      ...fakeContext(signal),
      ...{ spare: spare as unknown as UpdateContext['spare'], hurry: new AbortController().signal },
      ...{ uploads: new Semaphore(1), imageHosts: new Set() },
    });
    const update = async (context = contextOf()) => await world.cache.update(world.build, context);
    const untilWhole = async () => {
      for (let tries = 0; tries < 5; tries++) if (await update()) return;
      throw new Error('there is always something left');
    };

    test('what a build has finished is there once nothing is left for another time, and what was lent is given back', async () => {
      await untilWhole();
      await world.cache.settled?.();
      expect([await world.hasLayer(), world.held()]).toEqual([true, 0]);
      const before = world.asked();
      expect(await update()).toBe(true);
      await world.cache.settled?.();
      expect([world.held(), world.asked() - before < before]).toEqual([0, true]);
    });

    test('says that something is left where nobody has threads to spare, and asks for none of them', async () => {
      expect(await update(contextOf(neverAborted, busy))).toBe(false);
      expect([await world.hasLayer(), world.held()]).toEqual([false, 0]);
      await untilWhole();
      await world.cache.settled?.();
      expect(await world.hasLayer()).toBe(true);
    });

    test('begins nothing for a build that is over', async () => {
      const over = contextOf(AbortSignal.abort(new Error('enough')));
      await expect(update(over)).rejects.toThrow('enough');
      await world.cache.settled?.();
      expect([world.asked(), world.held()]).toEqual([0, 0]);
    });

    test('what is under way ends with its build', async () => {
      const controller = new AbortController();
      const { hanging } = world.does('hang');
      const work = update(contextOf(controller.signal)).catch((error: unknown) => error);
      await hanging;
      controller.abort(new Error('enough'));
      await work;
      await world.cache.settled?.();
      expect([await world.hasLayer(), world.held()]).toEqual([false, 0]);
    });

    test('what the place refuses costs that update, and leaves nothing behind', async () => {
      world.does('refuse');
      await update().catch((error: unknown) => expect(error).toMatchObject({ code: expect.any(String) }));
      await world.cache.settled?.();
      expect(world.held()).toBe(0);
    });
  });
}
