import { describe, expect, test } from 'vitest';
import { neverAborted } from '../base/index.ts';
import { type ImportedCache, LostResultError, type Miss, type OpContext, type SolverObserver } from './ports.ts';
import { constant, type IntegerOp, IntegerWorld, newJob, solveOnce, sum, vertex } from './testing/integer-world.ts';
import { resultStoreSuite } from './testing/result-store-suite.ts';

resultStoreSuite('integers', async () => {
  const world = new IntegerWorld();
  let value = 0;
  return {
    store: world.results,
    make: async () => world.result(value++),
    nameOf: String,
    held: () => world.open,
    lose: async (record) => world.prune(record),
    [Symbol.asyncDispose]: async () => {},
  };
});

type Job = ReturnType<typeof newJob>;

const signal = neverAborted;
const chain = (value = 1) => sum('c', [sum('b', [sum('a', [constant(value)])])]);

/** Another builder that has built a graph. */
async function builtElsewhere(...graphs: ReturnType<typeof chain>[]): Promise<IntegerWorld> {
  const elsewhere = new IntegerWorld('elsewhere-');
  for (const graph of graphs) await solveOnce(elsewhere.solver(), graph);
  return elsewhere;
}

describe('an imported cache', () => {
  test('is hit, and what was found is the builder’s own from then on', async () => {
    const elsewhere = await builtElsewhere(chain());
    const world = new IntegerWorld();
    const caches = [world.importOf(elsewhere, 'cache')];
    expect(await solveOnce(world.solver(), chain(), { caches })).toBe(1);
    expect(world.ran).toEqual([]);
    expect(world.stored.size).toBe(1); // only what was wanted was fetched
    // The next build needs the cache no more, and what is made on top of it is found as well.
    expect(await solveOnce(world.solver(), sum('top', [chain()]))).toBe(1);
    expect(await solveOnce(world.solver(), sum('top', [chain()]))).toBe(1);
    expect(world.ran).toEqual(['top']);
    expect(world.open).toBe(0);
  });

  test('loads with the sessions of the builds that want it now, and shows them how far it is', async () => {
    const elsewhere = await builtElsewhere(chain());
    const world = new IntegerWorld();
    const solver = world.solver();
    const honest = world.importOf(elsewhere, 'cache');
    const begun = Promise.withResolvers<OpContext>();
    const go = Promise.withResolvers<void>();
    const load: ImportedCache<number>['results']['load'] = async (record, context) => {
      context.progress.status({ id: 'pull', current: 1, total: 2 });
      begun.resolve(context);
      await go.promise;
      context.progress.status({ id: 'pull', current: 2, total: 2 });
      return await honest.results.load(record, context);
    };
    const caches = [{ ...honest, results: { ...honest.results, load } }];
    const graph = chain();
    const rowsOf = async (job: Job) => {
      const rows: string[] = [];
      for await (const batch of job.watch({ signal }))
        for (const event of batch)
          if (event.kind === 'status' && event.vertex === graph.digest) rows.push(`${event.id} ${event.current}`);
      return rows;
    };
    const [one, two] = ['one', 'two'].map((name) => newJob(solver, { caches, sessions: [name] })) as [Job, Job];
    const watched = Promise.all([rowsOf(one), rowsOf(two)]);
    const edge = { vertex: graph, index: 0 };
    const leaves = new AbortController();
    const first = one.build(edge, { signal: leaves.signal });
    const { sessions } = await begun.promise;
    expect(sessions()).toEqual(['one']);
    const second = two.build(edge, { signal });
    await expect.poll(() => sessions()).toEqual(['one', 'two']);
    leaves.abort(new Error('left'));
    await expect(first).rejects.toThrow('left');
    await one.close();
    expect(sessions()).toEqual(['two']);
    go.resolve();
    const { result } = await second;
    await result.release();
    await two.close();
    const [ofFirst, ofSecond] = await watched;
    expect(ofFirst).toEqual(['pull 1']);
    expect(ofSecond.at(-1)).toBe('pull 2');
    expect([world.ran, world.open]).toEqual([[], 0]);
  });

  test('leads by content from what is made here', async () => {
    const copy = (source: number) =>
      sum('last', [sum('copy', [constant(source, `random:${source}`)], { contentOf: [0], contentDivisor: 10 })]);
    const elsewhere = await builtElsewhere(copy(40));
    const world = new IntegerWorld();
    const caches = [world.importOf(elsewhere, 'cache')];
    expect(await solveOnce(world.solver(), copy(42), { caches })).toBe(40);
    expect(world.ran).toEqual(['random:42']);
    expect(await solveOnce(world.solver(), copy(43))).toBe(40);
    expect(world.ran).toEqual(['random:42', 'random:43']);
  });

  test('that a build begins to read later is asked for what it loads from then on', async () => {
    const elsewhere = await builtElsewhere(chain(1), chain(2));
    const world = new IntegerWorld();
    const solver = world.solver();
    await using job = newJob(solver);
    const build = async (graph: ReturnType<typeof chain>) => {
      const { result } = await job.build({ vertex: graph, index: 0 }, { signal });
      await result.release();
    };
    await build(chain(1));
    expect(world.ran).toEqual(['constant 1', 'a', 'b', 'c']);
    const cache = world.importOf(elsewhere, 'cache');
    job.read([cache]);
    job.read([cache, cache]);
    expect(job.caches.imports).toHaveLength(1);
    await build(chain(2));
    await build(chain(1));
    expect(world.ran).toHaveLength(4);
  });

  test('gives what it has of a graph; the rest is made', async () => {
    const elsewhere = await builtElsewhere(sum('b', [sum('a', [constant(1)])]));
    const world = new IntegerWorld();
    const caches = [world.importOf(elsewhere, 'cache')];
    expect(await solveOnce(world.solver(), chain(), { caches })).toBe(1);
    expect(world.ran).toEqual(['c']);
  });

  test('is asked after the own cache, and in the order of the job', async () => {
    const [first, second] = [await builtElsewhere(chain()), new IntegerWorld('second-')];
    await solveOnce(second.solver(), chain());
    const world = new IntegerWorld();
    const found: (string | undefined)[] = [];
    const observer: SolverObserver = { resulted: (event) => void found.push(event.found) };
    const caches = [world.importOf(first, 'first'), world.importOf(second, 'second')];
    await solveOnce(world.solver([observer]), chain(), { caches });
    await solveOnce(world.solver([observer]), chain(), { caches });
    await solveOnce(world.solver([observer]), chain(2), { caches });
    expect(found).toEqual(['first', '', undefined, undefined, undefined, undefined]);
  });

  test('is read by the builds that import it alone, though others build the same', async () => {
    const elsewhere = await builtElsewhere(chain());
    const world = new IntegerWorld();
    const solver = world.solver();
    const hold = Promise.withResolvers<void>();
    world.gate = (what) => (what.startsWith('import') ? hold.promise : Promise.resolve());
    const importing = solveOnce(solver, chain(), { caches: [world.importOf(elsewhere, 'cache')] });
    expect(await solveOnce(solver, chain())).toBe(1);
    expect(world.ran).toEqual(['constant 1', 'a', 'b', 'c']);
    hold.resolve();
    expect(await importing).toBe(1);
    expect([world.open, solver.activeVertices]).toEqual([0, 0]);
  });

  test('keeps apart what was made of different contents of one definition', async () => {
    // Elsewhere a step that gives something else each time was run twice; here its results are imported from two manifests.
    let value = 10;
    const moving = () => vertex({ cacheName: 'moving', compute: () => value });
    const copy = () => sum('copy', [moving()], { contentOf: [0] });
    const world = new IntegerWorld();
    for (const each of [10, 20]) {
      value = each;
      const elsewhere = new IntegerWorld(`elsewhere-${each}-`);
      await solveOnce(elsewhere.solver(), copy());
      world.stored.clear(); // so that the second is imported too
      expect(await solveOnce(world.solver(), copy(), { caches: [world.importOf(elsewhere, `cache ${each}`)] })).toBe(
        each,
      );
    }
    const certain = (n: number) => sum('copy', [constant(n, `certain ${n}`)], { contentOf: [0] });
    expect(await solveOnce(world.solver(), certain(10))).toBe(10);
    expect(await solveOnce(world.solver(), certain(20))).toBe(20);
  });

  test('a hit that cannot be used is made anew, and not found again', async () => {
    const elsewhere = await builtElsewhere(chain());
    for (const id of elsewhere.stored.keys()) {
      const world = new IntegerWorld();
      for (const each of elsewhere.stored.keys()) world.lose(each);
      const caches = [world.importOf(elsewhere, `cache ${id}`)];
      const job = newJob(world.solver(), { caches });
      const edge = { vertex: chain(), index: 0 };
      expect(await job.use([edge], async ([built]) => world.use(built!.result), { signal })).toBe(1);
      expect(world.ran.at(-1)).toBe('c');
      await job.close();
      expect(world.open).toBe(0);
    }
  });
});

test('a cache that has but what could not be used already is passed over', async () => {
  const elsewhere = await builtElsewhere(chain());
  const world = new IntegerWorld();
  const caches = [world.importOf(elsewhere, 'cache')];
  await solveOnce(world.solver(), chain(), { caches });
  // The builder's own record of it cannot be read now.
  world.gate = (what) => (what.startsWith('load') ? Promise.reject(new Error('unavailable')) : Promise.resolve());
  expect(await solveOnce(world.solver(), chain(), { caches })).toBe(1);
  expect(world.ran.at(-1)).toBe('c');
  expect(world.open).toBe(0);
});

describe('a cache that fails or lies costs time only', () => {
  let next = 0;
  const lies: Record<string, (honest: ImportedCache<number>) => Partial<ImportedCache<number>>> = {
    'throws whatever it is asked': () => {
      const no = () => {
        throw new Error('no');
      };
      return { keys: { links: no, backlinks: no, results: no }, results: { load: no, exists: no } };
    },
    'cannot load what it promises': ({ keys }) => ({
      keys,
      results: { exists: () => true, load: () => Promise.reject(new Error('connection reset')) },
    }),
    'has lost what it promises': ({ keys }) => ({ keys, results: { exists: () => true, load: async () => undefined } }),
    'says it is gone': ({ keys }) => ({
      keys,
      results: { exists: () => true, load: (id) => Promise.reject(new LostResultError(id, 'gone')) },
    }),
    'promises ever new results': ({ keys }) => ({
      keys: { ...keys, results: () => [{ resultId: `new ${next++}`, createdAt: next }] },
      results: { exists: () => true, load: async () => undefined },
    }),
    'leads to ever more keys': ({ keys, results }) => ({
      keys: { ...keys, links: () => Array.from({ length: 10_000 }, () => `key ${next++}`), results: () => [] },
      results,
    }),
    'leads in circles': ({ keys, results }) => ({
      keys: { ...keys, links: (id) => [id], results: () => [] },
      results,
    }),
    'answers with rubbish': ({ results }) => ({
      keys: {
        links: () => [undefined, 7, {}] as never,
        backlinks: () => undefined as never,
        results: () => [{ resultId: 7, createdAt: 'x' }, null] as never,
      },
      results,
    }),
  };

  test.each(Object.entries(lies))('one that %s', async (_, lie) => {
    const elsewhere = await builtElsewhere(chain());
    const world = new IntegerWorld();
    const honest = world.importOf(elsewhere, 'honest');
    const liar = { ...honest, ...lie(honest), id: 'liar' };
    const failed: string[] = [];
    const solver = world.solver([{ failed: ({ cache }) => void failed.push(cache) }]);
    expect(await solveOnce(solver, chain(), { caches: [liar] })).toBe(1);
    expect(world.ran).toEqual(['constant 1', 'a', 'b', 'c']);
    expect(failed.every((cache) => cache === 'liar')).toBe(true);
    world.ran.length = 0;
    for (const id of [...world.stored.keys()]) world.prune(id);
    // One that tells the truth is found behind it.
    expect(await solveOnce(solver, chain(), { caches: [liar, honest] })).toBe(1);
    expect([world.ran, world.open, solver.activeVertices]).toEqual([[], 0, 0]);
  });

  test.each(['unavailable', 'refused'] as const)('one whose results are %s is gone on without', async (kind) => {
    const long = Array.from({ length: 20 }, (_, n) => n).reduce((below, n) => sum(`step ${n}`, [below]), constant(1));
    const elsewhere = await builtElsewhere(long);
    const world = new IntegerWorld();
    for (const id of elsewhere.stored.keys()) world.lose(id, kind);
    const tried: string[] = [];
    world.gate = async (what) => void (what.startsWith('import') && tried.push(what));
    const misses: Miss[] = [];
    const solver = world.solver([{ missed: ({ miss }) => void misses.push(miss) }]);
    const job = newJob(solver, { caches: [world.importOf(elsewhere, 'cache')] });
    const edge = { vertex: long, index: 0 };
    expect(await job.use([edge], async ([built]) => world.use(built!.result), { signal })).toBe(1);
    expect(new Set(world.ran).size).toBe(21);
    expect(tried).toHaveLength(3);
    // Of those that nobody tried to load it is the reason as well.
    expect(new Set(misses.map((miss) => miss.kind))).toEqual(new Set(['unreadable']));
    expect(misses.filter((miss) => 'cache' in miss && miss.cache === 'cache')).toHaveLength(18);
    await job.close();
    expect(world.open).toBe(0);
  });

  test('a load that a build breaks off leaves no handle and no record without a key', async () => {
    const elsewhere = await builtElsewhere(chain());
    for (const held of ['import', 'save']) {
      const world = new IntegerWorld();
      const entered: string[] = [];
      const addResult = world.keys.addResult.bind(world.keys);
      world.keys.addResult = (key, record, at, scope) => {
        entered.push(record);
        addResult(key, record, at, scope);
      };
      const reached = Promise.withResolvers<void>();
      const go = Promise.withResolvers<void>();
      world.gate = async (what) => {
        if (!what.startsWith(held)) return;
        reached.resolve();
        await go.promise;
      };
      const controller = new AbortController();
      const building = solveOnce(world.solver(), chain(), {
        caches: [world.importOf(elsewhere, 'cache')],
        signal: controller.signal,
      });
      await reached.promise;
      controller.abort(new Error('left'));
      go.resolve();
      await expect(building).rejects.toThrow('left');
      expect(world.open).toBe(0);
      expect([...world.stored.keys()].filter((id) => !entered.includes(id))).toEqual([]);
    }
  });
});

describe('observers', () => {
  const told = (miss: Miss) => {
    if (miss.kind === 'differs')
      return `differs ${miss.inputs.map(({ input, content }) => `${input}${content ? ' by content' : ''}`).join(', ')}`;
    return miss.kind === 'unreadable' ? `unreadable '${miss.cache}' ${miss.loss}` : miss.kind;
  };
  const watch = () => {
    const events: string[] = [];
    const observer: SolverObserver<IntegerOp, number> = {
      keyed: ({ vertex: { name }, map }) => void events.push(`key of ${name} (${map.inputs.length})`),
      missed: ({ vertex: { name }, miss }) => void events.push(`${name}: ${told(miss)}`),
      resulted: ({ vertex: { name }, found, result }) => void events.push(`${name} = ${result.value} (${found})`),
    };
    return { observer, events };
  };

  test('are told of keys, hits, and misses with what differed', async () => {
    const world = new IntegerWorld();
    const graph = (value: number, more: { ignoreCache?: boolean } = {}) =>
      vertex({ cacheName: 'copy', compute: ([a, b]) => a! + b!, contentOf: [1] }, [constant(1), constant(value)], more);
    const build = async (target: ReturnType<typeof graph>) => {
      const { observer, events } = watch();
      await solveOnce(world.solver([observer]), target);
      return events;
    };
    expect((await build(graph(5))).toSorted()).toEqual([
      'constant 1 = 1 (undefined)',
      'constant 1: new',
      'constant 5 = 5 (undefined)',
      'constant 5: new',
      'copy = 6 (undefined)',
      'copy: new',
      'key of constant 1 (0)',
      'key of constant 5 (0)',
      'key of copy (2)',
    ]);
    expect((await build(graph(5))).at(-1)).toBe('copy = 6 ()');
    expect(await build(graph(6))).toContain('copy: differs 1 by content');
    expect(await build(graph(6, { ignoreCache: true }))).toContain('copy: ignored');
    for (const id of [...world.stored.keys()]) if (world.stored.get(id) === 6) world.stored.delete(id);
    expect(await build(graph(5))).toContain('copy: pruned');
    expect(await build(constant(1, 'random:1'))).toContain('random:1: unkeyed');
  });

  test('are told why nothing that was made before could be used', async () => {
    const world = new IntegerWorld();
    const tops = (a: number, b: number) => sum('top', [constant(a), constant(b)]);
    const misses = async (target: ReturnType<typeof tops>, options: Parameters<typeof solveOnce>[2] = {}) => {
      const { observer, events } = watch();
      await solveOnce(world.solver([observer]), target, options);
      return events.filter((event) => event.startsWith('top: ')).map((event) => event.slice('top: '.length));
    };
    expect(await misses(tops(1, 2))).toEqual(['new']);
    expect(await misses(tops(1, 2))).toEqual([]);
    expect(await misses(tops(1, 3))).toEqual(['differs 1']);
    expect(await misses(tops(4, 5))).toEqual(['differs 0, 1']);
    expect(await misses(tops(4, 3))).toEqual(['differs 0, 1']); // each was there, but not together
    expect(await misses(tops(1, 2), { scope: 'other' })).toEqual(['outOfScope']);
    expect(await misses(tops(1, 2), { scope: 'third', read: ['other'] })).toEqual([]);
    // Of one that is pruned whole nothing is left but that; made again it is as any other.
    const [record = ''] = [...world.stored].find(([, value]) => value === 9) ?? [];
    world.prune(record);
    expect(await misses(tops(4, 5))).toEqual(['pruned']);
    expect(await misses(tops(4, 5))).toEqual([]);
    // What stands on a step that ignores the cache stands on something new.
    const anew = vertex({ cacheName: 'constant 4', compute: () => 4 }, [], { ignoreCache: true });
    expect(await misses(sum('top', [anew, constant(5)]))).toEqual(['differs 0']);
  });

  test('are told of a cache that could not be read, and of a record that could not be had', async () => {
    const elsewhere = await builtElsewhere(chain());
    const world = new IntegerWorld();
    const whole = world.importOf(elsewhere, 'cache');
    const no = () => {
      throw new Error('reset');
    };
    const misses = async (cache: ImportedCache<number>) => {
      const { observer, events } = watch();
      await solveOnce(world.solver([observer]), chain(), { caches: [cache], scope: cache.id });
      return events.filter((event) => /^[abc]: /.test(event));
    };
    const links = { ...whole, id: 'links', keys: { ...whole.keys, links: no } };
    expect(await misses(links)).toEqual(["a: unreadable 'links' undefined", 'b: new', 'c: new']);
    const load = async () => {
      throw new LostResultError('r', 'not for you', { kind: 'refused' });
    };
    const records = { ...whole, id: 'records', results: { ...whole.results, load } };
    expect(await misses(records)).toEqual(['a', 'b', 'c'].map((name) => `${name}: unreadable 'records' refused`));
  });

  test('one that throws harms nothing', async () => {
    const world = new IntegerWorld();
    const no = () => {
      throw new Error('no');
    };
    const { observer, events } = watch();
    const solver = world.solver([{ keyed: no, missed: no, resulted: no, failed: no }, observer]);
    expect(await solveOnce(solver, chain())).toBe(1);
    expect(events.filter((event) => event.includes('='))).toHaveLength(4);
  });
});
