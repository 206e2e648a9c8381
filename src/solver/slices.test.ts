import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { digestOf, neverAborted, systemClock } from '../base/index.ts';
import { slowMachine, turnsDuring } from '../base/testing/turns.ts';
import { EventBuffer, progressMemory } from './event-buffer.ts';
import type { VertexEvent } from './ports.ts';
import { BuildProgress, VertexHistory } from './progress.ts';
import { constant, IntegerWorld, newJob, sum } from './testing/integer-world.ts';

const signal = neverAborted;
const VERTICES = 200;

beforeEach(async () => void (await slowMachine()));
afterEach(() => {
  vi.restoreAllMocks();
});

test('a graph is entered, solved, found again, left and cancelled vertex by vertex: others have their turn after each', async () => {
  const chain = () => {
    let top = constant(1);
    for (let i = 1; i < VERTICES; i++) top = sum(`step ${i}`, [top]);
    return { vertex: top, index: 0 };
  };
  const world = new IntegerWorld();
  const solver = world.solver();
  for (const made of [VERTICES, 0]) {
    const job = newJob(solver);
    world.ran.length = 0;
    const solving = await turnsDuring(async () => {
      const { result } = await job.build(chain(), { signal });
      await result.release();
    });
    expect(world.ran).toHaveLength(made);
    // Entered, then each asked for its keys; and where all is cached, those below the hit are shown as such.
    expect(solving).toBeGreaterThan(VERTICES * 2);
    expect(await turnsDuring(() => job.close())).toBeGreaterThan(VERTICES);
  }
  const other = new IntegerWorld();
  other.gate = () => new Promise(() => {});
  const controller = new AbortController();
  const cancelled = newJob(other.solver());
  const building = cancelled.build(chain(), { signal: controller.signal });
  const left = turnsDuring(() => building.catch(() => {}));
  controller.abort(new Error('left'));
  expect(await left).toBeLessThan(10); // it enters no more
  await expect(building).rejects.toThrow('left');
});

test('what an op is known by its definition says at once: no vertex takes more turns for it than its keys are asked for', async () => {
  const turns: number[] = [];
  for (const atOnce of [false, true]) {
    const world = new IntegerWorld();
    world.atOnce = atOnce;
    const solver = world.solver();
    let top = constant(1);
    for (let i = 1; i < VERTICES; i++) top = sum(`step ${i}`, [top]);
    for (const _ of ['made', 'found']) {
      await using job = newJob(solver);
      const taken = await turnsDuring(async () => {
        const { result } = await job.build({ vertex: top, index: 0 }, { signal });
        await result.release();
      });
      turns.push(taken);
    }
    expect(world.ran).toHaveLength(VERTICES);
  }
  const [made, found, madeAtOnce, foundAtOnce] = turns as [number, number, number, number];
  expect(made - madeAtOnce).toBeGreaterThan(VERTICES * 0.9);
  expect(found - foundAtOnce).toBeGreaterThan(VERTICES * 0.9);
});

test('a vertex of many inputs is entered in portions, and not at all if its build is closed meanwhile', async () => {
  const world = new IntegerWorld();
  const solver = world.solver();
  const job = newJob(solver);
  const inputs = Array.from({ length: 3000 }, (_, i) => constant(i));
  const all = { vertex: sum('all', inputs), index: 0 };
  const building = job.build(all, { signal });
  while (solver.activeVertices < inputs.length) await new Promise(setImmediate);
  const turns = await turnsDuring(async () => {
    while (solver.activeVertices === inputs.length) await new Promise(setImmediate);
  });
  expect(turns).toBeGreaterThan(10);
  await building.then(({ result }) => result.release());
  await job.close();
  const closed = newJob(solver);
  const other = closed.build(all, { signal });
  while (solver.activeVertices < inputs.length) await new Promise(setImmediate);
  await new Promise(setImmediate);
  await Promise.all([closed.close(), expect(other).rejects.toThrow()]);
  expect([solver.activeVertices, world.open]).toEqual([0, 0]);
});

test('a build that is closed while its graph is entered leaves nothing of it', async () => {
  const world = new IntegerWorld();
  const solver = world.solver();
  const job = newJob(solver);
  let top = constant(1);
  for (let i = 1; i < VERTICES; i++) top = sum(`step ${i}`, [top]);
  const building = job.build({ vertex: top, index: 0 }, { signal });
  while (solver.activeVertices === 0) await new Promise(setImmediate); // its inputs were followed
  expect(solver.activeVertices).toBeLessThan(VERTICES);
  await Promise.all([job.close(), expect(building).rejects.toThrow()]);
  expect([solver.activeVertices, world.open, world.ran]).toEqual([0, 0, []]);
});

test('what one build leaves in slices another may enter meanwhile', async () => {
  const world = new IntegerWorld();
  const solver = world.solver();
  const chain = () => {
    let top = constant(1);
    for (let i = 1; i < 40; i++) top = sum(`step ${i}`, [top]);
    return { vertex: top, index: 0 };
  };
  for (let wait = 0; wait < 60; wait += 5) {
    const first = newJob(solver);
    await first.build(chain(), { signal }).then(({ result }) => result.release());
    const closing = first.close();
    for (let n = 0; n < wait; n++) await new Promise(setImmediate);
    const second = newJob(solver);
    world.stored.clear();
    const { result } = await second.build(chain(), { signal });
    expect(result.value).toBe(1);
    await result.release();
    await Promise.all([closing, second.close()]);
    expect([solver.activeVertices, world.open]).toEqual([0, 0]);
  }
});

test('a small build does not wait for all that a large one looks at', async () => {
  const world = new IntegerWorld();
  const solver = world.solver();
  const [large, small] = [newJob(solver), newJob(solver)];
  const inputs = Array.from({ length: 1500 }, (_, i) => constant(i));
  let waiting = 0;
  world.gate = async () => {
    waiting++;
  };
  const building = large.build({ vertex: sum('all', inputs), index: 0 }, { signal });
  while (waiting === 0) await new Promise(setImmediate);
  const turns = await turnsDuring(async () => {
    const { result } = await small.build({ vertex: sum('few', [constant(-1)]), index: 0 }, { signal });
    await result.release();
  });
  expect(turns).toBeLessThan(300);
  await building.then(({ result }) => result.release());
  await Promise.all([large.close(), small.close()]);
});

test('a watcher is told of many vertices in batches, of each all that was and then all that comes, once', async () => {
  const memory = progressMemory();
  const build = new BuildProgress(memory);
  const histories = Array.from({ length: 3000 }, (_, i) => {
    const name = `step ${i}`;
    return new VertexHistory({ digest: digestOf(name), inputs: [], name, cached: false }, systemClock, memory);
  });
  for (const history of histories) build.add(history);
  const print = (history: VertexHistory, text: string) => history.progress.log(1, Buffer.from(text));
  for (const history of histories) print(history, 'before');
  const printed = new Map<string, string[]>();
  let largest = 0;
  let batches = 0;
  for await (const events of build.watch({ signal })) {
    largest = Math.max(largest, events.length);
    for (const event of events)
      if (event.kind === 'log')
        printed.set(event.vertex, [...(printed.get(event.vertex) ?? []), Buffer.from(event.data).toString()]);
    if (++batches === 3) for (const history of histories) print(history, 'meanwhile'); // it has been told of some
    if (batches === 6) {
      for (const history of histories) history.start();
      for (const _ of build.close());
    }
  }
  expect(largest).toBeLessThanOrEqual(1000);
  expect(printed.size).toBe(3000);
  for (const texts of printed.values()) expect(texts).toEqual(['before', 'meanwhile']);
  while (memory.histories.used > 0) await new Promise(setImmediate);
  expect(memory.watchers.used).toBe(0);
});

test('a failure is told vertex by vertex, and to many who stand on one in portions: others have their turn after each', async () => {
  const world = new IntegerWorld();
  const [running, hold] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  world.gate = async (what) => {
    if (what !== 'exec constant 1') return;
    running.resolve();
    await hold.promise;
  };
  let chain = constant(1);
  for (let i = 1; i < VERTICES; i++) chain = sum(`step ${i}`, [chain]);
  const wide = Array.from({ length: 3000 }, (_, i) => sum(`wide ${i}`, [chain]));
  const job = newJob(world.solver());
  const building = job.build({ vertex: sum('all', wide), index: 0 }, { signal });
  await running.promise;
  const told = turnsDuring(() => expect(building).rejects.toThrow('broken'));
  hold.reject(new Error('broken'));
  expect(await told).toBeGreaterThan(VERTICES + 3);
  await job.close();
});

test('a build that asks for what has just failed is not told of that failure, however far it has been told', async () => {
  const chain = () => {
    let top = constant(1);
    for (let i = 1; i < 60; i++) top = sum(`step ${i}`, [top]);
    return { vertex: top, index: 0 };
  };
  for (let entered = 0; entered < 60; entered++) {
    const world = new IntegerWorld();
    const solver = world.solver();
    const [first, second] = [newJob(solver), newJob(solver)];
    const running = Promise.withResolvers<void>();
    const hold = Promise.withResolvers<void>();
    world.gate = async (what) => {
      if (what !== 'exec constant 1') return;
      running.resolve();
      await hold.promise;
    };
    const failing = first.build(chain(), { signal });
    await running.promise;
    const building = second.build(chain(), { signal });
    while (second.vertices.length < entered) await new Promise(setImmediate);
    world.gate = async () => {};
    hold.reject(new Error('of the first'));
    await expect(failing).rejects.toThrow('of the first');
    const { result } = await building;
    await result.release();
    await Promise.all([first.close(), second.close()]);
    expect([solver.activeVertices, world.open]).toEqual([0, 0]);
  }
});

test('a buffer gives so many events at most, in order, and says what it has not kept', () => {
  const buffer = new EventBuffer(progressMemory().watchers);
  const [chatty, quiet] = [digestOf('chatty'), digestOf('quiet')];
  const log = (vertex: typeof chatty, bytes: number): VertexEvent => ({
    kind: 'log',
    vertex,
    stream: 1,
    data: Buffer.alloc(bytes, 'x'),
    timestamp: 1,
  });
  for (let n = 0; n < 4; n++) buffer.push(log(chatty, 5 << 20));
  for (let n = 0; n < 3; n++) buffer.push(log(quiet, 1));
  const told: string[] = [];
  while (!buffer.empty) {
    const events = buffer.take(2);
    expect(events.length).toBeLessThanOrEqual(3);
    for (const event of events)
      if (event.kind === 'log') told.push(event.data.length > 100 ? 'much' : Buffer.from(event.data).toString());
  }
  expect(told).toEqual([
    expect.stringContaining('bytes of output are not kept'),
    'much',
    'much',
    'much',
    'x',
    'x',
    'x',
  ]);
  expect(buffer.bytes).toBe(0);
});
