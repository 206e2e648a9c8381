import { expect, test } from 'vitest';
import { SharedThreads, type SharedThreadsOptions } from './shared-threads.ts';
import { siblingModule } from './sibling-module.ts';

const module = siblingModule(import.meta.url, '../testdata/shared-thread');

function shared(options: Partial<SharedThreadsOptions> = {}) {
  return new SharedThreads<string, string>({
    ...{ module, name: 'shared', threads: 1, heldMs: 60_000, whenHeld: 'end' },
    ...options,
  });
}

function open(threads: SharedThreads<string, string>, options?: { readonly alone?: boolean }) {
  const lane = threads.open(options);
  const heard: string[] = [];
  let wake: (() => void) | undefined;
  lane.onMessage((message) => {
    heard.push(message);
    wake?.();
  });
  const ask = async (message: string): Promise<string> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    lane.post(message);
    await promise;
    return heard.at(-1)!;
  };
  return { lane, heard, ask };
}

test('many lanes share a thread, and each hears its own', async () => {
  await using threads = shared();
  const lanes = Array.from({ length: 20 }, () => open(threads));
  const answers = await Promise.all(lanes.map(({ ask }, at) => ask(`lane ${at}`)));
  expect(answers.map((answer) => answer.replace(/ \d+$/, ''))).toEqual(lanes.map((_, at) => `lane ${at}`));
  expect(new Set(answers.map((answer) => answer.split(' ').at(-1))).size).toBe(1);
  lanes[3]!.lane.post('end');
  expect(await lanes[3]!.lane.ended).toEqual({ kind: 'done' });
  expect(await lanes[4]!.ask('still')).toMatch(/^still/);
  expect(threads.started).toBe(1);
});

test('a second thread is started for those who come later, and there it stays', async () => {
  await using threads = shared({ threads: 2 });
  const first = open(threads);
  const where = await first.ask('a');
  const second = open(threads);
  // It does not wait for the one that is being started.
  expect(await second.ask('a')).toBe(where);
  await expect
    .poll(async () => {
      const { lane, ask } = open(threads);
      using _closed = lane;
      return await ask('a');
    })
    .not.toBe(where);
  for (let round = 0; round < 30; round++) await open(threads).ask('a');
  expect(threads.started).toBe(2);
});

test.each(['fail', 'throw'])('what one lane throws (%s) ends that lane', async (how) => {
  await using threads = shared();
  const [bad, good] = [open(threads), open(threads)];
  bad.lane.post(how);
  expect(await bad.lane.ended).toMatchObject({ kind: 'failed', error: { message: `asked to ${how}` } });
  expect(await good.ask('x')).toMatch(/^x/);
});

test('a closed lane is heard no more', async () => {
  await using threads = shared();
  const [closed, good] = [open(threads), open(threads)];
  await closed.ask('x');
  closed.lane[Symbol.dispose]();
  expect(await closed.lane.ended).toEqual({ kind: 'done' });
  await good.ask('x');
  expect(closed.heard).toHaveLength(1);
});

test('a thread that ends loses all its lanes, says which was at work, and is replaced', async () => {
  await using threads = shared();
  const [good, bad] = [open(threads), open(threads)];
  await good.ask('x');
  bad.lane.post('exit');
  expect(await bad.lane.ended).toMatchObject({ kind: 'lost', suspect: true, error: { reason: 'SYS_THREAD_ENDED' } });
  expect(await good.lane.ended).toMatchObject({ kind: 'lost', suspect: false, error: { reason: 'SYS_THREAD_ENDED' } });
  expect(await open(threads).ask('x')).toMatch(/^x/);
  expect(threads.started).toBe(2);
});

test('one that is held up is ended for all, or left to the lane that holds it', async () => {
  await using ending = shared({ heldMs: 200 });
  const [neighbour, spinning] = [open(ending), open(ending)];
  await neighbour.ask('x');
  spinning.lane.post('spin');
  expect(await neighbour.lane.ended).toMatchObject({ kind: 'lost', error: { reason: 'SYS_THREAD_HELD' } });
  expect(await spinning.lane.ended).toMatchObject({ kind: 'lost', suspect: true });

  await using leaving = shared({ heldMs: 200, whenHeld: 'leave' });
  const [other, holder] = [open(leaving), open(leaving)];
  await other.ask('x');
  holder.lane.post('spin');
  expect(await other.lane.ended).toMatchObject({ kind: 'lost', suspect: false, error: { reason: 'SYS_THREAD_HELD' } });
  expect(await open(leaving).ask('x')).toMatch(/^x/);
  expect(await Promise.race([holder.lane.ended, 'still there'])).toBe('still there');
});

test('a lane may have a thread for itself, which ends with it', async () => {
  await using threads = shared();
  const common = open(threads);
  const alone = open(threads, { alone: true });
  expect(await alone.ask('x')).not.toBe(await common.ask('x'));
  alone.lane.post('exit');
  expect(await alone.lane.ended).toMatchObject({ kind: 'lost', suspect: true });
  expect(await common.ask('x')).toMatch(/^x/);
});

test('closing loses all lanes', async () => {
  const threads = shared();
  const { lane, ask } = open(threads);
  await ask('x');
  await threads[Symbol.asyncDispose]();
  expect(await lane.ended).toMatchObject({ kind: 'lost', error: { code: 'cancelled' } });
});
