import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import type { Result, SolverObserver, Vertex } from '../ports.ts';

interface ObserverWorld<O, T> extends AsyncDisposable {
  readonly observer: SolverObserver<O, T>;
  /** Of a build whose name is `job`, which the observer has to do with where it has to do with any. */
  readonly vertex: Vertex<O>;
  readonly job: string;
  /** What its results are. */
  readonly value: T;
  /** Resolves once the build is over, and the observer has ended what it began for it. */
  end(): Promise<void>;
}

/** What every {@link SolverObserver} holds to. */
export function solverObserverSuite<O, T>(name: string, open: () => ObserverWorld<O, T>): void {
  describe(`solver observer: ${name}`, () => {
    let world: ObserverWorld<O, T>;
    /** Handles that were taken and not given back. */
    let held = 0;
    beforeEach(() => {
      world = open();
      held = 0;
    });
    afterEach(() => world[Symbol.asyncDispose]());

    function handle(id: string): Result<T> {
      held++;
      let isOpen = true;
      const use = (what: string) => {
        if (!isOpen) throw new Error(`${what} of ${id}, which was given back`);
      };
      return {
        id,
        value: world.value,
        clone: () => {
          use('clone');
          return handle(id);
        },
        release: async () => {
          use('release');
          isOpen = false;
          held--;
        },
      };
    }

    /** All that is told of a vertex whose op was run, and then of one that was found; and what a call answered. */
    function tell(jobs: readonly string[], id = 'result'): readonly unknown[] {
      const { observer, vertex } = world;
      const map = { digest: digestOf(vertex.name), inputs: [] };
      const output = { vertex, output: 0, scope: 'here', jobs };
      const lent = handle(id);
      const answers = [
        observer.keyed?.({ vertex, scope: 'here', map }),
        observer.missed?.({ ...output, miss: { kind: 'new' }, keyed: () => undefined }),
        observer.resulted?.({ ...output, found: undefined, result: lent, keys: [`key of ${id}`] }),
        observer.resulted?.({ ...output, found: '', result: lent, keys: [`key of ${id}`] }),
        observer.resulted?.({ ...output, found: 'elsewhere', result: lent, keys: [] }),
        observer.failed?.({ cache: 'elsewhere', error: new Error('it is away') }),
      ];
      void lent.release();
      return answers;
    }

    test('answers at once, whatever it is told: nobody waits for it', () => {
      for (const jobs of [[world.job], [world.job, 'another'], ['another'], []])
        expect(tell(jobs)).toEqual(Array.from({ length: 6 }, () => undefined));
    });

    test('what it keeps of results are clones, which it gives back when the build is over', async () => {
      for (const id of ['one', 'two', 'one']) tell([world.job, 'another'], id);
      await world.end();
      expect(held).toBe(0);
    });

    test('what is told of a build that is over, or that it has nothing to do with, leaves nothing', async () => {
      tell(['another']);
      expect(held).toBe(0);
      await world.end();
      tell([world.job]);
      expect(held).toBe(0);
    });
  });
}
