import { describe, expect, test } from 'vitest';
import { CodedError, digestOf, neverAborted } from '../base/index.ts';
import { rootKey } from './key.ts';
import { LostResultError, type VertexEvent } from './ports.ts';
import { constant, IntegerWorld, newJob, solveOnce, sum, vertex } from './testing/integer-world.ts';

/** All that can go on without anybody's doing has: so few steps take no more turns, however slow the machine. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await new Promise(setImmediate);
}

const signal = neverAborted;
const lost = (id: string, below: readonly string[] = []) => new LostResultError(id, `blob of ${id} is gone`, { below });

describe('caching', () => {
  test('each op runs once, and a second build runs nothing and touches only the last result', async () => {
    const world = new IntegerWorld();
    const base = constant(1);
    const graph = sum('c', [sum('a', [base]), sum('b', [base])]);
    expect(await solveOnce(world.solver(), graph)).toBe(2);
    expect(world.ran.toSorted()).toEqual(['a', 'b', 'c', 'constant 1']);
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), graph)).toBe(2);
    expect(world.ran).toEqual([]);
    expect(world.loaded).toHaveLength(1); // the base is not pulled when the last step is cached
    expect(world.open).toBe(0);
  });

  test('a changed input reruns what depends on it and nothing else', async () => {
    const world = new IntegerWorld();
    const side = sum('side', [constant(10)]);
    await solveOnce(world.solver(), sum('top', [sum('left', [constant(1)]), side]));
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), sum('top', [sum('left', [constant(2)]), side]))).toBe(12);
    expect(world.ran).toEqual(['constant 2', 'left', 'top']);
  });

  test('a changed input with equal content stops the rebuild', async () => {
    const world = new IntegerWorld();
    const graph = (source: number) =>
      sum('last', [sum('copy', [constant(source)], { contentOf: [0], contentDivisor: 10 })]);
    await solveOnce(world.solver(), graph(40));
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), graph(42))).toBe(40);
    expect(world.ran).toEqual(['constant 42']);
    // …and the way found by content is remembered: next time nothing is computed at all.
    world.ran.length = 0;
    world.digested.length = 0;
    expect(await solveOnce(world.solver(), graph(42))).toBe(40);
    expect([...world.ran, ...world.digested]).toEqual([]);
  });

  test('content decides only through the selector’s own key', async () => {
    const world = new IntegerWorld();
    const copy = (path: string) => sum('copy', [constant(5)], { selectors: { 0: path } });
    await solveOnce(world.solver(), copy('/a'));
    world.ran.length = 0;
    await solveOnce(world.solver(), vertex({ ...copy('/b').op }, [constant(5)], { label: 'other' }));
    expect(world.ran).toEqual(['copy']);
  });

  test('keys made of a session are never stored, what their content leads to is', async () => {
    const world = new IntegerWorld();
    const graph = (session: number) =>
      sum('last', [sum('copy', [constant(7, `random:${session}`)], { contentOf: [0] })]);
    await solveOnce(world.solver(), graph(1));
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), graph(2))).toBe(7);
    expect(world.ran).toEqual(['random:2']);
    expect(world.stored.size).toBe(2);
  });

  test('a later cache map is asked only when the first does not match, and matches', async () => {
    const world = new IntegerWorld();
    const image = (manifest: string) => vertex({ cacheName: manifest, moreMaps: ['chain'], compute: () => 3 });
    await solveOnce(world.solver(), sum('run', [image('m1')]));
    world.ran.length = 0;
    world.mapped.length = 0;
    await solveOnce(world.solver(), sum('run', [image('m1')]));
    expect(world.mapped.toSorted()).toEqual(['m1', 'run']);
    expect(await solveOnce(world.solver(), sum('run', [image('m2')]))).toBe(3);
    expect(world.ran).toEqual([]);
  });

  test('a step whose result is gone but whose key is known still leads to what was made of it', async () => {
    const world = new IntegerWorld();
    const middle = sum('middle', [constant(1)]);
    await solveOnce(world.solver(), sum('top', [middle]));
    const [, middleId] = [...world.stored.keys()];
    world.stored.delete(middleId!);
    world.ran.length = 0;
    await solveOnce(world.solver(), sum('top', [middle]));
    expect(world.ran).toEqual([]);
  });

  test('several outputs come from one execution and are found again one by one', async () => {
    const world = new IntegerWorld();
    const multi = vertex({ cacheName: 'multi', outputs: 3, compute: () => 10 });
    const use = (index: number) =>
      vertex({ cacheName: `use ${index}`, compute: ([n]) => n! }, [{ vertex: multi, index }]);
    expect(await solveOnce(world.solver(), sum('top', [use(0), use(2)]))).toBe(22);
    expect(world.ran.filter((name) => name === 'multi')).toHaveLength(1);
    expect(await solveOnce(world.solver(), use(1))).toBe(11);
    expect(world.ran.filter((name) => name === 'multi')).toHaveLength(1);
    await expect(solveOnce(world.solver(), use(3))).rejects.toThrow('no output 3');
    expect(world.open).toBe(0);
  });
});

describe('ignoring the cache', () => {
  test('runs again, and so does what stands on it unless content is equal', async () => {
    const world = new IntegerWorld();
    let value = 1;
    const graph = (ignoreCache: boolean) => {
      const moving = vertex({ cacheName: 'moving', compute: () => value }, [], { ignoreCache });
      return sum('top', [sum('direct', [moving]), sum('copied', [moving], { contentOf: [0] })]);
    };
    await solveOnce(world.solver(), graph(false));
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), graph(true))).toBe(2);
    expect(world.ran.toSorted()).toEqual(['direct', 'moving', 'top']);
    value = 5;
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), graph(true))).toBe(10);
    expect(world.ran.toSorted()).toEqual(['copied', 'direct', 'moving', 'top']);
    // Later normal builds find the newest.
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), graph(false))).toBe(10);
    expect(world.ran).toEqual([]);
  });

  test('an execution that ignores the cache is not joined by one that does not', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const hold = Promise.withResolvers<void>();
    world.gate = (what) => (what.startsWith('exec') ? hold.promise : Promise.resolve());
    const op = { cacheName: 'x', compute: () => 1 };
    const both = [solveOnce(solver, vertex(op, [], { ignoreCache: true })), solveOnce(solver, vertex(op))];
    await settled();
    expect(world.ran).toEqual(['x', 'x']);
    hold.resolve();
    await Promise.all(both);
    expect(world.open).toBe(0);
  });
});

describe('failures', () => {
  test('are told with the vertex, stop siblings, and are not kept', async () => {
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
    const graph = sum('top', [sum('above', [failing]), constant(2)]);
    const failure = await solveOnce(solver, graph).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: 'exit code: 1',
      code: 'invalid_argument',
      details: [{ type: 'errdefs.Vertex', value: { digest: failing.digest } }],
    });
    broken = false;
    expect(await solveOnce(solver, graph)).toBe(3);
    expect(solver.activeVertices).toBe(0);
    expect(world.open).toBe(0);
  });

  test('stop what else they needed, though the build goes on', async () => {
    const world = new IntegerWorld();
    const failing = vertex({ cacheName: 'failing', compute: () => Promise.reject(new Error('no')) });
    const stopped = Promise.withResolvers<void>();
    const sibling = vertex({
      cacheName: 'sibling',
      compute: (_, context) =>
        new Promise((_resolve, reject) => {
          context.signal.addEventListener('abort', () => {
            stopped.resolve();
            reject(context.signal.reason);
          });
        }),
    });
    await using job = newJob(world.solver());
    await expect(job.build({ vertex: sum('top', [sibling, failing]), index: 0 }, { signal })).rejects.toThrow('no');
    await stopped.promise;
  });

  test('a failing stage that nothing needs never runs', async () => {
    const world = new IntegerWorld();
    const failing = vertex({ cacheName: 'failing', compute: () => Promise.reject(new Error('no')) });
    const graph = sum('top', [constant(1)]);
    const job = newJob(world.solver());
    await job.build({ vertex: graph, index: 0 }, { signal }).then(({ result }) => result.release());
    expect(world.ran).not.toContain('failing');
    await expect(job.build({ vertex: sum('bad', [failing]), index: 0 }, { signal })).rejects.toThrow('no');
    await job.close();
  });

  test('a failure hits only the builds that want the vertex', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const shared = constant(1);
    const failing = vertex({ cacheName: 'failing', compute: () => Promise.reject(new Error('no')) }, [shared]);
    const [good, bad] = await Promise.allSettled([
      solveOnce(solver, sum('good', [shared])),
      solveOnce(solver, sum('bad', [failing, shared])),
    ]);
    expect(good).toMatchObject({ status: 'fulfilled', value: 1 });
    expect(bad.status).toBe('rejected');
  });
});

describe('the step back', () => {
  test('a hit that an op cannot use is made again, with what stands on it, once', async () => {
    const world = new IntegerWorld();
    const middle = sum('middle', [constant(4)]);
    await solveOnce(world.solver(), middle);
    for (const id of world.stored.keys()) world.lose(id);
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), sum('top', [middle]))).toBe(4);
    expect(world.ran).toEqual(['top', 'middle', 'constant 4', 'middle', 'top']);
    expect(world.open).toBe(0);
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), sum('top', [middle]))).toBe(4);
    expect(world.ran).toEqual([]);
  });

  test('a consumer outside the graph is run again on the rebuilt result', async () => {
    const world = new IntegerWorld();
    const graph = sum('top', [constant(4)]);
    await solveOnce(world.solver(), graph);
    world.lose([...world.stored.keys()].at(-1)!);
    const job = newJob(world.solver());
    let exports = 0;
    const value = await job.use(
      [{ vertex: graph, index: 0 }],
      async ([built]) => {
        exports++;
        return world.use(built!.result);
      },
      { signal },
    );
    expect([value, exports]).toEqual([4, 2]);
    await job.close();
    expect(world.open).toBe(0);
  });

  test('a result that is lost again and again ends in the error', async () => {
    const world = new IntegerWorld();
    const job = newJob(world.solver());
    let calls = 0;
    const consumer = async ([built]: readonly { result: { id: string } }[]) => {
      calls++;
      world.lose(built!.result.id);
      return world.use(built!.result as never);
    };
    await expect(job.use([{ vertex: constant(1), index: 0 }], consumer as never, { signal })).rejects.toMatchObject({
      reason: 'SOLVER_RESULT_LOST',
    });
    expect(calls).toBe(3);
    await job.close();
    expect(world.open).toBe(0);
  });

  test('what a lost result stands on is made again with it', async () => {
    const world = new IntegerWorld();
    const base = constant(4);
    const middle = sum('middle', [base]);
    const target = sum('top', [middle]);
    await solveOnce(world.solver(), target);
    const job = newJob(world.solver());
    world.ran.length = 0;
    let calls = 0;
    const edges = [target, base].map((each) => ({ vertex: each, index: 0 }));
    const consumer = async ([top, bottom]: readonly { result: { id: string } }[]) => {
      if (++calls === 1) throw new Error('told', { cause: lost(top!.result.id, [bottom!.result.id]) });
    };
    await job.use(edges, consumer as never, { signal });
    // The record between them was not lost.
    expect([...world.ran].sort()).toEqual(['constant 4', 'top']);
    await job.close();
    expect(world.open).toBe(0);
  });

  test('work of the build that is done again is not shown as failed; work that is given up is', async () => {
    const world = new IntegerWorld();
    const job = newJob(world.solver());
    const errors = async (losses: number) => {
      let calls = 0;
      const name = `export ${losses}`;
      const using = job.use(
        [{ vertex: constant(losses), index: 0 }],
        ([built]) =>
          job.inVertex({ name }, async () => {
            if (++calls <= losses) throw lost(built!.result.id);
          }),
        { signal },
      );
      await using.catch(() => {});
      return [...job.progress.states()].filter((state) => state.name === name && state.error !== undefined).length;
    };
    expect(await errors(1)).toBe(0);
    expect(await errors(9)).toBe(1);
    await job.close();
    expect(world.open).toBe(0);
  });

  test.each([
    'refused',
    'unavailable',
  ] as const)('a record that is %s to one build is there for the next', async (kind) => {
    const world = new IntegerWorld();
    const base = vertex({
      cacheName: 'base',
      compute: (_, context) => {
        if (!context.sessions().includes('credentials')) throw new CodedError('permission_denied', 'not for you');
        return 4;
      },
    });
    const target = sum('top', [base]);
    await solveOnce(world.solver(), base, { sessions: ['credentials'] });
    const [id] = [...world.stored.keys()];
    world.lose(id!, kind, 'credentials');
    world.ran.length = 0;
    const solver = world.solver();
    await expect(solveOnce(solver, target, { sessions: ['other'] })).rejects.toThrow('not for you');
    expect(world.ran).toEqual(['top', 'base']);
    world.ran.length = 0;
    expect(await solveOnce(solver, target, { sessions: ['credentials'] })).toBe(4);
    expect(world.ran).toEqual(['top']);
    expect(world.loaded).toEqual([id, id]);
    expect(world.open).toBe(0);
  });

  test('a consumer outside the graph that is refused a result costs the build beside it nothing', async () => {
    const world = new IntegerWorld();
    const base = constant(4);
    await solveOnce(world.solver(), base);
    const [id] = [...world.stored.keys()];
    world.lose(id!, 'refused', 'credentials');
    const solver = world.solver();
    await using one = newJob(solver, { sessions: ['credentials'] });
    await using two = newJob(solver, { sessions: ['other'] });
    const use = (job: typeof one) =>
      job.use([{ vertex: base, index: 0 }], async ([built]) => world.use(built!.result, job.sessions()), { signal });
    expect([await use(one), await use(two)]).toEqual([4, 4]);
    expect(world.ran).toEqual(['constant 4', 'constant 4']);
    await two.close();
    expect(world.keys.results(rootKey(digestOf('constant 4'), 0), ['main'])).toHaveLength(2);
    // Who was refused has left: the record is there for who has stayed.
    world.lose([...world.stored.keys()].at(-1)!);
    expect(await use(one)).toBe(4);
    expect(world.ran).toHaveLength(2);
  });

  test('any number of records of one key may be lost: each is, once', async () => {
    const world = new IntegerWorld();
    const middle = (ignoreCache: boolean) => vertex({ cacheName: 'middle', compute: () => 4 }, [], { ignoreCache });
    for (let i = 0; i < 5; i++) await solveOnce(world.solver(), middle(true));
    for (const id of world.stored.keys()) world.lose(id);
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), sum('top', [middle(false)]))).toBe(4);
    expect(world.ran).toEqual([...Array.from({ length: 5 }, () => 'top'), 'middle', 'top']);
    // What is gone is forgotten.
    expect(world.keys.results(rootKey(digestOf('middle'), 0), ['main'])).toHaveLength(1);
  });

  test('who has what another lost, and waits for more, is answered', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const base = constant(4);
    await solveOnce(solver, base);
    const hold = Promise.withResolvers<void>();
    world.gate = (what) => (what === 'exec slow' ? hold.promise : Promise.resolve());
    const both = solveOnce(solver, sum('both', [base, vertex({ cacheName: 'slow', compute: () => 1 })]));
    await settled();
    const leaving = new AbortController();
    await using job = newJob(solver);
    const consumer = async ([built]: readonly { result: { id: string } }[]) => {
      leaving.abort(new Error('left'));
      throw lost(built!.result.id);
    };
    const using = job.use([{ vertex: base, index: 0 }], consumer as never, { signal: leaving.signal });
    await expect(using).rejects.toThrow('left');
    hold.resolve();
    expect(await both).toBe(5);
    expect(world.ran.filter((name) => name === 'constant 4')).toHaveLength(2);
  });

  test('however long a vertex lives, a build may lose its result', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const base = constant(4);
    await using staying = newJob(solver);
    await staying.build({ vertex: base, index: 0 }, { signal }).then(({ result }) => result.release());
    for (let n = 0; n < 9; n++) {
      for (const id of world.stored.keys()) world.lose(id);
      expect(await solveOnce(solver, sum(`top ${n}`, [base]))).toBe(4);
    }
  });

  test('a record that is dropped while it is being loaded is not used', async () => {
    const world = new IntegerWorld();
    const base = constant(4);
    await solveOnce(world.solver(), base);
    const [id] = [...world.stored.keys()];
    world.gate = async (what) => {
      if (what.startsWith('load')) world.keys.dropResult(id!);
    };
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), base)).toBe(4);
    expect(world.ran).toEqual(['constant 4']);
    expect(world.open).toBe(0);
  });

  test('a record whose content has vanished is a miss', async () => {
    const world = new IntegerWorld();
    const graph = sum('top', [constant(4)]);
    await solveOnce(world.solver(), graph);
    world.stored.clear();
    world.ran.length = 0;
    expect(await solveOnce(world.solver(), graph)).toBe(4);
    expect(world.ran).toEqual(['constant 4', 'top']);
  });
});

describe('several builds', () => {
  test('a step that comes to its end although the last build has left is kept', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const step = () =>
      vertex({
        cacheName: 'slow',
        compute: async () => {
          begun.resolve();
          await go.promise;
          return 5;
        },
      });
    const controller = new AbortController();
    const building = solveOnce(solver, step(), { signal: controller.signal });
    await begun.promise;
    controller.abort(new Error('left'));
    await settled();
    go.resolve();
    await expect(building).rejects.toThrow('left');
    expect(await solveOnce(solver, step())).toBe(5);
    expect(world.ran).toEqual(['slow']);
    expect([world.open, solver.activeVertices]).toEqual([0, 0]);
  });

  test('share one vertex, and cancelling one leaves the other whole', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const hold = Promise.withResolvers<void>();
    world.gate = (what) => (what === 'exec shared' ? hold.promise : Promise.resolve());
    const shared = vertex({ cacheName: 'shared', compute: () => 5 });
    const cancel = new AbortController();
    const one = solveOnce(solver, sum('one', [shared]), { signal: cancel.signal });
    const two = solveOnce(solver, sum('two', [shared]));
    await settled();
    cancel.abort(new Error('gone'));
    await expect(one).rejects.toThrow('gone');
    hold.resolve();
    expect(await two).toBe(5);
    expect(world.ran.filter((name) => name === 'shared')).toHaveLength(1);
    expect(world.open).toBe(0);
  });

  test('a vertex stops when the last build has gone, and can be wanted again while it stops', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    let runs = 0;
    const stopping = Promise.withResolvers<void>();
    const slow = vertex({
      cacheName: 'slow',
      compute: async (_, context) => {
        if (++runs > 1) return 9;
        await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()));
        await stopping.promise;
        throw context.signal.reason;
      },
    });
    const cancel = new AbortController();
    const first = solveOnce(solver, sum('top', [slow]), { signal: cancel.signal });
    await settled();
    cancel.abort(new Error('gone'));
    first.catch(() => {});
    await settled();
    const second = solveOnce(solver, sum('top', [slow]));
    await settled();
    expect(runs).toBe(1); // the first execution has not ended yet
    stopping.resolve();
    expect(await second).toBe(9);
    await expect(first).rejects.toThrow('gone');
    expect(runs).toBe(2);
    expect(world.open).toBe(0);
  });

  test('a step that was begun for a key goes on when no key can match, as its result will be wanted', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    // The step is begun for what the copy makes of its content. What joins both runs in any case; that comes out while the top still waits for the slow side.
    const graph = (name: string) => {
      const step = constant(1, `step ${name}`);
      const side = sum('side', [constant(2, `side ${name}`)], { contentOf: [0] });
      return sum('top', [sum('join', [step, sum('copy', [step], { contentOf: [0] })]), side], { contentOf: [0] });
    };
    await solveOnce(solver, graph('old'));
    world.ran.length = 0;
    const [step, side] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    world.gate = async (what) => {
      if (what === 'exec step new') await step.promise;
      if (what === 'exec side new') await side.promise;
    };
    const building = solveOnce(solver, graph('new'));
    await settled();
    expect(world.ran.toSorted()).toEqual(['side new', 'step new']);
    step.resolve();
    await settled();
    side.resolve();
    expect(await building).toBe(4);
    expect(world.ran.toSorted()).toEqual(['join', 'side new', 'step new']);
    expect([world.open, world.running, solver.activeVertices]).toEqual([0, 0, 0]);
  });

  test('steps whose contents copies need one on top of the other begin together, also where older builds left keys', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const graph = (name: string) =>
      [0, 1, 2].reduce(
        (below, at) => sum(`copy ${at}`, [below, constant(at, `step ${at} ${name}`)], { contentOf: [1] }),
        constant(7, 'base'),
      );
    await solveOnce(solver, graph('old'));
    world.ran.length = 0;
    const hold = Promise.withResolvers<void>();
    const began: string[] = [];
    world.gate = async (what) => {
      if (!what.startsWith('exec step')) return;
      began.push(what);
      await hold.promise;
    };
    const building = solveOnce(solver, graph('new'));
    await settled();
    expect(began.toSorted()).toEqual(['exec step 0 new', 'exec step 1 new', 'exec step 2 new']);
    hold.resolve();
    expect(await building).toBe(10);
    // The contents are the old ones: no copy runs again.
    expect(world.ran.toSorted()).toEqual(['step 0 new', 'step 1 new', 'step 2 new']);
    expect([world.open, world.running, solver.activeVertices]).toEqual([0, 0, 0]);
  });

  test('what is found by its definition is not looked at for its content meanwhile', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const graph = (name: string) => {
      const below = sum('below', [constant(3, `slow ${name}`)], { contentOf: [0] });
      return sum('copy', [below, constant(1, 'step')], { contentOf: [1] });
    };
    await solveOnce(solver, graph('old'));
    for (const list of [world.ran, world.digested, world.loaded]) list.length = 0;
    const hold = Promise.withResolvers<void>();
    world.gate = (what) => (what === 'exec slow new' ? hold.promise : Promise.resolve());
    const building = solveOnce(solver, graph('new'));
    await settled();
    hold.resolve();
    expect(await building).toBe(4);
    // Nothing but the copy itself, whose keys were all there.
    expect([world.ran, world.digested, world.loaded.length]).toEqual([['slow new'], ['below'], 1]);
  });

  test('different vertices that arrive at one key run once', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    // Two sources differ, the content that the copies read is the same.
    const copy = (source: number) => sum('copy', [constant(source)], { contentOf: [0], contentDivisor: 10 });
    const graph = sum('top', [
      sum('build', [copy(41)]),
      vertex({ ...sum('build', []).op }, [copy(42)], { label: 'b' }),
    ]);
    await solveOnce(solver, graph);
    expect(world.ran.filter((name) => name === 'copy')).toHaveLength(1);
    expect(world.ran.filter((name) => name === 'build')).toHaveLength(1);
    expect(world.open).toBe(0);
  });

  test('sessions of an op are those of the builds that want it', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const seen: (readonly string[])[] = [];
    const hold = Promise.withResolvers<void>();
    const joined = Promise.withResolvers<void>();
    world.gate = (what) => (what === 'exec op' ? joined.promise : Promise.resolve());
    const op = vertex({
      cacheName: 'op',
      compute: async (_, context) => {
        seen.push(context.sessions());
        await hold.promise;
        seen.push(context.sessions());
        return 1;
      },
    });
    const scope = { write: 'main', read: [] };
    const a = solver.job({ id: 'a', sessions: () => ['sa'], scope });
    const b = solver.job({ id: 'b', sessions: () => ['sb'], scope });
    const builtA = a.build({ vertex: op, index: 0 }, { signal });
    builtA.catch(() => {});
    const builtB = b.build({ vertex: op, index: 0 }, { signal });
    await settled();
    joined.resolve();
    await settled();
    await a.close();
    hold.resolve();
    await (await builtB).result.release();
    expect(seen).toEqual([['sa', 'sb'], ['sb']]);
    await b.close();
  });
});

describe('scopes', () => {
  test('neither share executions nor records, unless read', async () => {
    const world = new IntegerWorld();
    const solver = world.solver();
    const graph = sum('top', [constant(1)]);
    await Promise.all([solveOnce(solver, graph, { scope: 'a' }), solveOnce(solver, graph, { scope: 'b' })]);
    expect(world.ran.filter((name) => name === 'top')).toHaveLength(2);
    world.ran.length = 0;
    await solveOnce(solver, graph, { scope: 'c' });
    expect(world.ran).toHaveLength(2);
    world.ran.length = 0;
    await solveOnce(solver, graph, { scope: 'd', read: ['a'] });
    expect(world.ran).toEqual([]);
  });
});

test('a definition that says nothing an op could be known by fails who asks, each time, and names the vertex', async () => {
  const world = new IntegerWorld();
  world.atOnce = true;
  const solver = world.solver();
  const top = sum('top', [constant(1)], { selectors: ['x'] });
  let faults = 2;
  Object.defineProperty(top.op, 'selectors', {
    get: () => {
      if (faults-- > 0) throw new Error('no such mount');
      return ['x'];
    },
  });
  for (let n = 0; n < 2; n++)
    await expect(solveOnce(solver, top)).rejects.toMatchObject({
      message: 'failed to load cache key: no such mount',
      details: [{ type: 'errdefs.Vertex', value: { digest: top.digest } }],
    });
  expect(await solveOnce(solver, top)).toBe(1);
});

describe('progress', () => {
  test('shows what ran, what was cached, logs and failures, to late watchers too', async () => {
    const world = new IntegerWorld();
    const base = constant(1);
    const middle = vertex(
      {
        cacheName: 'middle',
        compute: ([n], { progress }) => {
          progress.log(1, Buffer.from('hello'));
          progress.status({ id: 'row', current: 1, total: 2 });
          progress.status({ id: 'row', current: 2, total: 2 });
          return n!;
        },
      },
      [base],
    );
    const first = newJob(world.solver());
    using _retained = first.progress.retain();
    await (await first.build({ vertex: middle, index: 0 }, { signal })).result.release();
    await first.close();
    const events: VertexEvent[] = [];
    for await (const batch of first.watch({ signal })) events.push(...batch);
    expect(events.filter((event) => event.kind === 'log')).toHaveLength(1);
    expect(events.filter((event) => event.kind === 'status')).toMatchObject([{ current: 2 }]);
    expect([...first.progress.states()]).toMatchObject([
      { name: 'constant 1', cached: false, completed: expect.any(Number) },
      { name: 'middle', cached: false, completed: expect.any(Number) },
    ]);

    const second = newJob(world.solver());
    await (await second.build({ vertex: middle, index: 0 }, { signal })).result.release();
    await second.close();
    for (const state of second.progress.states())
      expect(state).toMatchObject({ cached: true, completed: expect.any(Number) });
  });
});

describe('size', () => {
  test('a chain of 10,000 ends, cold and cached', async () => {
    const world = new IntegerWorld();
    let chain = constant(1);
    for (let i = 0; i < 10_000; i++) chain = sum(`step ${i}`, [chain]);
    expect(await solveOnce(world.solver(), chain)).toBe(1);
    expect(await solveOnce(world.solver(), chain)).toBe(1);
    expect(world.ran).toHaveLength(10_001);
    expect(world.open).toBe(0);
  });

  test('cancelling a deep chain ends', async () => {
    const world = new IntegerWorld();
    world.gate = () => new Promise((resolve) => setImmediate(resolve));
    let chain = constant(1);
    for (let i = 0; i < 10_000; i++) chain = sum(`step ${i}`, [chain]);
    const cancel = new AbortController();
    const build = solveOnce(world.solver(), chain, { signal: cancel.signal });
    setTimeout(() => cancel.abort(new Error('gone')), 20);
    await expect(build).rejects.toThrow('gone');
    expect(world.open).toBe(0);
    expect(world.running).toBe(0);
  });
});
