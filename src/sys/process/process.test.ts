import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { cancelledError, neverAborted } from '../../base/index.ts';
import { run, runOrThrow } from './run.ts';
import { spawnProcess } from './spawn.ts';

const signal = neverAborted;

test('200 processes are all reaped, while node:child_process works beside them', async () => {
  const own = Array.from({ length: 200 }, (_, at) => spawnProcess({ path: '/bin/sh', args: ['-c', `exit ${at % 7}`] }));
  const theirs = Array.from({ length: 20 }, (_, at) => promisify(execFile)('/bin/echo', [String(at)]));
  const ended = await Promise.all(own.map(({ exited }) => exited));
  expect(ended.map(({ code }) => code)).toEqual(own.map((_, at) => at % 7));
  expect((await Promise.all(theirs)).map(({ stdout }) => Number(stdout))).toEqual(theirs.map((_, at) => at));
  const zombies = own.filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(`) Z ${process.pid} `);
    } catch {
      return false;
    }
  });
  expect(zombies).toEqual([]);
});

test('gives arguments, environment, directory and only what was asked', async () => {
  const child = spawnProcess({
    path: 'sh',
    args: ['-c', 'echo "$0 $A $(pwd) [$HOME]"', 'zero'],
    env: { A: 'b', PATH: '/usr/bin:/bin' },
    cwd: '/usr',
    stdout: 'pipe',
  });
  expect(await text(child.stdout!)).toBe('zero b /usr []\n');
  expect(await child.exited).toEqual({ code: 0, signal: undefined });
});

test('a child has default signals and no descriptor beyond the three', async () => {
  const { stdout } = await run('/bin/sh', ['-c', 'ls /proc/self/fd; grep SigIgn /proc/self/status'], { signal });
  // The fourth is the one `ls` itself opens.
  expect(stdout.toString().split(/\s+/).slice(0, 4)).toEqual(['0', '1', '2', '3']);
  const ignored = BigInt(`0x${/SigIgn:\s+(\w+)/.exec(stdout.toString())?.[1]}`);
  // Node ignores SIGPIPE (13); the two signals above 31 are glibc's own.
  expect(ignored & 0x7fffffffn).toBe(0n);
  expect(stdout.toString()).not.toMatch(/^4$/m);
});

test('feeds input and collects both outputs', async () => {
  const result = await run('/bin/sh', ['-c', 'cat; echo err >&2; exit 3'], { signal, input: 'x'.repeat(300_000) });
  expect(result.code).toBe(3);
  expect(result.stdout.length).toBe(300_000);
  expect(result.stderr.toString()).toBe('err\n');
  expect(result.truncated).toBe(false);
});

test('bounds what it keeps, but reads all', async () => {
  const result = await run('/bin/sh', ['-c', 'head -c 3000000 /dev/zero; echo end >&2'], { signal, maxOutput: 1000 });
  expect(result).toMatchObject({ code: 0, truncated: true });
  expect(result.stdout.length).toBe(1000);
});

test('an abort kills the whole group', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-proc-'));
  try {
    const controller = new AbortController();
    const running = run('/bin/sh', ['-c', `sleep 1000 & echo $! > ${directory}/pid; wait`], {
      signal: controller.signal,
    });
    let grandchild = 0;
    while (grandchild === 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      try {
        grandchild = Number(readFileSync(`${directory}/pid`, 'utf8'));
      } catch {
        // Not written yet.
      }
    }
    controller.abort(cancelledError('stop'));
    await expect(running).rejects.toThrow('stop');
    // The pipes are only at their end once every holder has let go of them, so the grandchild is dying too: soon it is gone, or a zombie of init's.
    const state = () => {
      try {
        return readFileSync(`/proc/${grandchild}/stat`, 'utf8').split(') ')[1]?.[0];
      } catch {
        return 'gone';
      }
    };
    await expect.poll(() => ['gone', 'Z', 'X'].includes(state() ?? '')).toBe(true);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('an abort does not wait for one that left the group and holds the pipes', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-proc-'));
  const controller = new AbortController();
  const script = `setsid sh -c 'echo $$ > ${directory}/pid; exec sleep 1000' & sleep 1000`;
  const running = run('/bin/sh', ['-c', script], { signal: controller.signal });
  let left = 0;
  while (left === 0) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    left = existsSync(`${directory}/pid`) ? Number(readFileSync(`${directory}/pid`, 'utf8')) : 0;
  }
  controller.abort(cancelledError('stop'));
  await expect(running).rejects.toThrow('stop');
  process.kill(left, 'SIGKILL');
  rmSync(directory, { recursive: true });
});

test('one that shall die with its parent does', async () => {
  const script = `import { spawnProcess } from ${JSON.stringify(new URL('./spawn.ts', import.meta.url).href)};
    const child = spawnProcess({ path: '/bin/sleep', args: ['1000'], dieWithParent: true });
    process.stdout.write(String(child.pid)); setInterval(() => {}, 1000);`;
  const parent = spawnProcess({ path: process.execPath, args: ['--input-type=module', '-e', script], stdout: 'pipe' });
  const pid = Number(String((await parent.stdout?.[Symbol.asyncIterator]().next())?.value));
  const command = () => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return '';
    }
  };
  while (!command().startsWith('/bin/sleep')) await new Promise((resolve) => setTimeout(resolve, 5));
  process.kill(parent.pid, 'SIGKILL');
  await parent.exited;
  while (command() !== '') await new Promise((resolve) => setTimeout(resolve, 5));
});

test('tells a signal from an exit code', async () => {
  const child = spawnProcess({ path: '/bin/sleep', args: ['1000'] });
  child.kill('SIGTERM');
  expect(await child.exited).toEqual({ code: undefined, signal: 15 });
  child.kill();
});

test('a missing program, a missing directory and a failing command say so', async () => {
  expect(() => spawnProcess({ path: 'no-such-program' })).toThrow(/program not found: no-such-program/);
  expect(() => spawnProcess({ path: '/bin/true', cwd: '/no/such/dir' })).toThrow(/ENOENT.*no\/such\/dir/);
  await expect(runOrThrow('/bin/sh', ['-c', 'echo broken >&2; exit 4'], { signal })).rejects.toThrow(
    /exit code 4: broken/,
  );
  expect(await runOrThrow('/bin/echo', ['fine'], { signal })).toBe('fine\n');
});

test('a closed standard input of the child is no error', async () => {
  const result = await run('/bin/true', [], { signal, input: Buffer.alloc(1 << 20) });
  expect(result.code).toBe(0);
});
