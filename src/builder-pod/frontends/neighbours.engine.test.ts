import { describe, expect, test } from 'vitest';
import { CodedError, type Logger } from '../../base/index.ts';
import { siblingModule } from '../../sys/index.ts';
import { FakeBridge } from './testing/fake-bridge.ts';
import { failureOf, never, withOptions } from './testing/requests.ts';
import { FrontendThreads, type ThreadFrontendOptions } from './thread-host.ts';

describe('beside good neighbours', () => {
  const module = siblingModule(import.meta.url, './testing/wild-thread');

  function wild(options: Partial<ThreadFrontendOptions> = {}) {
    return new FrontendThreads({ module, name: 'wild', threads: 1, ...options });
  }

  /** A run that has asked for its solve and is answered when it asks again, or when it is told. */
  async function neighbour(threads: FrontendThreads) {
    const bridge = new FakeBridge({});
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const solve = bridge.solve.bind(bridge);
    bridge.solve = async (...args: Parameters<typeof solve>) => {
      asked.resolve();
      if (bridge.solved.length === 0) {
        const result = await solve(...args);
        await answer.promise;
        return result;
      }
      return await solve(...args);
    };
    const result = threads.run(withOptions({ do: 'good' }), bridge, { signal: never });
    await asked.promise;
    return { bridge, result, answer: () => answer.resolve() };
  }

  const run = (threads: FrontendThreads, what: string, signal = never) =>
    threads.run(withOptions({ do: what }), new FakeBridge({}), { signal });
  const threadOf = ({ metadata }: { metadata: ReadonlyMap<string, Uint8Array> }) =>
    new TextDecoder().decode(metadata.get('thread'));

  test('one that computes without a pause keeps its thread while it has CPU time left; the others go on elsewhere', async () => {
    await using threads = wild({ heldMs: 200, cpuMs: 600 });
    const good = await neighbour(threads);
    const looping = failureOf(run(threads, 'loop'));
    // Nobody answers the first time it asked: it is run again.
    await good.result;
    expect(good.bridge.solved).toHaveLength(2);
    expect(good.bridge.warnings).toHaveLength(1);
    await run(threads, 'good');
    expect(threads.started).toBe(2);
    const spent = { code: 'resource_exhausted', reason: 'FRONTEND_SPENT', fault: 'user' };
    expect(await looping).toMatchObject({ ...spent, hint: expect.stringContaining('split the file') });
    await run(threads, 'good');
    expect(threads.started).toBe(2);
  });

  test('one that computes without a pause can be cancelled at once', async () => {
    await using threads = wild({ heldMs: 200 });
    const controller = new AbortController();
    const bridge = new FakeBridge({});
    const looping = failureOf(threads.run(withOptions({ do: 'loop' }), bridge, { signal: controller.signal }));
    await expect.poll(() => bridge.warnings).toHaveLength(1);
    controller.abort(new CodedError('cancelled', 'enough'));
    expect((await looping).message).toBe('enough');
    // Its thread is found held up by nobody, and another serves.
    await run(threads, 'good');
    expect(threads.started).toBe(2);
  });

  test('one that computes a little each time it is answered ends, too, and nobody has to be run again', async () => {
    await using threads = wild({ cpuMs: 200 });
    const good = await neighbour(threads);
    expect(await failureOf(run(threads, 'turns'))).toMatchObject({ reason: 'FRONTEND_SPENT', fault: 'user' });
    good.answer();
    await good.result;
    expect(good.bridge.solved).toHaveLength(1);
    expect(threads.started).toBe(1);
  });

  test('one that computes is not taken for one that does nothing', async () => {
    await using threads = wild({ silenceMs: 2000, cpuMs: 2500 });
    await run(threads, 'good');
    expect(await failureOf(run(threads, 'loop'))).toMatchObject({ reason: 'FRONTEND_SPENT' });
  });

  test('of many at once that compute without a pause none takes the others with it again and again', async () => {
    let lost = 0;
    const log = { warn: () => lost++ } as unknown as Logger;
    await using threads = wild({ heldMs: 100, log });
    const controller = new AbortController();
    const looping = Array.from({ length: 8 }, () => failureOf(run(threads, 'loop', controller.signal)));
    await Promise.all(Array.from({ length: 3 }, () => run(threads, 'good')));
    // One after another in one thread they would take 52 losses: of ten runs, of nine, down to three.
    expect(lost).toBeLessThan(40);
    controller.abort(new CodedError('cancelled', 'enough'));
    await Promise.all(looping);
  });

  test('any number that compute without a pause hold a few threads, and the others go on', async () => {
    await using threads = wild({ heldMs: 100 });
    const controller = new AbortController();
    const looping = Array.from({ length: 6 }, () => failureOf(run(threads, 'loop', controller.signal)));
    await run(threads, 'good');
    controller.abort(new CodedError('cancelled', 'enough'));
    await Promise.all(looping);
  });

  test('one that asks nothing and computes nothing is stopped alone', async () => {
    await using threads = wild({ silenceMs: 3000 });
    const hanging = failureOf(run(threads, 'hang'));
    const good = await neighbour(threads);
    expect(await hanging).toMatchObject({ code: 'deadline_exceeded', reason: 'FRONTEND_STUCK' });
    good.answer();
    await good.result;
    expect(good.bridge.solved).toHaveLength(1);
    expect(threads.started).toBe(1);
  });

  test('one that is slow lets others have their turns', async () => {
    await using threads = wild();
    const slow = run(threads, 'slow');
    const good = run(threads, 'good');
    expect(threadOf(await good)).toBe(threadOf(await slow));
  });

  test('one that takes all memory fails for itself, and the others are run again', async () => {
    await using threads = wild({ heapMib: 32 });
    const good = await neighbour(threads);
    const error = await failureOf(run(threads, 'hungry'));
    expect(error).toMatchObject({ code: 'resource_exhausted', reason: 'SYS_THREAD_MEMORY' });
    await good.result;
    expect(good.bridge.solved).toHaveLength(2);
    // The shared one, the one that proved it, and what serves from now on.
    expect(threads.started).toBe(3);
  });

  test('one that ends the thread fails for itself, and the others are run again', async () => {
    await using threads = wild();
    const good = await neighbour(threads);
    expect(await failureOf(run(threads, 'exit'))).toMatchObject({ reason: 'SYS_THREAD_ENDED' });
    await good.result;
    expect(good.bridge.solved).toHaveLength(2);
  });

  test.each([
    ['throw', 'no good'],
    ['throw late', 'late'],
    ['nothing', 'without a result'],
  ])('one that fails (%s) takes nothing with it', async (what, says) => {
    await using threads = wild();
    const good = await neighbour(threads);
    const error = await run(threads, what).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).toContain(says);
    good.answer();
    await good.result;
    expect(good.bridge.solved).toHaveLength(1);
    expect(threads.started).toBe(1);
  });

  test('closing tells whoever runs', async () => {
    const threads = wild();
    const good = await neighbour(threads);
    const failed = failureOf(good.result);
    await threads[Symbol.asyncDispose]();
    expect((await failed).code).toBe('cancelled');
  });
});
