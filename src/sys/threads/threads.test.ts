import { afterAll, describe, expect, test } from 'vitest';
import { cancelledError, HOUSE, neverAborted } from '../../base/index.ts';
import { createPools, StreamPool, WorkerPool } from './pool.ts';
import { siblingModule } from './sibling-module.ts';
import { streamTasksOf, tasksOf } from './task.ts';
import { startThread } from './thread.ts';

const module = siblingModule(import.meta.url, '../testdata/tasks');
const task = tasksOf<typeof import('../testdata/tasks.ts')>(module);
const streamTask = streamTasksOf<typeof import('../testdata/tasks.ts')>(module);
const signal = neverAborted;
const pool = new WorkerPool({ name: 'test', threads: 2, abortGraceMs: 200 });
afterAll(() => pool.close());

test('a sibling module keeps the extension of its caller', () => {
  expect(siblingModule('file:///x/dist/a.js', './b').href).toBe('file:///x/dist/b.js');
  expect(siblingModule('file:///x/src/a.ts', './b').href).toBe('file:///x/src/b.ts');
});

describe('a worker pool', () => {
  test('runs more tasks than it has threads', async () => {
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, at) => pool.run(task('double'), at, { signal, owner: HOUSE })),
    );
    expect(results).toEqual(Array.from({ length: 50 }, (_, at) => at * 2));
  });

  test('finds the module of a task once in each thread', async () => {
    await using single = new WorkerPool({ name: 'test', threads: 1 });
    const options = { signal, owner: HOUSE };
    await single.run(task('loaderLookups'), undefined, options);
    for (let at = 0; at < 5; at++) await single.run(task('double'), at, options);
    expect(await single.run(task('loaderLookups'), undefined, options)).toBe(0);
  });

  test('a task may start processes: they are reaped where no signals come', async () => {
    await using streams = new StreamPool({ name: 'streams' });
    const texts = Array.from({ length: 20 }, (_, at) => `text ${at}`);
    const said = await Promise.all(texts.map((text) => streams.run(streamTask('runEcho'), text, { signal })));
    expect(said).toEqual(texts.map((text) => `${text}\n`));
  });

  test('of streams has one thread that many waiting tasks share', async () => {
    await using streams = new StreamPool({ name: 'streams' });
    const controllers = Array.from({ length: 50 }, () => new AbortController());
    const begun = controllers.map(() => Promise.withResolvers<void>());
    const running = controllers.map(({ signal }, at) =>
      streams.run(streamTask('waitForAbort'), undefined, { signal, onMessage: () => begun[at]?.resolve() }),
    );
    await Promise.all(begun.map(({ promise }) => promise));
    expect(await streams.run(streamTask('double'), 21, { signal })).toBe(42);
    controllers[7]?.abort(cancelledError('only this'));
    await expect(running[7]).rejects.toThrow('only this');
    const others = running.filter((_, at) => at !== 7);
    const first = await Promise.race([...others, streams.run(streamTask('double'), 1, { signal })]);
    expect(first).toBe(2);
    const crashing = streams.run(streamTask('crash'), undefined, { signal });
    for (const task of [crashing, ...others]) await expect(task).rejects.toMatchObject({ reason: 'SYS_THREAD_ENDED' });
  });

  test('moves results instead of copying them', async () => {
    const value = await pool.run(task('bytes'), 1 << 20, { signal, owner: HOUSE });
    expect(value.length).toBe(1 << 20);
    expect(value[99]).toBe(7);
  });

  test('keeps code, reason, hint and cause of an error', async () => {
    const failed = pool.run(task('failCoded'), undefined, { signal, owner: HOUSE });
    await expect(failed).rejects.toMatchObject({
      name: 'CodedError',
      code: 'not_found',
      fault: 'user',
      reason: 'GIT_NOT_FOUND',
      hint: 'look again',
      cause: { message: 'why' },
    });
  });

  test('keeps errno, system call and path of an error', async () => {
    const failed = pool.run(task('failErrno'), undefined, { signal, owner: HOUSE });
    await expect(failed).rejects.toMatchObject({ code: 'ENOENT', syscall: 'open', path: '/no/such/file' });
  });

  test('aborts a synchronous task through its flag, with the reason of the signal', async () => {
    const controller = new AbortController();
    const running = pool.run(task('spin'), undefined, { signal: controller.signal, owner: HOUSE });
    setTimeout(() => controller.abort(cancelledError('no longer wanted')), 50);
    await expect(running).rejects.toMatchObject({ code: 'cancelled', message: 'no longer wanted' });
  });

  test('aborts a task that waits through its signal', async () => {
    await using streams = new StreamPool({ name: 'streams' });
    const controller = new AbortController();
    const running = streams.run(streamTask('waitForAbort'), undefined, {
      signal: controller.signal,
      onMessage: (message) => message === 'waiting' && controller.abort(cancelledError()),
    });
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('has no task that waits, by its types', async () => {
    // @ts-expect-error -- it takes a signal, to wait with
    expect(() => task('waitForAbort')).not.toThrow();
    // @ts-expect-error -- nor one from elsewhere
    const run = () => pool.run(streamTask('waitForAbort'), undefined, { signal });
    // @ts-expect-error -- nor a port to wait at
    const withPort = () => pool.run(task('double'), 1, { signal, transfer: [] });
    // @ts-expect-error -- nor another argument than the task's own
    const mistaken = () => pool.run(task('double'), 'two', { signal });
    expect([run, withPort, mistaken]).toHaveLength(3);
  });

  test('ends the thread of a task that does not listen, and replaces it', async () => {
    const controller = new AbortController();
    const running = pool.run(task('spinDeaf'), undefined, { signal: controller.signal, owner: HOUSE });
    setTimeout(() => controller.abort(cancelledError()), 20);
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(await pool.run(task('double'), 4, { signal, owner: HOUSE })).toBe(8);
  });

  test('a thread that dies takes only its own task with it', async () => {
    const crashed = pool.run(task('crash'), undefined, { signal, owner: HOUSE });
    const others = Array.from({ length: 10 }, (_, at) => pool.run(task('double'), at, { signal, owner: HOUSE }));
    await expect(crashed).rejects.toMatchObject({ code: 'internal', reason: 'SYS_THREAD_ENDED' });
    expect(await Promise.all(others)).toHaveLength(10);
  });

  test('one that waits for a place can be aborted before it starts', async () => {
    await using busy = new WorkerPool({ name: 'busy', threads: 1, abortGraceMs: 50 });
    const stop = new AbortController();
    const first = busy.run(task('spin'), undefined, { signal: stop.signal, owner: HOUSE });
    const controller = new AbortController();
    const second = busy.run(task('double'), 1, { signal: controller.signal, owner: HOUSE });
    controller.abort(cancelledError('gone'));
    await expect(second).rejects.toThrow('gone');
    expect(busy.places.waiting).toBe(0);
    stop.abort(cancelledError());
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('many tasks of one build, or of one tenant, keep nobody behind all of them', async () => {
    await using busy = new WorkerPool({ name: 'busy', threads: 1, abortGraceMs: 50 });
    const stop = new AbortController();
    const first = busy.run(task('spin'), undefined, { signal: stop.signal, owner: HOUSE });
    const order: string[] = [];
    const add = (tenant: string, build: string, name: string) =>
      busy
        .run(task('double'), 1, { signal, owner: { tenant, build } })
        .then(() => order.push(name))
        .catch(() => {});
    const all = [
      ...Array.from({ length: 3 }, (_, n) => add('a', '1', `a1.${n}`)),
      ...Array.from({ length: 2 }, (_, n) => add('a', '2', `a2.${n}`)),
      ...['b0', 'b1'].map((name) => add('b', '1', name)),
    ];
    expect(busy.places).toMatchObject({ held: 1, waiting: 7 });
    stop.abort(cancelledError());
    await Promise.all([...all, expect(first).rejects.toMatchObject({ code: 'cancelled' })]);
    expect(order).toEqual(['a1.0', 'b0', 'a2.0', 'b1', 'a1.1', 'a2.1', 'a1.2']);
    expect(busy.places).toMatchObject({ held: 0, waiting: 0 });
  });

  test('one that is over before its thread has ended leaves that thread to nobody', async () => {
    await using busy = new WorkerPool({ name: 'busy', threads: 1, abortGraceMs: 20 });
    const stop = new AbortController();
    await busy.run(task('double'), 1, { signal, owner: HOUSE });
    const first = busy.run(task('goThroughGate'), 300, { signal: stop.signal, owner: HOUSE });
    const second = busy.run(task('goThroughGate'), 50, { signal, owner: HOUSE });
    stop.abort(cancelledError('no longer wanted'));
    await expect(first).rejects.toThrow('no longer wanted');
    await second;
  });

  test('an abort in the very turn that gives a task its place is heard', async () => {
    const controller = new AbortController();
    const running = pool.run(task('spin'), undefined, { signal: controller.signal, owner: HOUSE });
    controller.abort(cancelledError('at once'));
    await expect(running).rejects.toThrow('at once');
  });

  test('closing rejects what runs', async () => {
    const pools = createPools({ short: 1, bulk: 1 });
    const running = pools.bulk.run(task('spin'), undefined, { signal, owner: HOUSE });
    expect(await pools.short.run(task('double'), 2, { signal, owner: HOUSE })).toBe(4);
    const rejected = expect(running).rejects.toMatchObject({ code: 'cancelled', reason: 'SYS_POOL_CLOSED' });
    await pools[Symbol.asyncDispose]();
    await rejected;
  });
});

describe('a dedicated thread', () => {
  const module = siblingModule(import.meta.url, '../testdata/echo-thread');

  test('talks both ways and ends by itself', async () => {
    await using thread = startThread<string, string>({ module, name: 'echo', data: 'data' });
    const seen: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    thread.onMessage((message) => {
      seen.push(message);
      if (seen.length === 2) resolve();
    });
    thread.post('one');
    await promise;
    expect(seen).toEqual(['hello data', 'echo one']);
    thread.post('end');
    await thread.ended;
  });

  test('its failure rejects `ended`', async () => {
    await using thread = startThread<string, string>({ module, name: 'echo' });
    thread.post('fail');
    await expect(thread.ended).rejects.toThrow('asked to fail');
  });

  test('terminating it is no failure', async () => {
    const thread = startThread({ module, name: 'echo' });
    await thread.terminate();
    await thread.ended;
  });
});
