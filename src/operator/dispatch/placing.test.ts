import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Candidate, choose } from './choose.ts';
import { type BuilderState, Dispatcher, placeId, type QueuedRun } from './dispatcher.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));

function world(builders: readonly Partial<BuilderState>[], { most = Number.POSITIVE_INFINITY } = {}) {
  const granted: string[] = [];
  const state = { builders: builders.map((one) => ({ address: 'a', ready: true, capacity: 1, ...one })) };
  const dispatcher = new Dispatcher(
    {
      builders: () => state.builders,
      allows: () => true,
      weight: () => 1,
      most: () => most,
      revision: () => 1,
    },
    (key) => granted.push(key),
  );
  const put = async (...runs: readonly QueuedRun[]) => {
    for (const one of runs) dispatcher.enqueue(one);
    await settled();
  };
  const end = async (id: string) => {
    dispatcher.release(id);
    await settled();
  };
  const at = (id: string) => dispatcher.placeOf(id)?.address;
  return { dispatcher, granted, state, put, end, at };
}

const run = (uid: string, rest: Partial<QueuedRun> = {}): QueuedRun => ({
  ...{ uid, key: uid, namespace: 'n', pool: 'p', priority: 0, queuedAt: Number(/\d+$/.exec(uid)?.[0] ?? 0) },
  ...{ affinity: uid, avoid: [] },
  ...rest,
});

describe('platforms', () => {
  const builders = [
    { address: 'x86', platforms: ['linux/amd64', 'linux/amd64/v2'] },
    { address: 'arm', platforms: ['linux/arm64'], pod: 'ci-1', node: 'n1' },
  ];

  test('parts of one run have a place each, on builders of their platform', async () => {
    const { dispatcher, put, end } = world(builders);
    const parts = ['linux/amd64', 'linux/arm64'].map((platform) => run('r', { part: platform, platform }));
    await put(...parts);
    expect(parts.map((part) => dispatcher.placeOf(placeId(part)))).toMatchObject([
      { address: 'x86' },
      { address: 'arm', pod: 'ci-1', node: 'n1' },
    ]);
    await end(placeId(parts[0]!));
    expect(dispatcher.placesOn('x86')).toBe(0);
    expect(dispatcher.placesOn('arm')).toBe(1);
  });

  test('one that waits for its platform holds up nobody else, and is counted by it', async () => {
    const { dispatcher, put, at } = world(builders);
    const arm = { platform: 'linux/arm64/v8' };
    await put(run('r1', arm), run('r2', arm), run('r3'));
    expect([at('r1'), at('r2'), at('r3')]).toEqual(['arm', undefined, 'x86']);
    expect(dispatcher.demand('p')).toEqual({ all: 1, byPlatform: new Map([['linux/arm64/v8', 1]]) });
    expect(dispatcher.waiting(run('r2', arm))).toEqual({ kind: 'position', position: 1 });
    expect(dispatcher.waiting(run('r4', { platform: 'linux/s390x' }))).toMatchObject({
      reason: 'NoBuilderForPlatform',
    });
  });

  test('a builder that is not ready keeps what it has', async () => {
    const { state, put, at, end } = world([{ capacity: 2 }]);
    await put(run('r1'));
    state.builders = [{ ...state.builders[0]!, ready: false }];
    await put(run('r2'));
    expect([at('r1'), at('r2')]).toEqual(['a', undefined]);
    state.builders = [{ ...state.builders[0]!, ready: true }];
    await end('r1');
    expect(at('r2')).toBe('a');
  });
});

describe('the same work', () => {
  const work = 'sha256:w';

  test('is started together where it is first placed, before what came between', async () => {
    const { put, granted, at } = world(['a', 'b'].map((address) => ({ address, capacity: 2 })));
    await put(run('r1', { work }), run('r2'), run('r3', { work }));
    expect(at('r3')).toBe(at('r1'));
    expect(granted).toEqual(['r1', 'r3', 'r2']);
  });

  test('waits for the builder that does it while others are free, and goes on anywhere once that is over', async () => {
    const { dispatcher, put, end, at } = world([{ address: 'a' }, { address: 'b' }]);
    const first = run('r1', { work });
    await put(first);
    const [busy, free] = at('r1') === 'a' ? ['a', 'b'] : ['b', 'a'];
    await put(run('r2', { work }), run('r3', { work }), run('r4'));
    expect([at('r2'), at('r3'), at('r4')]).toEqual([undefined, undefined, free]);
    expect(dispatcher.waiting(run('r3', { work }))).toMatchObject({
      position: 2,
      because: { reason: 'SameWorkRuns', message: expect.stringContaining(busy!) },
    });
    await end('r1');
    expect([at('r2'), at('r3')]).toEqual([busy, undefined]);
    await end('r2');
    expect(at('r3')).toBe(busy);
  });

  test('goes where it was done last, also when that is over', async () => {
    const { put, end, at } = world(['a', 'b', 'c'].map((address) => ({ address })));
    await put(run('r0', { work }));
    const first = at('r0');
    await end('r0');
    for (let n = 1; n < 9; n++) {
      await put(run(`r${n}`, { work }));
      expect(at(`r${n}`)).toBe(first);
      await end(`r${n}`);
    }
  });

  test('does not wait for a builder that is away, or that failed it', async () => {
    const { state, put, at } = world([{ address: 'a' }, { address: 'b' }]);
    await put(run('r1', { work }));
    const busy = at('r1') as string;
    await put(run('r2', { work }), run('r3', { work, avoid: [busy] }));
    expect(at('r2')).toBeUndefined();
    state.builders = state.builders.map((one) => ({ ...one, ready: one.address !== busy }));
    await put();
    await put(run('r5', { queuedAt: 99 }));
    expect(at('r2')).not.toBe(busy);
    expect(at('r2')).toBeDefined();
  });

  test('of one that is found running is known to a new operator', async () => {
    const { dispatcher, put, at } = world([
      { address: 'a', capacity: 2 },
      { address: 'b', capacity: 2 },
    ]);
    for (const address of ['b']) dispatcher.occupy(run('old', { work }), { address, pool: 'p' });
    await put(...Array.from({ length: 3 }, (_, n) => run(`r${n}`, { work })));
    expect([at('r0'), at('r1'), at('r2')]).toEqual(['b', undefined, undefined]);
  });

  test('is one by one within what a namespace may hold', async () => {
    const { put, granted } = world([{ capacity: 9 }], { most: 2 });
    await put(...Array.from({ length: 5 }, (_, n) => run(`r${n}`, { work })));
    expect(granted).toEqual(['r0', 'r1']);
  });
});

describe('what earlier runs used', () => {
  const GiB = 2 ** 30;
  const big = { use: { memory: 3 * GiB, cpus: 1 } };

  test('is held against what a builder has; one that waits for it is not starved by small ones', async () => {
    const { dispatcher, put, end, at } = world([{ capacity: 4, memory: 4 * GiB, cpus: 4 }]);
    await put(run('r1', big), run('r2', big), run('r3', { use: { memory: GiB / 2, cpus: 1 } }));
    expect([at('r1'), at('r2'), at('r3')]).toEqual(['a', undefined, undefined]);
    expect(dispatcher.waiting(run('r2'))).toMatchObject({ position: 1, because: { reason: 'WaitsForResources' } });
    await end('r1');
    expect([at('r2'), at('r3')]).toEqual(['a', 'a']);
  });

  test('of nobody known counts by places, and what is too large for all runs alone', async () => {
    const { put, end, at } = world([{ capacity: 4, memory: 4 * GiB }]);
    await put(...['r1', 'r2', 'r3', 'r4'].map((uid) => run(uid)));
    expect(at('r4')).toBe('a');
    await put(run('r5', { use: { memory: 64 * GiB } }));
    for (const uid of ['r1', 'r2', 'r3']) await end(uid);
    expect(at('r5')).toBeUndefined();
    await end('r4');
    expect(at('r5')).toBe('a');
  });

  test('goes to another builder that has it free', async () => {
    const room = { capacity: 4, memory: 4 * GiB };
    const { put, at } = world([
      { address: 'a', ...room },
      { address: 'b', ...room },
    ]);
    await put(run('r1', { ...big, affinity: 'x' }), run('r2', { ...big, affinity: 'x' }));
    expect(new Set([at('r1'), at('r2')])).toEqual(new Set(['a', 'b']));
  });
});

describe('which builder', () => {
  const needs = Buffer.from('needs');

  test('holds most of what an earlier run needed, is it not past its share of the load', async () => {
    const holds = (share: number) => () => share;
    const { put, at } = world([
      { address: 'a', capacity: 4, holds: holds(0.2) },
      { address: 'b', capacity: 4, holds: holds(0.9) },
      { address: 'c', capacity: 4, holds: holds(0.7) },
    ]);
    await put(...Array.from({ length: 3 }, (_, n) => run(`r${n}`, { needs })));
    expect(['r0', 'r1', 'r2'].map(at)).toEqual(['b', 'b', 'c']);
  });

  test('is the best known one though it is busy, where the others know much less', () => {
    const one = (address: string, used: number, holds: number): Candidate => ({ address, capacity: 4, used, holds });
    expect(choose('x', [one('a', 3, 0.9), one('b', 0, 0.3)]).address).toBe('a');
    expect(choose('x', [one('a', 3, 0.9), one('b', 0, 0.8)]).address).toBe('b');
  });

  test('is the same whatever order they come in; one more takes only what hashes to it', () => {
    const builders = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(builders, fc.string(), (names, affinity) => {
        const all = names.map((address) => ({ address, capacity: 4, used: 0, holds: 0 }));
        const chosen = choose(affinity, all).address;
        expect(choose(affinity, [...all].reverse()).address).toBe(chosen);
        const fewer = choose(affinity, all.slice(1)).address;
        expect(fewer === chosen || chosen === all[0]!.address).toBe(true);
      }),
    );
  });
});

test('10,000 waiting runs cost each event little: runs are looked at by the logarithm of how many there are', async () => {
  const cost = async (count: number) => {
    let looked = 0;
    const { put, end, dispatcher, granted } = world([{ capacity: 8 }]);
    const counted = (uid: string, namespace: string) =>
      Object.defineProperty({ ...run(uid, { namespace }) }, 'priority', {
        get: () => {
          looked++;
          return 0;
        },
      });
    const runs = Array.from({ length: count }, (_, n) => counted(`r${n}`, `n${n % 40}`));
    await put(...runs);
    const entered = looked / count;
    looked = 0;
    for (let at = 0; at < 500; at++) await end(granted[at] as string);
    const perGrant = looked / 500;
    looked = 0;
    for (const one of runs.slice(-400)) expect(dispatcher.waiting(one)).toMatchObject({ kind: 'position' });
    return { entered, perGrant, perPosition: looked / 400 };
  };
  const [few, many] = [await cost(1000), await cost(10_000)];
  for (const kind of ['entered', 'perGrant', 'perPosition'] as const) {
    expect(many[kind], kind).toBeLessThan(500);
    expect(many[kind] / few[kind], kind).toBeLessThan(3);
  }
});
