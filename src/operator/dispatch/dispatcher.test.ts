import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BuilderState, Dispatcher, type QueuedRun } from './dispatcher.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));

function world(builders: BuilderState[] | undefined = [{ address: 'a', ready: true, capacity: 1 }]) {
  const granted: string[] = [];
  const state = { builders };
  const dispatcher = new Dispatcher(
    { builders: (pool) => (pool === 'p' ? state.builders : undefined), allows: (_, namespace) => namespace !== 'bad' },
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
    dispatcher.occupy('old', { address: 'a', pool: 'p' });
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
