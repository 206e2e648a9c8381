import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newId } from '../base/index.ts';
import { startGuardian } from './guardian.ts';
import {
  bind,
  getXattr,
  lifeCgroup,
  lockFile,
  lstat,
  markEnvironment,
  mknod,
  mountAll,
  mountsBelow,
  openRoot,
  readXattrs,
  setXattr,
  spawnProcess,
  sweep,
  unmount,
  unmountBelow,
} from './index.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-sys-'));
});
afterEach(() => {
  unmountBelow(directory);
  rmSync(directory, { recursive: true, force: true });
});

function make(...names: string[]): string[] {
  return names.map((name) => {
    const path = join(directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  });
}

describe('mounts', () => {
  test('an overlay shows both layers, and its end leaves none', () => {
    const [lower, upper, work, merged] = make('lower', 'upper', 'work', 'merged with space') as [
      string,
      string,
      string,
      string,
    ];
    writeFileSync(join(lower, 'a'), 'lower');
    {
      using _mounted = mountAll(
        [
          {
            type: 'overlay',
            source: 'overlay',
            options: [`lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`],
          },
        ],
        merged,
      );
      expect(mountsBelow(directory).map(({ target, type }) => [target, type])).toEqual([[merged, 'overlay']]);
      rmSync(join(merged, 'a'));
      expect(lstat(join(upper, 'a'))).toMatchObject({ type: 'char', rdevMajor: 0, rdevMinor: 0 });
    }
    expect(mountsBelow(directory)).toEqual([]);
  });

  test.each([120, 300])('an overlay of %i layers, more than a page of options names', (count) => {
    const layers = make(...Array.from({ length: count }, (_, at) => `layers/a-rather-long-directory-name/${at}/fs`));
    for (const [at, layer] of layers.entries()) writeFileSync(join(layer, `f${at}`), String(at));
    const [upper, work, merged] = make('upper', 'work', 'merged') as [string, string, string];
    using _mounted = mountAll(
      [
        {
          type: 'overlay',
          source: 'overlay',
          options: [`lowerdir=${layers.join(':')}`, `upperdir=${upper}`, `workdir=${work}`],
        },
      ],
      merged,
    );
    expect(readdirSync(merged)).toHaveLength(count);
    writeFileSync(join(merged, 'new'), '');
    expect(existsSync(join(upper, 'new'))).toBe(true);
  });

  test('a read-only bind refuses writes, its source does not', () => {
    const [source, target] = make('source', 'target') as [string, string];
    bind(source, target, { readonly: true });
    expect(() => writeFileSync(join(target, 'x'), '')).toThrow(/EROFS/);
    writeFileSync(join(source, 'x'), '');
    unmount(target);
    unmount(target);
    expect(existsSync(join(target, 'x'))).toBe(false);
  });

  test('a failing second mount undoes the first', () => {
    const [target] = make('target') as [string];
    expect(() =>
      mountAll(
        [
          { type: 'tmpfs', source: 'tmpfs', options: ['size=1m', 'nosuid'] },
          { type: 'bind', source: '/no/such', options: ['rbind'] },
        ],
        target,
      ),
    ).toThrow(/ENOENT/);
    expect(mountsBelow(directory)).toEqual([]);
  });

  test('a busy mount is detached', () => {
    const [target] = make('target') as [string];
    const mounted = mountAll([{ type: 'tmpfs', source: 'tmpfs', options: [] }], target);
    using _inside = openRoot(target);
    mounted[Symbol.dispose]();
    expect(mountsBelow(directory)).toEqual([]);
  });
});

test('extended attributes hold any bytes, on symlinks too', () => {
  const [path] = make('dir') as [string];
  const value = Buffer.from([0, 1, 255, 0]);
  setXattr(path, 'trusted.test', value);
  setXattr(path, 'user.empty', Buffer.alloc(0));
  expect(readXattrs(path)).toEqual(
    new Map([
      ['trusted.test', value],
      ['user.empty', Buffer.alloc(0)],
    ]),
  );
  symlinkSync('dir', join(directory, 'link'));
  setXattr(join(directory, 'link'), 'trusted.link', Buffer.from('l'));
  // By the directory as by paths, also of the link itself.
  {
    using dir = openRoot(directory).openDir('/');
    expect(dir.readXattrs('link')).toEqual(readXattrs(join(directory, 'link')));
    expect(dir.readXattrs('link').get('trusted.link')?.toString()).toBe('l');
    expect(() => dir.listXattrs('nobody')).toThrow('ENOENT');
  }
  expect(getXattr(path, 'trusted.link')).toBeUndefined();
  expect(getXattr(join(directory, 'link'), 'trusted.link')?.toString()).toBe('l');
});

test('device nodes keep large numbers', () => {
  mknod(join(directory, 'node'), 0o020600, 300, 70_000);
  expect(lstat(join(directory, 'node'))).toMatchObject({ type: 'char', rdevMajor: 300, rdevMinor: 70_000 });
});

test('a lock has one holder and ends with its process', async () => {
  const file = join(directory, 'lock');
  {
    using _lock = lockFile(file);
    expect(() => lockFile(file)).toThrow(new RegExp(`in use by process ${process.pid}`));
  }
  using _again = lockFile(file);
});

describe('what a killed daemon leaves', () => {
  const stateId = `test-${newId()}`;

  test('is swept: marked processes, steps, mounts, cgroups; others stay', async () => {
    const cgroup = lifeCgroup(stateId);
    const step = lifeCgroup(stateId).name;
    cgroup.create();
    const inCgroup = spawnProcess({ path: '/bin/sleep', args: ['1000'] });
    cgroup.add(inCgroup.pid);
    expect(cgroup.pids()).toEqual([inCgroup.pid]);
    const marked = spawnProcess({ path: '/bin/sleep', args: ['1000'], env: markEnvironment(stateId) });
    await using other = spawnProcess({ path: '/bin/sleep', args: ['1000'], env: markEnvironment(`${stateId}x`) });
    const [mounted] = make('a/b') as [string];
    mountAll([{ type: 'tmpfs', source: 'tmpfs', options: [] }], mounted);
    expect(await sweep({ stateId, directory })).toEqual({ processes: 2, mounts: 1 });
    expect(await inCgroup.exited).toMatchObject({ signal: 9 });
    expect(await marked.exited).toMatchObject({ signal: 9 });
    expect(process.kill(other.pid, 0)).toBe(true);
    expect(mountsBelow(directory)).toEqual([]);
    for (const path of cgroup.directories) expect(existsSync(path), `${path} of ${step}`).toBe(false);
    expect(await sweep({ stateId, directory })).toEqual({ processes: 0, mounts: 0 });
  });

  test('the guardian kills steps once the daemon is gone, in whatever way', async () => {
    const cgroup = lifeCgroup(stateId);
    cgroup.create();
    try {
      await using step = spawnProcess({ path: '/bin/sleep', args: ['1000'] });
      cgroup.add(step.pid);
      await using guardian = startGuardian(cgroup, stateId);
      await delay(100);
      expect(process.kill(step.pid, 0)).toBe(true);
      guardian.stdin?.destroy();
      expect(await step.exited).toMatchObject({ signal: 9 });
      await guardian.exited;
    } finally {
      await cgroup.killAll();
      await cgroup.remove();
    }
  });
});

test('a sweep ends the guardian of the life before, lest it kills the steps of the next', async () => {
  // Often, since a process shows its mark only a moment after it has begun.
  for (let life = 0; life < 30; life++) {
    const stateId = `test-${newId()}`;
    const guardian = startGuardian(lifeCgroup(stateId), stateId);
    guardian.stdin?.destroy();
    // With what it may just have started.
    expect((await sweep({ stateId, directory })).processes).toBeGreaterThanOrEqual(1);
    expect(await guardian.exited).toMatchObject({ signal: 9 });
  }
});

test('the launcher gives a mount namespace of its own and stays the same process', async () => {
  const launcher = fileURLToPath(new URL('../../bin/slipway-launch', import.meta.url));
  const [target] = make('target') as [string];
  const child = spawnProcess({
    path: 'sh',
    args: [
      launcher,
      'sh',
      '-c',
      `mount -t tmpfs tmpfs ${target} && touch ${target}/inside && echo $$ > ${directory}/pid; exit 5`,
    ],
  });
  expect(await child.exited).toMatchObject({ code: 5 });
  expect(Number(readFileSync(join(directory, 'pid'), 'utf8'))).toBe(child.pid);
  expect(readdirSync(target)).toEqual([]);
});

test('the launcher says what it lacks when not root', () => {
  const launcher = fileURLToPath(new URL('../../bin/slipway-launch', import.meta.url));
  const copy = join(directory, 'launch');
  writeFileSync(copy, readFileSync(launcher), { mode: 0o755 });
  execFileSync('chmod', ['755', directory]);
  expect(statSync(copy).mode & 0o777).toBe(0o755);
  const denied = () =>
    execFileSync('setpriv', ['--reuid', '65534', '--clear-groups', 'sh', copy, 'true'], { stdio: 'pipe' });
  expect(denied).toThrow(/needs root/);
});
