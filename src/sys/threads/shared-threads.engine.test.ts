import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Block } from '../testdata/shared-thread.ts';
import { type LaneOptions, SharedThreads, type SharedThreadsOptions } from './shared-threads.ts';
import { siblingModule } from './sibling-module.ts';

const module = siblingModule(import.meta.url, '../testdata/shared-thread');

function shared(options: Partial<SharedThreadsOptions> = {}) {
  return new SharedThreads<string | Block, string>({
    ...{ module, name: 'shared', threads: 1, heldMs: 60_000, whenHeld: 'end' },
    ...options,
  });
}

/** Keeps a thread from computing until `release`, after it has computed for some time. */
function blockFor(milliseconds: number) {
  const until: Block = new Int32Array(new SharedArrayBuffer(8));
  until[1] = milliseconds;
  const release = () => {
    Atomics.store(until, 0, 1);
    Atomics.notify(until, 0);
  };
  return { until, release };
}

function open(threads: SharedThreads<string | Block, string>, options?: LaneOptions) {
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

test('one that has no CPU to compute with is not taken for one that computes', async () => {
  await using threads = shared({ heldMs: 100 });
  const [neighbour, blocked] = [open(threads), open(threads)];
  await neighbour.ask('x');
  const { until, release } = blockFor(10);
  blocked.lane.post(until);
  await delay(1000);
  release();
  expect(await neighbour.ask('still')).toMatch(/^still/);
  expect(await blocked.ask('still')).toMatch(/^still/);
  expect(threads.started).toBe(1);
});

test('one that has computed for long gets nobody else, and another thread is made ready meanwhile', async () => {
  await using threads = shared({ heldMs: 400 });
  const [neighbour, computing] = [open(threads), open(threads)];
  await neighbour.ask('x');
  const { until, release } = blockFor(300);
  computing.lane.post(until);
  const answer = neighbour.ask('at last');
  await expect.poll(() => threads.started).toBe(2);
  expect(await open(threads).ask('x')).toMatch(/^x/);
  expect(await open(threads).ask('y')).toMatch(/^y/);
  expect(neighbour.heard).toHaveLength(1);
  release();
  expect(await answer).toMatch(/^at last/);
  expect(threads.started).toBe(2);
});

test('tenants take turns, however much one of them wants', async () => {
  await using threads = shared();
  const order: string[] = [];
  const lanes = ['a', 'a', 'a', 'b'].map((tenant) => {
    const { lane } = open(threads, { owner: { tenant, build: '' } });
    lane.onMessage(() => order.push(tenant));
    return lane;
  });
  const blocked = open(threads);
  await blocked.ask('x');
  const { until, release } = blockFor(0);
  blocked.lane.post(until);
  for (const lane of lanes) for (let n = 0; n < 10; n++) lane.post('work');
  release();
  await expect.poll(() => order.length).toBe(40);
  // Ten of its own, and one of the other's after each.
  expect(order.slice(0, 21).filter((tenant) => tenant === 'b')).toHaveLength(10);
});

test('a lane has so much CPU time, in one turn or in many', async () => {
  await using threads = shared({ heldMs: 100, cpuMs: 400, whenHeld: 'leave' });
  const [good, greedy] = [open(threads), open(threads)];
  await good.ask('x');
  let done = 0;
  const over = greedy.lane.ended.then((end) => ({ end }));
  for (let turn = 0; turn < 1000; turn++) {
    const { until, release } = blockFor(20);
    release();
    greedy.lane.post(until);
    const next = await Promise.race([greedy.ask('done'), over]);
    if (typeof next !== 'string') break;
    done++;
  }
  expect((await over).end).toMatchObject({ kind: 'failed', error: { reason: 'SYS_THREAD_SPENT' } });
  expect(done).toBeGreaterThan(5);
  expect(await good.ask('x')).toMatch(/^x/);
  expect(threads.started).toBe(1);

  const spinning = open(threads);
  spinning.lane.post('spin');
  expect(await spinning.lane.ended).toMatchObject({ kind: 'failed', error: { reason: 'SYS_THREAD_SPENT' } });
});

test('one that holds its thread computes after all others, and those that were started meanwhile go', async () => {
  await using threads = shared({ heldMs: 100, whenHeld: 'leave' });
  const [neighbour, holder] = [open(threads), open(threads)];
  await neighbour.ask('x');
  holder.lane.post('spin');
  expect(await neighbour.lane.ended).toMatchObject({ kind: 'lost' });
  const niceness = () =>
    readdirSync('/proc/self/task').map((id) =>
      Number(readFileSync(`/proc/self/task/${id}/stat`, 'utf8').split(') ')[1]!.split(' ')[16]),
    );
  expect(Math.max(...niceness())).toBe(10);
  const again = Array.from({ length: 4 }, () => open(threads, { losses: 2 }));
  const places = await Promise.all(again.map(({ ask }) => ask('x')));
  expect(new Set(places).size).toBe(4);
  for (const { lane } of again) lane[Symbol.dispose]();
  const later = Array.from({ length: 4 }, () => open(threads));
  expect(new Set(await Promise.all(later.map(({ ask }) => ask('x')))).size).toBe(1);
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
