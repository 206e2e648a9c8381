import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairQueue } from './fair-queue.ts';
import { HOUSE } from './index.ts';
import { type Computation, Places } from './places.ts';
import { neverAborted } from './signals.ts';
import { runs } from './testing/runs.ts';

const signal = neverAborted;
const TENANTS = ['a', 'b', 'c', 'd'];
const BUILDS = ['1', '2', '3'];
const owners = fc.record({ tenant: fc.constantFrom(...TENANTS), build: fc.constantFrom(...BUILDS) });

function computation() {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  return { computes: true as const, ended, end: () => resolve(), fail: () => reject(new Error('failed')) };
}

/** Lets promises that are settled be heard. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('a fair queue', () => {
  test('serves tenants in turns, their builds in turns, and what is of one build in its order', () => {
    const queue = new FairQueue<string>();
    const push = (tenant: string, build: string, ...values: string[]) =>
      values.map((value) => queue.push({ tenant, build }, value));
    push('a', '1', 'a1.0', 'a1.1', 'a1.2');
    const [removed] = push('a', '2', 'a2.0', 'a2.1');
    push('b', '1', 'b1.0', 'b1.1');
    const leave = push('c', '1', 'c1.0')[0]!;
    leave();
    leave();
    removed!();
    expect([queue.size, queue.sizeOf('a'), queue.sizeOf('c')]).toEqual([6, 4, 0]);
    const served: (string | undefined)[] = [];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) served.push(next);
    expect(served).toEqual(['a1.0', 'b1.0', 'a2.1', 'b1.1', 'a1.1', 'a1.2']);
    expect(queue.size).toBe(0);
  });

  test('whatever comes and goes: all is served once, and nobody waits for more than a turn of each other', () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.record({ kind: fc.constant('push' as const), owner: owners }) },
        { weight: 3, arbitrary: fc.record({ kind: fc.constant('shift' as const) }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), nth: fc.nat(50) }) },
      ),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const queue = new FairQueue<number>();
        const waiting = new Map<number, { tenant: string; build: string; remove: () => void; passed: string[] }>();
        const served: number[] = [];
        const shift = () => {
          const value = queue.shift();
          expect(value === undefined).toBe(waiting.size === 0);
          if (value === undefined) return;
          const { tenant, build } = waiting.get(value)!;
          waiting.delete(value);
          served.push(value);
          for (const [other, entry] of waiting) {
            entry.passed.push(`${tenant} ${build}`);
            if (entry.tenant === tenant && entry.build === build) expect(other).toBeGreaterThan(value);
          }
        };
        let pushed = 0;
        let removed = 0;
        for (const step of all) {
          if (step.kind === 'push') {
            const value = pushed++;
            waiting.set(value, { ...step.owner, remove: queue.push(step.owner, value), passed: [] });
          } else if (step.kind === 'shift') shift();
          else {
            const [value, entry] = [...waiting][step.nth] ?? [];
            if (value === undefined || entry === undefined) continue;
            entry.remove();
            waiting.delete(value);
            removed++;
          }
          // Who is first of its build is passed by each other tenant once for each of its own tenant's turns, and by each other build of its own once.
          for (const { tenant, build, passed } of waiting.values()) {
            const last = passed.lastIndexOf(`${tenant} ${build}`);
            const since = passed.slice(last + 1);
            const ofOwn = since.filter((one) => one.startsWith(`${tenant} `));
            expect(ofOwn.length).toBeLessThan(BUILDS.length);
            for (const other of TENANTS) {
              if (other === tenant) continue;
              expect(since.filter((one) => one.startsWith(`${other} `)).length).toBeLessThanOrEqual(ofOwn.length + 1);
            }
          }
          expect(queue.size).toBe(waiting.size);
        }
        while (waiting.size > 0) shift();
        expect(served).toHaveLength(pushed - removed);
        expect(new Set(served).size).toBe(served.length);
      }),
      runs(300),
    );
  });

  test('a hundred thousand wait and leave at no cost to speak of', () => {
    const queue = new FairQueue<number>();
    const leaves = Array.from({ length: 100_000 }, (_, n) => queue.push({ tenant: 'a', build: '1' }, n));
    for (const leave of leaves.slice(1, 50_000)) leave();
    expect(queue.shift()).toBe(0);
    for (let n = 50_000; n < 100_000; n++) expect(queue.shift()).toBe(n);
    expect(queue.size).toBe(0);
  });
});

describe('places', () => {
  test('are held from the beginning of what computes to its end, however it ends', async () => {
    const places = new Places(2);
    const [one, two, three] = [computation(), computation(), computation()];
    const owner = { tenant: 'a', build: '1' };
    await places.start({ signal, owner }, () => one);
    await places.start({ signal, owner }, () => two);
    const waiting = places.start({ signal, owner }, () => three);
    await turn();
    expect([places.held, places.waiting]).toEqual([2, 1]);
    two.fail();
    expect(await waiting).toBe(three);
    expect([places.held, places.waiting]).toEqual([2, 0]);
    one.end();
    three.end();
    await turn();
    expect(places.held).toBe(0);
  });

  test('what cannot begin leaves none behind, and keeps nobody waiting', async () => {
    const places = new Places(1);
    const fails = () => {
      throw new Error('cannot begin');
    };
    await expect(places.start({ signal, owner: HOUSE }, fails)).rejects.toThrow('cannot begin');
    const held = computation();
    await places.start({ signal, owner: HOUSE }, () => held);
    const failing = Array.from({ length: 3 }, () => places.start({ signal, owner: HOUSE }, fails));
    const last = computation();
    const started = places.start({ signal, owner: HOUSE }, () => last);
    held.end();
    for (const one of failing) await expect(one).rejects.toThrow('cannot begin');
    expect(await started).toBe(last);
    expect([places.held, places.waiting]).toEqual([1, 0]);
  });

  test('an abort while waiting leaves; one in the very turn that gives a place is heard by what has begun', async () => {
    const places = new Places(1);
    const held = computation();
    await places.start({ signal, owner: HOUSE }, () => held);
    const [gone, late] = [new AbortController(), new AbortController()];
    let begun = 0;
    const begin = (on: AbortSignal) => () => {
      begun++;
      const one = computation();
      on.addEventListener('abort', one.fail, { once: true });
      return one;
    };
    const first = places.start({ signal: gone.signal, owner: HOUSE }, begin(gone.signal));
    const second = places.start({ signal: late.signal, owner: HOUSE }, begin(late.signal));
    gone.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    held.end();
    // Before anybody hears that it has begun.
    await held.ended;
    late.abort(new Error('late'));
    const running = await second;
    await expect(running.ended).rejects.toThrow('failed');
    await turn();
    expect([begun, places.held, places.waiting]).toEqual([1, 0, 0]);
    await expect(places.start({ signal: late.signal, owner: HOUSE }, begin(late.signal))).rejects.toThrow('late');
  });

  test('nothing that waits has one, by its types', () => {
    const places = new Places(1);
    // @ts-expect-error -- a place begins with what computes, in one call: nothing can be awaited with it
    const waits = () => places.start({ signal }, async () => computation());
    // @ts-expect-error -- and no promise of something else holds one
    const other = () => places.start({ signal }, () => ({ ended: fetch('http://127.0.0.1') }));
    expect([waits, other]).toHaveLength(2);
  });

  test('whatever is asked for, aborted and fails: never more than there are, none lost, all served', async () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.record({ kind: fc.constant('ask' as const), owner: owners, fails: fc.boolean() }) },
        { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const), nth: fc.nat(5) }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), nth: fc.nat(20) }) },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
      ),
      { maxLength: 80 },
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, async (capacity, all) => {
        const places = new Places(capacity);
        const running = new Set<ReturnType<typeof computation>>();
        const controllers: AbortController[] = [];
        const outcomes: Promise<unknown>[] = [];
        let most = 0;
        const begin = (fails: boolean): Computation => {
          if (fails) throw new Error('cannot begin');
          const one = computation();
          running.add(one);
          one.ended.catch(() => {});
          most = Math.max(most, running.size);
          return one;
        };
        for (const step of all) {
          if (step.kind === 'ask') {
            const controller = new AbortController();
            controllers.push(controller);
            const asked = places.start({ signal: controller.signal, owner: step.owner }, () => begin(step.fails));
            outcomes.push(asked.catch(() => {}));
          } else if (step.kind === 'end') {
            const one = [...running][step.nth];
            if (one === undefined) continue;
            running.delete(one);
            one.end();
          } else if (step.kind === 'abort') controllers[step.nth]?.abort(new Error('no longer wanted'));
          else await turn();
        }
        while (running.size > 0 || places.waiting > 0) {
          for (const one of running) one.end();
          running.clear();
          await turn();
        }
        await Promise.all(outcomes);
        await turn();
        expect(most).toBeLessThanOrEqual(capacity);
        expect([places.held, places.waiting]).toEqual([0, 0]);
      }),
      runs(200),
    );
  });
});

test('who would use what is left over is told when there is some, and when others wait', async () => {
  const places = new Places(2);
  let crowded = 0;
  using _watch = places.onCrowded(() => crowded++);
  await places.idle({ signal });
  const [first, second, third] = [computation(), computation(), computation()];
  await places.start({ signal, owner: HOUSE }, () => first);
  await places.start({ signal, owner: HOUSE }, () => second);
  expect(crowded).toBe(0);
  let isIdle = false;
  const idle = places.idle({ signal }).then(() => {
    isIdle = true;
  });
  await expect(places.idle({ signal: AbortSignal.abort(new Error('left')) })).rejects.toThrow('left');
  const waiting = places.start({ signal, owner: HOUSE }, () => third);
  expect(crowded).toBe(1);
  first.end();
  await waiting;
  await turn();
  expect(isIdle).toBe(false);
  second.end();
  await idle;
  third.end();
});
