import { describe, expect, test } from 'vitest';
import { CodedError } from '../base/index.ts';
import { constant, type IntegerVertex, IntegerWorld, newJob, solveOnce, sum, vertex } from './testing/integer-world.ts';

const ticks = async (n = 50) => {
  for (let i = 0; i < n; i++) await new Promise(setImmediate);
};
const outcome = (build: Promise<number>) =>
  build.then(
    (value) => value,
    (error: Error) => error.message,
  );

/** A step that gives what `next` says at the time, a copy that goes by content, and what stands on it. */
function moving(world: IntegerWorld) {
  let value = 0;
  const source = () => vertex({ cacheName: 'moving', compute: () => value });
  const copy = (input: IntegerVertex) => sum('copy', [input], { contentOf: [0] });
  const top = (input: IntegerVertex) => vertex({ cacheName: 'top', compute: ([n]) => n! + 1000 }, [copy(input)]);
  return {
    ...{ source, copy, top },
    becomes: (next: number) => {
      value = next;
    },
    prune: (pruned: number) => {
      for (const [id, stored] of [...world.stored]) if (stored === pruned) world.prune(id);
    },
    make: (target: IntegerVertex) => solveOnce(world.solver(), target),
  };
}

describe('what a step that is not deterministic made of one content is not found by another', () => {
  test('its record and that of the copy are pruned, what stands on the copy stays', async () => {
    const { source, copy, top, becomes, prune, make } = moving(new IntegerWorld());
    becomes(110);
    expect(await make(top(source()))).toBe(1110);
    prune(110);
    becomes(120);
    expect(await make(copy(source()))).toBe(120);
    expect(await make(copy(constant(110)))).toBe(110);
    expect(await make(top(constant(120)))).toBe(1120);
  });

  test('what is found by an older key is not linked to the newer', async () => {
    const { source, copy, top, becomes, prune, make } = moving(new IntegerWorld());
    becomes(110);
    await make(top(source()));
    prune(110);
    becomes(120);
    await make(copy(source()));
    expect(await make(top(source()))).toBe(1110);
    expect(await make(top(constant(120)))).toBe(1120);
  });

  test('it is lost while it is used, and made anew', async () => {
    const world = new IntegerWorld();
    const { source, copy, becomes, make } = moving(world);
    becomes(40);
    await make(source());
    const [id] = [...world.stored.keys()];
    becomes(70);
    world.gate = async (what) => {
      if (what === 'exec copy') world.lose(id!); // only now: its content has been digested
    };
    expect(await make(copy(source()))).toBe(70);
    expect(await make(copy(constant(40)))).toBe(40);
    expect(await make(copy(constant(70)))).toBe(70);
  });

  test('another output of the copy is looked up when the content is known already', async () => {
    const world = new IntegerWorld();
    const { source, becomes } = moving(world);
    const split = (input: IntegerVertex) =>
      vertex({ cacheName: 'split', outputs: 2, contentOf: [0], compute: ([n]) => n! }, [input]);
    const second = (input: IntegerVertex) =>
      vertex({ cacheName: 'second', compute: ([n]) => n! + 1000 }, [{ vertex: split(input), index: 1 }]);
    becomes(110);
    expect(await solveOnce(world.solver(), second(source()))).toBe(1111);
    for (const [id, { op }] of world.made) if (op.cacheName !== 'second') world.prune(id);
    becomes(120);
    await using job = newJob(world.solver());
    const shared = source();
    const signal = new AbortController().signal;
    for (const target of [
      { vertex: split(shared), index: 0 },
      { vertex: second(shared), index: 0 },
    ]) {
      const { result } = await job.build(target, { signal });
      await result.release();
    }
    expect(await solveOnce(world.solver(), second(constant(120)))).toBe(1121);
  });

  test.each([
    { by: 'content', contentOf: [0] },
    { by: 'definition', contentOf: [] },
  ])('an execution is named by what it ran on, though that is being made anew for another when it ends: by $by', async ({
    contentOf,
  }) => {
    const world = new IntegerWorld();
    let value = 4;
    const input = () => vertex({ cacheName: 'input', compute: () => value });
    const above = (name: string, on: IntegerVertex) => sum(name, [on], { contentOf });
    await solveOnce(world.solver(), input());
    value = 9;
    const [id] = [...world.stored.keys()];
    const holds = { a: Promise.withResolvers<void>(), input: Promise.withResolvers<void>() };
    world.gate = async (what) => {
      if (what === 'exec a') await holds.a.promise;
      if (what === 'exec b') world.lose(id!);
      if (what === 'exec input') await holds.input.promise;
    };
    const solver = world.solver();
    const a = outcome(solveOnce(solver, above('a', input())));
    await ticks();
    const b = outcome(solveOnce(solver, above('b', input())));
    await ticks();
    world.mend(id!);
    holds.a.resolve();
    expect(await a).toBe(4);
    holds.input.resolve();
    expect(await b).toBe(9);
    for (const n of [4, 9]) expect(await solveOnce(world.solver(), above('a', constant(n)))).toBe(n);
    expect(world.open).toBe(0);
  });
});

describe('executions are joined', () => {
  test('and kept though the build that began has left', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const hold = Promise.withResolvers<void>();
    world.gate = (what) => (what === 'exec copy' ? hold.promise : Promise.resolve());
    const copy = (name: string) => sum('copy', [constant(7, name)], { contentOf: [0] });
    const controller = new AbortController();
    const first = outcome(solveOnce(solver, copy('one'), { signal: controller.signal }));
    await ticks();
    const last = sum('last', [copy('other')]);
    const second = solveOnce(solver, last);
    await ticks();
    controller.abort(new Error('gone'));
    await ticks();
    hold.resolve();
    expect([await first, await second]).toEqual(['gone', 7]);
    // Each is found by its own definition from now on.
    world.ran.length = 0;
    world.digested.length = 0;
    for (const name of ['one', 'other']) await solveOnce(solver, sum('last', [copy(name)]));
    expect([world.ran, world.digested]).toEqual([[], []]);
    expect(world.open).toBe(0);
  });

  test('but not where they take different things of one input', async () => {
    const world = new IntegerWorld();
    const take = (path: string) =>
      vertex({ cacheName: 'take', selectors: { 0: path }, compute: ([n]) => n! * path.length }, [constant(5)], {
        label: path,
      });
    expect(await solveOnce(world.solver(), sum('both', [take('/a'), take('/bc')]))).toBe(25);
  });

  test('and an output that is not there fails the build alone that asks for it', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const hold = Promise.withResolvers<void>();
    world.gate = (what) => (what === 'exec one' ? hold.promise : Promise.resolve());
    const one = vertex({ cacheName: 'one', compute: () => 1 });
    const good = outcome(solveOnce(solver, one));
    const bad = outcome(
      solveOnce(solver, vertex({ cacheName: 'use', compute: ([n]) => n! }, [{ vertex: one, index: 9 }])),
    );
    await ticks();
    hold.resolve();
    expect([await good, await bad]).toEqual([1, 'one has no output 9']);
    expect(world.open).toBe(0);
  });
});

describe('a failure belongs to the asks that it failed', () => {
  test('what is refused the build that began is tried again with those who joined, once', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    let hold = Promise.withResolvers<void>();
    const base = vertex({
      cacheName: 'base',
      compute: async (_, context) => {
        const asked = context.sessions();
        await hold.promise;
        if (!asked.includes('credentials')) throw new CodedError('unauthenticated', 'who are you');
        return 1;
      },
    });
    const joined = async (sessions: readonly string[]) => {
      hold = Promise.withResolvers();
      const one = outcome(solveOnce(solver, sum('one', [base])));
      await ticks();
      const two = outcome(solveOnce(solver, sum('two', [base]), { sessions }));
      await ticks();
      hold.resolve();
      return await Promise.all([one, two]);
    };
    expect(await joined(['others'])).toEqual(['who are you', 'who are you']);
    expect(await joined(['credentials'])).toEqual([1, 1]);
    expect(world.open).toBe(0);
  });

  test('what limits ended is done again for a build that joined and has looser ones, with the loosest of those who want it', async () => {
    const limited = (most: number | undefined) => (most === undefined ? {} : { stepMemory: { most, name: 'a pool' } });
    const joined = async (...memory: (number | undefined)[]) => {
      const world = new IntegerWorld();
      const solver = world.solver();
      const tried: (number | undefined)[] = [];
      const hold = Promise.withResolvers<void>();
      const base = vertex({
        cacheName: 'base',
        compute: async (_, context) => {
          const most = context.limits().stepMemory?.most;
          tried.push(most);
          await hold.promise;
          expect(context.limits().stepMemory?.most).toBe(most);
          if ((most ?? 1000) < 500) throw new CodedError('unknown', `no more than ${most}`);
          return 1;
        },
      });
      const outcomes: Promise<unknown>[] = [];
      for (const [n, most] of memory.entries()) {
        outcomes.push(outcome(solveOnce(solver, sum(`user ${n}`, [base]), { limits: limited(most) })));
        await ticks();
      }
      hold.resolve();
      const ended = await Promise.all(outcomes);
      expect(world.open).toBe(0);
      return [ended, tried];
    };
    expect(await joined(100, 100)).toEqual([['no more than 100', 'no more than 100'], [100]]);
    expect(await joined(200, 100)).toEqual([['no more than 200', 'no more than 200'], [200]]);
    expect(await joined(100, 200)).toEqual([
      ['no more than 200', 'no more than 200'],
      [100, 200],
    ]);
    expect(await joined(100, 500)).toEqual([
      [1, 1],
      [100, 500],
    ]);
    expect(await joined(100, undefined)).toEqual([
      [1, 1],
      [100, undefined],
    ]);
    expect(await joined(undefined, 100)).toEqual([[1, 1], [undefined]]);
  });

  test('whoever asks afterwards is answered, though another that wanted less is still there', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    let broken = true;
    const failing = vertex({
      cacheName: 'failing',
      compute: () => {
        if (broken) throw new CodedError('invalid_argument', 'exit code: 1');
        return 1;
      },
    });
    const hold = Promise.withResolvers<void>();
    world.gate = (what) => (what === 'map slow source' ? hold.promise : Promise.resolve());
    const one = outcome(solveOnce(solver, sum('top', [failing, constant(5, 'slow source')]))); // wants its keys, for now
    await ticks();
    expect(await outcome(solveOnce(solver, failing))).toBe('exit code: 1');
    broken = false;
    expect(await outcome(solveOnce(solver, sum('above', [failing])))).toBe(1);
    expect(await outcome(solveOnce(solver, failing))).toBe(1);
    hold.resolve();
    expect(await one).toBe(6);
    expect(world.open).toBe(0);
  });
});
