import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cancelledError, HOUSE, neverAborted, newId } from '../../base/index.ts';
import { cgroupLayout, listMounts, unmountBelow } from '../../sys/index.ts';
import { EMPTY_META, type OciExecutor, runStep, type Step } from './index.ts';
import type { StepMount } from './ports.ts';
import { ExecutorWorld } from './testing/executor-world.ts';

const signal = neverAborted;
let world: ExecutorWorld;
let directory: string;
let executor: OciExecutor;
let upper: string;
let rootMounts: Step['root']['mounts'];

beforeAll(async () => {
  world = await ExecutorWorld.start('executor');
  ({ directory, executor } = world);
});
afterAll(() => world?.[Symbol.asyncDispose]());

beforeEach(() => {
  ({ mounts: rootMounts, upper } = world.overlay());
});
afterEach(() => world.expectNothingLeft());

type StepOverrides = Partial<Omit<Step, 'meta'>> & { meta?: Partial<Step['meta']>; signal?: AbortSignal };

async function sh(script: string, overrides: StepOverrides = {}) {
  let stdout = '';
  let stderr = '';
  const { signal: stepSignal = signal, meta, ...rest } = overrides;
  const result = await runStep(
    executor,
    {
      id: newId(),
      root: { mounts: rootMounts, readonly: false },
      mounts: [],
      network: 'unset',
      security: 'sandbox',
      owner: HOUSE,
      stdout: (chunk) => {
        stdout += Buffer.from(chunk).toString();
      },
      stderr: (chunk) => {
        stderr += Buffer.from(chunk).toString();
      },
      ...rest,
      meta: { ...EMPTY_META, args: ['/bin/sh', '-c', script], ...meta },
    },
    { signal: stepSignal },
  ).then(
    ({ exitCode }) => ({ exitCode, error: undefined }),
    (error: Error & { exitCode?: number }) => ({ exitCode: error.exitCode, error }),
  );
  return { ...result, stdout, stderr };
}

test('runs a step, keeps what it wrote and nothing else', async () => {
  const { exitCode, stdout, stderr } = await sh('echo out; echo err >&2; echo data > /file; pwd; hostname; id');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: 'err\n' });
  expect(stdout).toBe('out\n/\nbuildkitsandbox\nuid=0(root) gid=0(root) groups=0(root),10(wheel)\n');
  expect(readdirSync(upper).sort()).toEqual(['etc', 'file']);
  // /etc was copied up for the mount points, and is as it was.
  expect(readdirSync(join(upper, 'etc'))).toEqual([]);
  const times = (path: string) => lstatSync(path, { bigint: true }).mtimeNs;
  expect(times(join(upper, 'etc'))).toBe(times(join(directory, 'base/etc')));
});

test('a step can see that it is sandboxed', async () => {
  const script = `
    grep -E '^(CapEff|CapBnd|CapInh|CapAmb|Seccomp|NoNewPrivs):' /proc/self/status | tr -d '\\t'
    mkdir -p /m; mount -t tmpfs tmpfs /m 2>/dev/null && echo MOUNTED
    unshare -r true 2>/dev/null && echo UNSHARED
    unshare -m true 2>/dev/null && echo UNSHARED-M
    echo x > /proc/sys/kernel/hostname 2>/dev/null && echo PROC-SYS
    echo b > /proc/sysrq-trigger 2>/dev/null && echo SYSRQ
    for d in /sys/fs/cgroup/*/; do mkdir $d/x 2>/dev/null && echo CGROUP; done
    touch /sys/x 2>/dev/null && echo SYS
    cat /proc/kcore 2>/dev/null | head -c 1 | wc -c
    ls /sys/firmware | wc -l
    mknod /dev/sda b 8 0 2>/dev/null && head -c 1 /dev/sda 2>/dev/null && echo DISK
    ls /dev | tr '\\n' ' '
    echo; ls /proc | grep -c '^[0-9]'
    chroot / true && echo chroot-allowed`;
  const { stdout } = await sh(script);
  const lines = stdout.trim().split('\n');
  expect(lines).toEqual([
    'CapInh:0000000000000000',
    'CapEff:00000000a80405fb',
    'CapBnd:00000000a80405fb',
    'CapAmb:0000000000000000',
    'NoNewPrivs:0',
    'Seccomp:2',
    '0',
    '0',
    expect.stringContaining('null'),
    expect.stringMatching(/^[1-9]$/),
    'chroot-allowed',
  ]);
  expect(
    lines[8]
      ?.trim()
      .split(' ')
      .filter((name) => name !== 'core' && name !== 'sda')
      .sort(),
  ).toEqual([
    'fd',
    'full',
    'mqueue',
    'null',
    'ptmx',
    'pts',
    'random',
    'shm',
    'stderr',
    'stdin',
    'stdout',
    'tty',
    'urandom',
    'zero',
  ]);
});

test('network none has loopback, up, and nothing else; host has the machine’s', async () => {
  const none = await sh('ls /sys/class/net; ip -o addr show lo | grep -c 127.0.0.1; ip route', { network: 'none' });
  expect(none.stdout).toBe('lo\n1\n');
  const host = await sh('readlink /proc/self/ns/net', { network: 'host' });
  const { readlinkSync } = await import('node:fs');
  expect(host.stdout.trim()).toBe(readlinkSync('/proc/self/ns/net'));
});

test('hosts, resolv.conf and hostname are generated and are in no layer', async () => {
  const { stdout } = await sh(
    'cat /etc/hosts; hostname; cmp /etc/resolv.conf /etc/hosts >/dev/null || echo differs; echo x >> /etc/hosts || echo ro',
    {
      meta: { hostname: 'mine', extraHosts: [{ host: 'db', ip: '10.0.0.7' }] },
    },
  );
  expect(stdout).toContain('127.0.0.1\tlocalhost mine\n');
  expect(stdout).toContain('10.0.0.7\tdb\n');
  expect(stdout).toMatch(/\nmine\ndiffers\nro\n$/);
  expect(existsSync(join(upper, 'etc/hosts'))).toBe(false);
});

test('user, groups, HOME, directory, environment and limits', async () => {
  const script = 'id; echo $HOME; pwd; echo $A $PATH; ulimit -n; umask; touch /tmp/x 2>/dev/null || echo not-mine';
  const { stdout } = await sh(script, {
    meta: { user: 'builder', cwd: '/work/dir', env: ['A=b'], ulimits: [{ name: 'nofile', soft: 100, hard: 200 }] },
  });
  expect(stdout.split('\n')).toEqual([
    'uid=1000(builder) gid=1001(builder) groups=10(wheel),63(audio),1001(builder)',
    '/home/builder',
    '/work/dir',
    'b /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    '100',
    '0022',
    'not-mine',
    '',
  ]);
  expect(existsSync(join(upper, 'work/dir'))).toBe(true);
});

describe('failures', () => {
  test('an exit code', async () => {
    const { error } = await sh('exit 42');
    expect(error).toMatchObject({
      message: 'process "/bin/sh -c exit 42" did not complete successfully: exit code: 42',
      exitCode: 42,
      fault: 'user',
    });
  });

  test('a valid exit code is none', async () => {
    expect(await sh('exit 42', { meta: { validExitCodes: [42, 43] } })).toMatchObject({
      exitCode: 42,
      error: undefined,
    });
    expect((await sh('exit 0', { meta: { validExitCodes: [42] } })).error).toMatchObject({ exitCode: 0 });
  });

  test('a signal', async () => {
    const { error } = await sh('', {
      meta: { args: ['/bin/sh', '-c', 'sh -c "kill -KILL \\$\\$"; exit $?'] },
    });
    expect(error).toMatchObject({ exitCode: 137, signal: 9, outOfMemory: false });
  });

  test('a program that is not there', async () => {
    const { error, stderr } = await sh('', { meta: { args: ['/no/such/program'] } });
    expect(error?.message).toMatch(
      /^process "\/no\/such\/program" did not complete successfully: exit code: \d+: .*no such file/,
    );
    expect(stderr).toMatch(/no such file/);
  });

  test('an unknown user', async () => {
    const { error } = await sh('true', { meta: { user: 'nobody-here' } });
    expect(error).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('unable to find user nobody-here'),
    });
  });

  test('too little memory is told apart', async () => {
    const resources = {
      memory: 20 << 20,
      memorySwap: 20 << 20,
      cpuShares: 0,
      cpuPeriod: 0,
      cpuQuota: 0,
      cpusetCpus: '',
      cpusetMems: '',
    };
    const fill = 'dd if=/dev/zero of=/dev/null bs=100M count=1';
    const { error } = await sh(`exec ${fill}`, { resources });
    expect(error).toMatchObject({ exitCode: 137, outOfMemory: true, reason: 'EXEC_OUT_OF_MEMORY' });
    expect((await sh('true', { resources })).exitCode).toBe(0);
  });
});

test('a step has the cores that its build gives it, and no more', async () => {
  const { hierarchies } = cgroupLayout();
  const tree = hierarchies.find(({ controllers, version }) => version === 2 || controllers.includes('cpu'));
  const controller = new AbortController();
  const started = Promise.withResolvers<void>();
  const limits = { stepCpuMillis: { most: 137, name: 'resources.limits.cpu' } };
  const running = sh('echo go; sleep 1000', {
    limits,
    signal: controller.signal,
    stdout: () => started.resolve(),
  });
  await started.promise;
  // Groups of others come and go meanwhile.
  const find = `grep -rsh '^13700' --include=cpu.cfs_quota_us --include=cpu.max ${tree!.path} || true`;
  const quotas = execFileSync('/bin/sh', ['-c', find], { encoding: 'utf8' });
  controller.abort();
  await running;
  expect(quotas).toMatch(/^13700/);
});

describe('ending early', () => {
  test('an abort kills the step and all it started', async () => {
    const controller = new AbortController();
    const started = Promise.withResolvers<void>();
    const running = sh('sleep 1000 & setsid sleep 1000 & echo go; sleep 1000', {
      signal: controller.signal,
      stdout: () => started.resolve(),
    });
    await started.promise;
    controller.abort(cancelledError('no longer wanted'));
    expect((await running).error).toMatchObject({ code: 'cancelled', message: 'no longer wanted' });
  });

  test.each([0, 5, 15, 25, 40, 60])('an abort after %i ms, while the step is being started', async (ms) => {
    const controller = new AbortController();
    const running = sh('sleep 1000', { signal: controller.signal });
    await delay(ms);
    controller.abort(cancelledError());
    expect((await running).error).toMatchObject({ code: 'cancelled' });
  });

  test('a signal that fired before starts nothing', async () => {
    const { error } = await sh('touch /x', { signal: AbortSignal.abort(cancelledError('before')) });
    expect(error?.message).toBe('before');
    expect(readdirSync(upper)).toEqual([]);
  });

  test('a failing log sink ends the step', async () => {
    const { error } = await sh('while true; do echo x; done', {
      stdout: () => {
        throw new Error('sink broke');
      },
    });
    expect(error?.message).toBe('sink broke');
  });

  test('background processes end with the step', async () => {
    expect((await sh('sleep 1000 & exit 0')).exitCode).toBe(0);
  });
});

test('a slow reader holds the step back', async () => {
  let seen = 0;
  const { exitCode } = await sh('head -c 3000000 /dev/zero', {
    stdout: async (chunk) => {
      seen += chunk.length;
      await delay(1);
    },
  });
  expect({ exitCode, seen }).toEqual({ exitCode: 0, seen: 3_000_000 });
});

describe('mounts', () => {
  let data: string;
  beforeEach(() => {
    data = mkdtempSync(join(directory, 'data-'));
    mkdirSync(join(data, 'sub'));
    writeFileSync(join(data, 'sub/file'), 'selected');
    writeFileSync(join(data, 'top'), 'top');
  });
  const bindOf = (source: string) => [{ type: 'bind', source, options: ['rbind', 'rw'] }];

  test('whole, read-only, by selector, and nested', async () => {
    const { stdout, exitCode } = await sh(
      'cat /whole/top /dir/file /one; echo x > /whole/new; echo y > /dir/new || echo ro; ls /outer/in',
      {
        mounts: [
          { kind: 'mounts', dest: '/whole', mounts: bindOf(data), readonly: false, selector: '' },
          { kind: 'mounts', dest: '/dir', mounts: bindOf(data), readonly: true, selector: '/sub' },
          { kind: 'mounts', dest: '/one', mounts: bindOf(data), readonly: true, selector: 'sub/file' },
          {
            kind: 'mounts',
            dest: '/outer',
            mounts: [{ type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'size=1m'] }],
            readonly: false,
            selector: '',
          },
          { kind: 'mounts', dest: 'outer/in', mounts: bindOf(data), readonly: false, selector: '/sub' },
        ],
      },
    );
    expect(stdout).toBe('topselectedselectedro\nfile\n');
    expect(exitCode).toBe(0);
    expect(readFileSync(join(data, 'new'), 'utf8')).toBe('x\n');
    expect(existsSync(join(data, 'sub/new'))).toBe(false);
    expect(readdirSync(upper)).toEqual(['etc']);
  });

  test('a hostile selector stays inside; a missing one is named', async () => {
    const { symlinkSync } = await import('node:fs');
    symlinkSync('/../../../../../../etc', join(data, 'evil'));
    const evil = await sh('cat /m/shadow', {
      mounts: [{ kind: 'mounts', dest: '/m', mounts: bindOf(data), readonly: true, selector: '/evil' }],
    });
    expect(evil.error).toMatchObject({
      code: 'not_found',
      message: /did not complete successfully: open \/evil: no such/,
    });
    const up = await sh('ls /m', {
      mounts: [{ kind: 'mounts', dest: '/m', mounts: bindOf(data), readonly: true, selector: '../../../etc' }],
    });
    expect(up.error).toMatchObject({ code: 'not_found' });
  });

  test('a file in memory has its owner and mode and is nowhere afterwards', async () => {
    const { stdout } = await sh(
      'cat /run/secrets/s; stat -c "%u %g %a" /run/secrets/s; echo x > /run/secrets/s || echo ro',
      {
        mounts: [{ kind: 'file', dest: '/run/secrets/s', data: Buffer.from('hush'), uid: 5, gid: 6, mode: 0o440 }],
        meta: { removeMountStubsRecursive: true },
      },
    );
    expect(stdout).toBe('hush5 6 440\nro\n');
    expect(existsSync(join(upper, 'run'))).toBe(false);
  });

  test('a secret that may be executed can be', async () => {
    const file = (dest: string, mode: number): StepMount => ({
      ...{ kind: 'file', dest, data: Buffer.from('#!/bin/sh\necho told\n'), uid: 0, gid: 0, mode },
    });
    const { stdout } = await sh('/s; /t 2>/dev/null || echo no; grep -c " /t .*noexec" /proc/self/mounts', {
      mounts: [file('/s', 0o700), file('/t', 0o600)],
    });
    expect(stdout).toBe('told\nno\n1\n');
  });

  test('a tmpfs is everybody’s where it makes its own place, and as what it covers elsewhere', async () => {
    const tmpfs = (dest: string): StepMount => ({
      ...{ kind: 'mounts', dest, mounts: [{ type: 'tmpfs', source: 'tmpfs', options: ['nosuid'] }] },
      ...{ readonly: false, selector: '' },
    });
    const { stdout } = await sh('stat -c "%a %n" /scratch /root /deep/er; touch /scratch/x && echo mine', {
      meta: { user: '77' },
      mounts: [tmpfs('/deep/er'), tmpfs('/root'), tmpfs('/scratch')],
    });
    expect(stdout).toBe('1777 /scratch\n755 /root\n1777 /deep/er\nmine\n');
  });

  test('what the runtime says names paths of the step, none of the builder', async () => {
    const refused = await sh('true', {
      mounts: [
        {
          ...{ kind: 'mounts', dest: '/sys/x', mounts: [{ type: 'tmpfs', source: 'tmpfs', options: ['nosuid'] }] },
          ...{ readonly: false, selector: '' },
        },
      ],
    });
    const message = 'error mounting "tmpfs" to rootfs at "/sys/x": mkdir /sys/x: read-only file system';
    expect(refused.stderr).toContain(message);
    expect(refused.error).toMatchObject({ fault: 'user', message: expect.stringContaining(message) });
    expect(`${refused.stderr}${(refused.error as Error).message}`).not.toContain(directory);
    const file = await sh('true', {
      mounts: [{ kind: 'mounts', dest: '/bin/sh/x', mounts: bindOf(directory), readonly: true, selector: '' }],
    });
    expect(file.error).toMatchObject({ fault: 'user', message: /: mount at \/bin\/sh\/x: not a directory$/ });
  });

  /** A root without the mount points that every step has. */
  function bareMounts() {
    const bare = join(upper, '../bare');
    for (const name of ['bin', 'etc'])
      cpSync(join(directory, 'base', name), join(bare, name), { recursive: true, verbatimSymlinks: true });
    return rootMounts.map((spec) => ({
      ...spec,
      options: spec.options.map((option) => (option.startsWith('lowerdir=') ? `lowerdir=${bare}` : option)),
    }));
  }

  test('a mount below /dev takes the mount point of /dev along when it goes', async () => {
    const shm: StepMount = {
      ...{ kind: 'mounts', dest: '/dev/shm', mounts: [{ type: 'tmpfs', source: 'tmpfs', options: ['nosuid'] }] },
      ...{ readonly: false, selector: '' },
    };
    const { stdout } = await sh('grep -c " /dev/shm tmpfs" /proc/self/mounts', {
      root: { mounts: bareMounts(), readonly: false },
      mounts: [shm],
      meta: { removeMountStubsRecursive: true },
    });
    expect(stdout).toBe('1\n');
    expect(readdirSync(upper).sort()).toEqual(['etc', 'proc', 'sys']);
  });

  test('a read-only root', async () => {
    const mounts = bareMounts();
    const { error, stdout } = await sh('touch /x 2>&1; echo x > /dev/shm/x; cat /m; ls -d /proc/self /dev/null /sys', {
      root: { mounts, readonly: true },
      mounts: [{ kind: 'file', dest: '/m', data: Buffer.from('mounted\n'), uid: 0, gid: 0, mode: 0o444 }],
    });
    expect(error).toBeUndefined();
    expect(stdout).toBe('touch: /x: Read-only file system\nmounted\n/dev/null\n/proc/self\n/sys\n');
    expect(existsSync(join(upper, 'm'))).toBe(false);
  });

  test('a default mount can be replaced', async () => {
    const { stdout } = await sh('df -m /dev/shm | tail -1 | tr -s " " | cut -d" " -f2', {
      mounts: [
        {
          kind: 'mounts',
          dest: '/dev/shm',
          mounts: [{ type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'size=3m'] }],
          readonly: false,
          selector: '',
        },
      ],
    });
    expect(stdout).toBe('3\n');
  });

  test('a root of 150 layers', async () => {
    const layers = Array.from({ length: 150 }, (_, at) => join(directory, 'many-layers-of-a-long-name', String(at)));
    for (const [at, layer] of layers.entries()) {
      mkdirSync(layer, { recursive: true });
      writeFileSync(join(layer, `l${at}`), '');
    }
    const work = join(upper, '../work');
    const lowers = [...layers, join(directory, 'base')].join(':');
    const { stdout } = await sh('ls / | grep -c "^l[0-9]"', {
      root: {
        mounts: [
          {
            type: 'overlay',
            source: 'overlay',
            options: [`lowerdir=${lowers}`, `upperdir=${upper}`, `workdir=${work}`],
          },
        ],
        readonly: false,
      },
    });
    expect(stdout).toBe('150\n');
  });
});

test('an insecure step may mount', async () => {
  const { stdout } = await sh(
    'mkdir -p /m && mount -t tmpfs tmpfs /m && echo mounted; grep Seccomp: /proc/self/status | tr -d "\\t"',
    {
      security: 'insecure',
    },
  );
  expect(stdout).toBe('mounted\nSeccomp:0\n');
});

test('many at once', async () => {
  const base = join(directory, 'base');
  const all = await Promise.all(
    Array.from({ length: 12 }, async (_, at) => {
      const snapshot = mkdtempSync(join(directory, 'snapshot-'));
      for (const name of ['u', 'w']) mkdirSync(join(snapshot, name));
      const options = [`lowerdir=${base}`, `upperdir=${snapshot}/u`, `workdir=${snapshot}/w`];
      return sh(`echo ${at}`, { root: { mounts: [{ type: 'overlay', source: 'overlay', options }], readonly: false } });
    }),
  );
  expect(all.map(({ stdout }) => stdout)).toEqual(all.map((_, at) => `${at}\n`));
  expect(listMounts().filter(({ target }) => target.startsWith(directory))).toEqual([]);
  unmountBelow(directory);
});
