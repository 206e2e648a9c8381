import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cancelledError, HOUSE, neverAborted, newId } from '../../base/index.ts';
import { lifeCgroup } from '../../sys/index.ts';
import { EMPTY_META, type OciExecutor, runStep, type Step } from './index.ts';
import type { StepMount } from './ports.ts';
import { makeBusyboxRoot } from './testing/busybox.ts';
import { ExecutorWorld } from './testing/executor-world.ts';

/** What a hostile step, or a hostile image under it, tries on this machine and on others' steps. */
const signal = neverAborted;
let world: ExecutorWorld;
let directory: string;
let executor: OciExecutor;

beforeAll(async () => {
  world = await ExecutorWorld.start('attacks', { processes: 64, memory: 100 << 20 });
  ({ directory, executor } = world);
});
afterAll(() => world?.[Symbol.asyncDispose]());
afterEach(() => world.expectNothingLeft());

async function run(
  step: Partial<Omit<Step, 'meta'>> & Pick<Step, 'root'> & { readonly meta: Partial<Step['meta']> },
  options = { signal },
) {
  let output = '';
  const print = (chunk: Uint8Array) => {
    output += Buffer.from(chunk).toString();
  };
  const outcome = await runStep(
    executor,
    {
      ...{ id: newId(), mounts: [], network: 'unset', security: 'sandbox', owner: HOUSE },
      ...{ stdout: print, stderr: print },
      ...step,
      meta: { ...EMPTY_META, ...step.meta },
    },
    options,
  ).then(
    () => undefined,
    (error: Error) => error,
  );
  return { output, error: outcome };
}

const busybox = (): Step['root'] => ({
  mounts: [{ type: 'bind', source: join(directory, 'base'), options: ['bind', 'rw'] }],
  readonly: false,
});

/** A perl script on the machine's own files, which are all it needs to make any system call. */
async function perl(script: string, options: Pick<Partial<Step>, 'network' | 'security'> = {}): Promise<string[]> {
  const root = { mounts: [{ type: 'bind', source: '/', options: ['bind', 'ro'] }], readonly: true };
  const { output, error } = await run({ ...options, root, meta: { args: ['/usr/bin/perl', '-e', script] } });
  expect(error, output).toBeUndefined();
  return output.trim().split('\n');
}

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

describe('calls that a step must not make', () => {
  const numbers = process.arch === 'arm64' ? 'arm64' : 'x64';
  const CALLS: Readonly<
    Record<string, { readonly x64: number; readonly arm64: number; readonly args?: readonly (number | string)[] }>
  > = {
    mount: { x64: 165, arm64: 40, args: ['none', '/tmp', 'tmpfs', 0, 0] },
    umount2: { x64: 166, arm64: 39, args: ['/proc', 2] },
    pivot_root: { x64: 155, arm64: 41, args: ['/', '/'] },
    fsopen: { x64: 430, arm64: 430, args: ['tmpfs', 0] },
    open_tree: { x64: 428, arm64: 428, args: [-100, '/', 1] },
    move_mount: { x64: 429, arm64: 429, args: [-100, '/proc', -100, '/tmp', 0] },
    mount_setattr: { x64: 442, arm64: 442, args: [-100, '/', 0, 0, 0] },
    'unshare user': { x64: 272, arm64: 97, args: [0x1000_0000] },
    'unshare mount': { x64: 272, arm64: 97, args: [0x0002_0000] },
    'unshare net': { x64: 272, arm64: 97, args: [0x4000_0000] },
    'clone user': { x64: 56, arm64: 220, args: [0x1000_0011, 0, 0, 0, 0] },
    clone3: { x64: 435, arm64: 435, args: [0, 0] },
    setns: { x64: 308, arm64: 268, args: [0, 0] },
    bpf: { x64: 321, arm64: 280, args: [0, 0, 0] },
    perf_event_open: { x64: 298, arm64: 241, args: [0, 0, -1, -1, 0] },
    keyctl: { x64: 250, arm64: 219, args: [0, -3, 0] },
    add_key: { x64: 248, arm64: 217, args: ['user', 'a', 'b', 1, -3] },
    request_key: { x64: 249, arm64: 218, args: ['user', 'a', 0, -3] },
    io_uring_setup: { x64: 425, arm64: 425, args: [1, 0] },
    init_module: { x64: 175, arm64: 105, args: [0, 0, ''] },
    finit_module: { x64: 313, arm64: 273, args: [0, '', 0] },
    delete_module: { x64: 176, arm64: 106, args: ['none', 0] },
    kexec_load: { x64: 246, arm64: 104, args: [0, 0, 0, 0] },
    open_by_handle_at: { x64: 304, arm64: 265, args: [-1, 0, 0] },
    syslog: { x64: 103, arm64: 116, args: [10, 0, 0] },
    fanotify_init: { x64: 300, arm64: 262, args: [0, 0] },
    quotactl: { x64: 179, arm64: 60, args: [0, '/', 0, 0] },
    userfaultfd: { x64: 323, arm64: 282, args: [0] },
    swapon: { x64: 167, arm64: 224, args: ['/none', 0] },
    acct: { x64: 163, arm64: 89, args: [0] },
    settimeofday: { x64: 164, arm64: 170, args: [0, 0] },
    sethostname: { x64: 170, arm64: 161, args: ['mine', 4] },
  };

  test('each is refused before the kernel looks at it', async () => {
    const calls = Object.entries(CALLS).map(([name, { [numbers]: number, args = [] }]) => {
      const list = [number, ...args.map((arg) => JSON.stringify(arg))];
      // Strings are passed as variables: perl refuses constants where a call might write.
      const variables = list.map((value, at) => `my $v${at} = ${value};`).join(' ');
      return `{ ${variables} my $r = syscall(${list.map((_, at) => `$v${at}`).join(', ')}); print "${name}: ", ($r == -1 ? $! + 0 : "allowed"), "\\n"; }`;
    });
    const lines = await perl(calls.join('\n'));
    const answers = Object.fromEntries(lines.map((line) => line.split(': ') as [string, string]));
    const allowed = Object.entries(answers).filter(([, errno]) => ![EPERM, ENOSYS].includes(Number(errno)));
    expect(allowed).toEqual([]);
    expect(Object.keys(answers).sort()).toEqual(Object.keys(CALLS).sort());
  });
});

test('devices of this machine can be made but not opened', async () => {
  const nodes = {
    ...{ disk: 'b 8 0', partition: 'b 8 1', virtual: 'b 254 0', nvme: 'b 259 0', loop: 'b 7 0', mapper: 'b 253 0' },
    ...{
      mem: 'c 1 1',
      kmem: 'c 1 2',
      port: 'c 1 4',
      kmsg: 'c 1 11',
      kvm: 'c 10 232',
      fuse: 'c 10 229',
      vsock: 'c 10 258',
    },
  };
  const open = Object.entries(nodes).map(
    ([name, node]) =>
      `mknod /dev/${name} ${node} || echo ${name} not made; (: < /dev/${name}) 2>&1; (: > /dev/${name}) 2>&1`,
  );
  const { output } = await run({ root: busybox(), meta: { args: ['/bin/sh', '-c', open.join('\n')] } });
  const lines = output.trim().split('\n');
  expect(lines.filter((line) => !line.endsWith('Operation not permitted'))).toEqual([]);
  expect(lines).toHaveLength(2 * Object.keys(nodes).length);
});

test('files of the kernel are not read, nor written', async () => {
  const paths = [
    ...['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern'],
    ...[
      '/proc/sys/kernel/hostname',
      '/sys/kernel/uevent_helper',
      '/sys/fs/cgroup/pids/cgroup.procs',
      '/sys/power/state',
    ],
  ];
  const write = paths.map((path) => `(echo x > ${path}) 2>/dev/null && echo wrote ${path}`);
  const read = ['/proc/kcore', '/proc/keys', '/proc/timer_list'].map((path) => `head -c 1 ${path} 2>/dev/null`);
  const { output } = await run({
    root: busybox(),
    meta: { args: ['/bin/sh', '-c', [...write, ...read, 'echo end'].join('\n')] },
  });
  // What is masked by a null device takes all and keeps nothing.
  expect(output.replaceAll(/^wrote \/proc\/(kcore|keys|timer_list)\n/gm, '')).toBe('end\n');
});

describe('the network of others', () => {
  // Families and kinds: packets of the machine, raw IP, the hypervisor's, and an ordinary one.
  const script = [
    ...[
      ['packet', 17, 3, 0x0300],
      ['raw', 2, 3, 6],
      ['vsock', 40, 1, 0],
      ['stream', 2, 1, 0],
    ].map(
      ([name, family, type, protocol]) =>
        `print "${name} ", (socket(my $s, ${family}, ${type}, ${protocol}) ? "open" : $! + 0), "\\n";`,
    ),
    'open(my $f, "<", "/proc/self/status"); print grep { /^Cap(Eff|Bnd)/ } <$f>;',
  ].join('\n');
  const withRaw = ['CapEff:\t00000000a80425fb', 'CapBnd:\t00000000a80425fb'];
  const without = withRaw.map((line) => line.replace('25fb', '05fb'));

  test('a step in the builder’s network hears nothing of the steps beside it, and has no way to the hypervisor', async () => {
    expect(await perl(script)).toEqual([
      `packet ${EPERM}`,
      `raw ${EPERM}`,
      `vsock ${EAFNOSUPPORT}`,
      'stream open',
      ...without,
    ]);
  });

  test('one with a network of its own has raw sockets in it', async () => {
    expect(await perl(script, { network: 'none' })).toEqual([
      'packet open',
      'raw open',
      `vsock ${EAFNOSUPPORT}`,
      'stream open',
      ...withRaw,
    ]);
  });

  test('one that the builder’s operator lets into the network has what that gives', async () => {
    const lines = await perl(script, { network: 'host' });
    expect(lines.slice(0, 2)).toEqual(['packet open', 'raw open']);
    expect(lines.slice(4)).toEqual(withRaw);
  });
});

describe('a root, or a mount, that points out of itself', () => {
  let canary: string;
  let root: string;
  let other: string;

  beforeEach(() => {
    const place = mkdtempSync(join(directory, 'case-'));
    canary = join(place, 'canary');
    mkdirSync(join(canary, 'fs/cgroup'), { recursive: true });
    for (const name of ['ptmx', 'null', 'resolv.conf', 'hosts']) writeFileSync(join(canary, name), name);
    root = join(place, 'root');
    makeBusyboxRoot(root);
    other = join(place, 'other');
    mkdirSync(other);
  });

  /** All that there is below a directory, with content. */
  function listing(at: string): string[] {
    return readdirSync(at, { recursive: true })
      .map((name) => {
        const path = join(at, String(name));
        const stat = lstatSync(path);
        return `${name} ${stat.mode.toString(8)} ${stat.mtimeMs} ${stat.isFile() ? readFileSync(path, 'utf8') : ''}`;
      })
      .sort();
  }

  const replace = (path: string) => {
    rmSync(join(root, path), { recursive: true, force: true });
    symlinkSync(canary, join(root, path));
  };
  const tree = (dest: string, source: string): StepMount => ({
    ...{ kind: 'mounts', dest, readonly: false, selector: '' },
    mounts: [{ type: 'bind', source, options: ['rbind', 'rw'] }],
  });
  const tmpfs = (dest: string): StepMount => ({
    ...{ kind: 'mounts', dest, readonly: false, selector: '' },
    mounts: [{ type: 'tmpfs', source: 'tmpfs', options: ['nosuid'] }],
  });
  const hostileDev = () => {
    symlinkSync(canary, join(other, 'dev'));
    symlinkSync(canary, join(other, 'fs'));
  };
  /** And a link to the root, by which it may get there. */
  const hostileMount = (name: string, place: string) => {
    hostileDev();
    symlinkSync('/', join(place, name));
  };

  test.each<[string, () => unknown, () => StepMount[], string]>([
    ['/dev', () => replace('dev'), () => [], 'refused'],
    ['/proc', () => replace('proc'), () => [], 'refused'],
    ['/sys', () => replace('sys'), () => [], 'refused'],
    ['/etc', () => replace('etc'), () => [], 'runs'],
    [
      '/etc/resolv.conf',
      () => symlinkSync(join(canary, 'resolv.conf'), join(root, 'etc/resolv.conf')),
      () => [],
      'runs',
    ],
    ['a missing file in it', () => symlinkSync(join(canary, 'new'), join(root, 'etc/hosts')), () => [], 'runs'],
    ['a mount’s target', () => symlinkSync(canary, join(root, 'm')), () => [tmpfs('/m'), tree('/m/fs', other)], 'runs'],
    ['a target that is the root', () => hostileMount('m', root), () => [tree('/m', other)], 'refused'],
    [
      'a target that is the root, in another mount',
      () => hostileMount('l', other),
      () => [tree('/a', other), tree('/a/l', other)],
      'any',
    ],
    [
      'the same beside a new /dev',
      () => hostileMount('l', other),
      () => [tree('/a', other), tree('/a/l', other), tmpfs('/dev')],
      'any',
    ],
    [
      'a new /dev',
      () => ['fd', 'ptmx', 'null', 'pts', 'shm'].map((name) => symlinkSync(canary, join(other, name))),
      () => [tree('/dev', other)],
      'any',
    ],
    ['a new /sys', hostileDev, () => [tree('/sys', other)], 'any'],
    ['a new /proc', hostileDev, () => [tree('/proc', other)], 'fails'],
    ['a new /proc by a link', () => symlinkSync('/proc', join(root, 'm')), () => [tmpfs('/m')], 'fails'],
  ])('%s', async (_, prepare, mounts, end) => {
    prepare();
    const before = listing(canary);
    const base = { mounts: [{ type: 'bind', source: root, options: ['rbind', 'rw'] }], readonly: false };
    const { error } = await run({ root: base, mounts: mounts(), meta: { args: ['/bin/true'], cwd: '/' } });
    expect(listing(canary)).toEqual(before);
    if (end === 'runs') expect(error).toBeUndefined();
    if (end === 'refused') expect(error).toMatchObject({ code: 'invalid_argument', fault: 'user' });
    if (end === 'fails') expect(error).toBeDefined();
  });

  test('a working directory that is a link', async () => {
    symlinkSync(canary, join(root, 'w'));
    const before = listing(canary);
    const base = { mounts: [{ type: 'bind', source: root, options: ['rbind', 'rw'] }], readonly: false };
    await run({ root: base, meta: { args: ['/bin/touch', 'x'], cwd: '/w/deep/er' } });
    expect(listing(canary)).toEqual(before);
  });

  test('standard input is no device of this machine', async () => {
    const before = lstatSync('/dev/null').mode;
    const base = { mounts: [{ type: 'bind', source: root, options: ['rbind', 'rw'] }], readonly: false };
    const { output, error } = await run({
      root: base,
      meta: { args: ['/bin/sh', '-c', 'chmod 600 /proc/self/fd/0; chmod 600 /dev/null; cat; stat -c %a /dev/null'] },
    });
    expect([output, error]).toEqual(['600\n', undefined]);
    expect(lstatSync('/dev/null').mode).toBe(before);
  });
});

describe('more than a step may have', () => {
  const sh = (
    script: string,
    step: Partial<Omit<Step, 'meta'>> & { meta?: Partial<Step['meta']> } = {},
    options = { signal },
  ) => run({ ...step, root: busybox(), meta: { args: ['/bin/sh', '-c', script], ...step.meta } }, options);

  test('processes: the step fails by name, and whatever it began ends with it', async () => {
    const { error } = await sh('for i in $(seq 100); do sleep 100 & done; wait');
    expect(error).toMatchObject({
      reason: 'EXEC_OUT_OF_PROCESSES',
      fault: 'user',
      message: expect.stringMatching(/: exit code: \d+: no more than 64 processes and threads at once$/),
      hint: expect.stringContaining('max-step-processes'),
    });
  });

  test('a fork bomb ends when the build is cancelled, and others run beside it', async () => {
    const controller = new AbortController();
    const bomb = sh('b() { b | b & }; b; echo begun; exec sleep 100', {}, { signal: controller.signal });
    const beside = await sh('for i in $(seq 20); do true & done; wait; echo fine');
    expect(beside).toEqual({ output: 'fine\n', error: undefined });
    controller.abort(cancelledError('enough'));
    expect((await bomb).error).toMatchObject({ message: 'enough' });
  });

  test('memory: the step is told apart from one that failed by itself', async () => {
    const { error } = await sh('dd if=/dev/zero of=/dev/null bs=400M count=1');
    expect(error).toMatchObject({
      reason: 'EXEC_OUT_OF_MEMORY',
      exitCode: 137,
      hint: 'give the build more memory (this step had 100 MiB), or let the step use less at once',
    });
    expect((await sh('exit 137')).error).toMatchObject({ reason: 'EXEC_FAILED' });
  });

  test('what a build is held to is named where it is stricter than the builder’s own', async () => {
    const limits = (most: number) => ({
      limits: { stepProcesses: { most, name: 'p of ci' }, stepMemory: { most: most << 20, name: 'm of ci' } },
    });
    const forks = 'for i in $(seq 100); do sleep 100 & done; wait';
    const memory = 'dd if=/dev/zero of=/dev/null bs=400M count=1';
    expect((await sh(forks, limits(20))).error).toMatchObject({
      message: expect.stringMatching(/: no more than 20 processes and threads at once$/),
      hint: 'let the step start fewer at once, or raise p of ci',
    });
    expect((await sh(memory, limits(20))).error).toMatchObject({
      hint: 'raise m of ci (this step had 20 MiB), or let the step use less at once',
    });
    expect((await sh(forks, limits(200))).error).toMatchObject({ hint: expect.stringContaining('max-step-processes') });
    expect((await sh(memory, limits(200))).error).toMatchObject({ hint: expect.stringContaining('give the build') });
  });

  test('files in memory count', async () => {
    const { error } = await sh(
      'dd if=/dev/zero of=/dev/shm/x bs=1M count=60 && dd if=/dev/zero of=/tmp/m/x bs=1M count=60',
      {
        mounts: [
          {
            ...{ kind: 'mounts', dest: '/tmp/m', readonly: false, selector: '' },
            mounts: [{ type: 'tmpfs', source: 'tmpfs', options: [] }],
          },
        ],
      },
    );
    expect(error).toMatchObject({ reason: 'EXEC_OUT_OF_MEMORY' });
  });

  test('a group of its own choice is one below ours, bounded like any, and gone afterwards', async () => {
    const { output } = await sh('cat /proc/self/cgroup', { meta: { cgroupParent: '/some/where' } });
    const life = lifeCgroup(world.stateId).name;
    expect(output).toMatch(new RegExp(`^\\d+:pids:${life}/some/where/[a-z0-9]+/step$`, 'm'));
    for (const line of output.trim().split('\n')) expect(line).toMatch(/^0::|:\/slipway\//);
    for (const cgroupParent of ['../..', 'a/../../b', '/', '//'])
      expect((await sh('true', { meta: { cgroupParent } })).error?.message ?? 'below ours').toMatch(
        /^invalid cgroup parent "[./ab]*"$|below ours/,
      );
  });
});
