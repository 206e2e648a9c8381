import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OURS, TestDaemon } from './testing/test-daemon.ts';

/** What starts on a build's path, told by the daemon's own threads. */
const folder = mkdtempSync(join(tmpdir(), 'slipway-starts-'));
const context = join(folder, 'context');
const file = join(folder, 'starts');
let daemon: TestDaemon;

beforeAll(async () => {
  mkdirSync(join(context, 'bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(context, 'bin/sh'));
  writeFileSync(join(context, 'text'), 'text');
  writeFileSync(
    join(context, 'Dockerfile'),
    'FROM scratch\nCOPY bin /bin\nARG N\nCOPY text /\nRUN echo $N > /made\nRUN echo $N > /more\n',
  );
  writeFileSync(file, '');
  const env = {
    NODE_OPTIONS: `--import=${join(import.meta.dirname, 'testing/log-starts.ts')}`,
    SLIPWAY_TEST_STARTS: file,
  };
  const args = ['--embedded-registry', '127.0.0.1:0'];
  daemon = await new TestDaemon(folder, 'daemon', { ...OURS, args, env }).ready();
});
afterAll(async () => {
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function build(value: string, ...more: readonly string[]): Promise<string> {
  const { code, text } = await daemon.run([
    ...['build', '--progress=plain', '--frontend=dockerfile.v0', '--opt', `build-arg:N=${value}`],
    ...['--local', `context=${context}`, '--local', `dockerfile=${context}`, ...more],
  ]);
  if (code !== 0) throw new Error(text);
  return text;
}

const starts = () => readFileSync(file, 'utf8').split('\n').filter(Boolean);
/** Of bounded pools, whose threads start with the first work that has none free, and stay; so does the one that writes blobs. */
const isOfPool = (line: string) => /^thread (short|bulk|streams|background|blob-writer)$/.test(line);
const processesOf = (started: readonly string[]) =>
  started.filter((line) => line.startsWith('process')).map((line) => basename(line.split(' ')[1]!));

/** What builds leave to be done is done. */
async function quiet(): Promise<void> {
  for (let seen = -1; seen < starts().length; await delay(500)) seen = starts().length;
}

async function toldOf(work: () => Promise<unknown>): Promise<readonly string[]> {
  const before = starts().length;
  await work();
  await quiet();
  return starts().slice(before);
}

async function startedBy(work: () => Promise<unknown>): Promise<readonly string[]> {
  return (await toldOf(work)).filter((line) => !isOfPool(line) && !/^(task|sync) /.test(line));
}

test('builds start no thread, and no process but the runtime; those that are cached mount nothing', async () => {
  await Promise.all(['a', 'b', 'c'].map((value) => build(value)));
  await quiet();
  const cached = await startedBy(async () => {
    for (let n = 0; n < 3; n++) await build('a');
  });
  expect(cached).toEqual([]);

  const uncached = await startedBy(async () => {
    for (const value of ['d', 'e', 'f']) await build(value);
  });
  expect(uncached.filter((line) => line.startsWith('thread'))).toEqual([]);
  expect(processesOf(uncached)).toEqual(Array.from({ length: 6 }, () => 'runc'));

  // And the threads that were there before are the few that there are to be.
  const threads = starts().filter((line) => line.startsWith('thread'));
  expect(threads).toContain('thread session');
  expect(threads.filter(isOfPool).length).toBeLessThanOrEqual(2 * Math.max(2, availableParallelism()) + 3);
});

/** What is done from time to time for all: logs of the history, the database, syncs of snapshots and blobs. */
const isUpkeep = (line: string) => /^(task (append|seal|settleOnDisk|syncBlobs|checkpoint)|sync) /.test(`${line} `);

test('a step starts one process, mounts its root and calls three threads, and has nothing synced for itself; one that is cached does none of it', async () => {
  const [few, many] = [2, 7];
  for (const steps of [few, many])
    writeFileSync(
      join(context, `Steps${steps}`),
      `FROM scratch\nCOPY bin /bin\nARG N\n${'RUN echo $N >> /made\n'.repeat(steps)}`,
    );
  const costs = async (steps: number, value: string) => {
    const told = await toldOf(() => build(value, '--opt', `filename=Steps${steps}`));
    const count = (kind: string) => told.filter((line) => line.startsWith(kind) && !isUpkeep(line)).length;
    const syncs = told.filter((line) => line.startsWith('sync ')).length;
    return { processes: count('process'), mounts: count('mount'), tasks: count('task'), syncs };
  };
  await costs(few, 'warm');
  const cached = await costs(few, 'warm');
  expect(cached).toMatchObject({ processes: 0, mounts: 0 });
  // To read the Dockerfile and what it may ignore, from a view that may be closed meanwhile.
  expect(cached.tasks).toBeLessThanOrEqual(12);
  const [before, after] = [await costs(few, 'more'), await costs(many, 'many')];
  const more = (what: 'processes' | 'mounts' | 'tasks') => (after[what] - before[what]) / (many - few);
  expect([more('processes'), more('mounts')]).toEqual([1, 3]);
  // Whether a view is kept until the next read of the Dockerfile is one call or two in all.
  expect(more('tasks')).toBeLessThan(4);
  expect(after.syncs).toBeLessThan(many - few);
});

test('a context that changes is mounted where it is written, and nowhere once it is the same again', async () => {
  writeFileSync(join(context, 'text'), 'another');
  expect(await startedBy(() => build('a'))).toContainEqual(expect.stringMatching(/^mount /));
  // Also on a state of two layers.
  expect(await startedBy(() => build('a'))).toEqual([]);
});

test('nor do builds that push, and stand on an image that is pulled', async () => {
  const registry = readFileSync(join(daemon.root, 'registry-address'), 'utf8').trim();
  const pushed = (name: string) => ['--output', `type=image,name=${registry}/${name},push=true`];
  const started = await startedBy(async () => {
    await build('pushed', ...pushed('base'));
    // Of what was pushed nothing is left here.
    expect(await daemon.run(['prune', '--all'])).toMatchObject({ code: 0 });
    writeFileSync(join(context, 'Dockerfile'), `FROM ${registry}/base\nARG N\nRUN echo $N > /pulled\n`);
    expect(await build('first', ...pushed('first'))).toContain('extracting sha256:');
    await build('second', ...pushed('second'));
  });
  expect(started.filter((line) => line.startsWith('thread'))).toEqual([]);
  expect(processesOf(started)).toEqual(['runc', 'runc', 'runc', 'runc']);
  expect(starts().filter((line) => line === 'thread blob-writer')).toHaveLength(1);
});
