import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BuilderState, Dispatcher, type QueuedRun } from './dispatcher.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));

function world(builders: BuilderState[] | undefined = [{ address: 'a', ready: true, capacity: 1 }]) {
  const granted: string[] = [];
  const state = { builders, weights: {} as Record<string, number>, most: Number.POSITIVE_INFINITY };
  const dispatcher = new Dispatcher(
    {
      builders: (pool) => (pool === 'p' ? state.builders : undefined),
      allows: (_, namespace) => namespace !== 'bad',
      weight: (_, namespace) => state.weights[namespace] ?? 1,
      most: () => state.most,
    },
    (key) => granted.push(key),
  );
  return { dispatcher, granted, state };
}

const run = (uid: string, rest: Partial<QueuedRun> = {}): QueuedRun => ({
  uid,
  key: uid,
  namespace: 'n',
  pool: 'p',
  priority: 0,
  queuedAt: 0,
  affinity: uid,
  avoid: [],
  ...rest,
});

describe('places', () => {
  test('go by priority, then to whoever came first', async () => {
    const { dispatcher, granted } = world();
    dispatcher.enqueue(run('late', { queuedAt: 3 }));
    dispatcher.enqueue(run('early', { queuedAt: 1 }));
    dispatcher.enqueue(run('urgent', { queuedAt: 9, priority: 1 }));
    for (let at = 0; at < 3; at++) {
      await settled();
      dispatcher.release(granted.at(-1) as string);
    }
    expect(granted).toEqual(['urgent', 'early', 'late']);
  });

  test('are as many as the builder takes, and those found running count', async () => {
    const { dispatcher, granted } = world([{ address: 'a', ready: true, capacity: 2 }]);
    dispatcher.occupy(run('old'), { address: 'a', pool: 'p' });
    for (const uid of ['x', 'y']) dispatcher.enqueue(run(uid));
    await settled();
    expect(granted).toEqual(['x']);
    expect(dispatcher.waiting(run('y'))).toEqual({ kind: 'position', position: 1 });
    dispatcher.release('old');
    await settled();
    expect(granted).toEqual(['x', 'y']);
  });

  test('are on the builder that the Build had, a failed one last', async () => {
    const builders = ['a', 'b', 'c'].map((address) => ({ address, ready: true, capacity: 9 }));
    const { dispatcher } = world(builders);
    for (const uid of ['1', '2', '3']) dispatcher.enqueue(run(uid, { affinity: 'n/app' }));
    await settled();
    const places = ['1', '2', '3'].map((uid) => dispatcher.placeOf(uid)?.address);
    expect(new Set(places).size).toBe(1);
    dispatcher.enqueue(run('4', { affinity: 'n/app', avoid: [places[0] as string] }));
    await settled();
    expect(dispatcher.placeOf('4')?.address).not.toBe(places[0]);
    const { dispatcher: single } = world();
    single.enqueue(run('5', { avoid: ['a'] }));
    await settled();
    expect(single.placeOf('5')?.address).toBe('a');
  });

  test('nothing is kept of a pool for which nobody waits, be there one or not', async () => {
    const { dispatcher } = world();
    for (let at = 0; at < 100; at++) dispatcher.enqueue(run(`lost-${at}`, { pool: `invented-${at}` }));
    dispatcher.enqueue(run('placed'));
    await settled();
    expect(dispatcher.lengths().size).toBe(100);
    for (let at = 0; at < 100; at++) dispatcher.release(`lost-${at}`);
    expect(dispatcher.lengths().size).toBe(0);
  });

  test('are refused with the reason', () => {
    const { dispatcher, state } = world();
    expect(dispatcher.waiting(run('x', { pool: 'none' }))).toMatchObject({ reason: 'PoolNotFound' });
    expect(dispatcher.waiting(run('x', { namespace: 'bad' }))).toMatchObject({ reason: 'PoolNotAllowed' });
    state.builders = [{ address: 'a', ready: false, capacity: 1 }];
    expect(dispatcher.waiting(run('x'))).toMatchObject({ reason: 'NoBuilderReady' });
  });

  test('a run that may not use the pool does not hold up the others', async () => {
    const { dispatcher, granted } = world();
    dispatcher.enqueue(run('bad', { namespace: 'bad' }));
    dispatcher.enqueue(run('good', { queuedAt: 1 }));
    await settled();
    expect(granted).toEqual(['good']);
  });

  /** In which order namespaces get a place, when each is given back at once. */
  async function turns(waiting: Readonly<Record<string, number>>, weights: Record<string, number> = {}) {
    const { dispatcher, granted, state } = world();
    Object.assign(state.weights, weights);
    for (const [namespace, count] of Object.entries(waiting))
      for (let at = 0; at < count; at++)
        dispatcher.enqueue(
          run(`${namespace}${at}`, { namespace, queuedAt: at, priority: namespace === 'a' ? 1000 : 0 }),
        );
    const positions = dispatcher.waiting(run('b0', { namespace: 'b' }));
    let seen = 0;
    for (await settled(); granted.length > seen; await settled()) {
      seen = granted.length;
      dispatcher.release(granted.at(-1) as string);
    }
    return { order: granted.map((key) => key.replace(/[0-9]/g, '')).join(''), granted, positions };
  }

  test('are shared by namespace, however many runs one has and whatever priority it gives them', async () => {
    const { order, granted, positions } = await turns({ a: 50, b: 3 });
    expect(order.slice(0, 8)).toBe('abababaa');
    expect(granted.slice(0, 6)).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2']);
    expect(positions).toEqual({ kind: 'position', position: 1 });
  });

  test('are shared by weight', async () => {
    const { order } = await turns({ a: 12, b: 12, c: 12 }, { b: 3 });
    const first = order.slice(0, 10);
    expect([...'abc'].map((name) => first.split(name).length - 1)).toEqual([2, 6, 2]);
  });

  test('that come free go to the namespace that holds the fewest', async () => {
    const { dispatcher, granted } = world([{ address: 'a', ready: true, capacity: 4 }]);
    for (let at = 0; at < 9; at++) dispatcher.enqueue(run(`a${at}`, { namespace: 'a', queuedAt: at }));
    await settled();
    expect(granted).toEqual(['a0', 'a1', 'a2', 'a3']);
    for (let at = 0; at < 9; at++) dispatcher.enqueue(run(`b${at}`, { namespace: 'b', queuedAt: 9 + at }));
    for (const uid of ['a0', 'a1', 'a2', 'a3']) {
      dispatcher.release(uid);
      await settled();
    }
    // Until each has half of them.
    expect(granted.slice(4)).toEqual(['b0', 'b1', 'a4', 'a5']);
  });

  test('a namespace that comes late is not owed what it did not ask for', async () => {
    const { dispatcher, granted } = world();
    for (let at = 0; at < 20; at++) dispatcher.enqueue(run(`a${at}`, { namespace: 'a', queuedAt: at }));
    for (let at = 0; at < 9; at++) {
      await settled();
      dispatcher.release(granted.at(-1) as string);
    }
    for (let at = 0; at < 20; at++) dispatcher.enqueue(run(`b${at}`, { namespace: 'b', queuedAt: at }));
    for (let at = 0; at < 6; at++) {
      await settled();
      dispatcher.release(granted.at(-1) as string);
    }
    expect(granted.slice(-6).filter((key) => key.startsWith('b'))).toHaveLength(3);
  });

  test('are no more for one namespace than the pool says', async () => {
    const { dispatcher, granted, state } = world([{ address: 'a', ready: true, capacity: 9 }]);
    state.most = 2;
    for (const namespace of ['a', 'b'])
      for (let at = 0; at < 3; at++) dispatcher.enqueue(run(`${namespace}${at}`, { namespace }));
    await settled();
    expect([...granted].sort()).toEqual(['a0', 'a1', 'b0', 'b1']);
    expect(dispatcher.waiting(run('a2', { namespace: 'a' }))).toEqual({ kind: 'position', position: 1, limited: 2 });
    dispatcher.release('a0');
    await settled();
    expect(granted.at(-1)).toBe('a2');
  });

  test('are never more than there are, none twice, none forgotten', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(9), fc.constantFrom('enqueue', 'release')), { maxLength: 60 }),
        async (steps) => {
          const { dispatcher, granted } = world([
            { address: 'a', ready: true, capacity: 2 },
            { address: 'b', ready: true, capacity: 1 },
          ]);
          const wanted = new Set<string>();
          for (const [at, step] of steps) {
            const uid = String(at);
            if (step === 'enqueue') {
              dispatcher.enqueue(run(uid));
              wanted.add(uid);
            } else {
              dispatcher.release(uid);
              wanted.delete(uid);
            }
            await settled();
            const held = [...wanted].map((one) => dispatcher.placeOf(one)?.address).filter((one) => one !== undefined);
            expect(held.filter((one) => one === 'a').length).toBeLessThanOrEqual(2);
            expect(held.filter((one) => one === 'b').length).toBeLessThanOrEqual(1);
            expect(held.length).toBe(Math.min(3, wanted.size));
            expect(held.length + (dispatcher.lengths().get('p') ?? 0)).toBe(wanted.size);
          }
          expect(granted.length).toBeGreaterThanOrEqual(Math.min(3, wanted.size));
        },
      ),
    );
  });
});
