import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openRoot, type Root } from '../../sys/index.ts';
import { stepEnvironment } from './environment.ts';
import { ExecError } from './exec-error.ts';
import { NETWORK_MODES, networksOf } from './network.ts';
import { hostsFile } from './network-files.ts';
import { isCrunCandidate, isStepsFault } from './runtime.ts';
import { reduceSeccomp } from './seccomp.ts';
import { StepLog } from './step-log.ts';
import { makeStubs, removeStubs } from './stubs.ts';
import { networkSuite } from './testing/network-suite.ts';
import { lookupUser } from './user.ts';

for (const mode of NETWORK_MODES)
  for (const [asked, provider] of Object.entries(networksOf(mode)))
    networkSuite(`${asked}, where a step has ${mode}`, () => provider);

let directory: string;
let root: Root;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-exec-'));
  mkdirSync(join(directory, 'etc'));
  root = openRoot(directory);
});
afterEach(() => {
  root[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

describe('who a step runs as', () => {
  beforeEach(() => {
    writeFileSync(
      join(directory, 'etc/passwd'),
      '# c\nroot:x:0:0::/root:/bin/sh\nann:x:1000:1001::/:\nbroken\n77:x:5:6::/:\n',
    );
    writeFileSync(join(directory, 'etc/group'), 'root:x:0:\nann:x:1001:\nwheel:x:10:root,ann\n');
  });

  test.each([
    ['', { uid: 0, gid: 0, additionalGids: [0, 10] }],
    ['ann', { uid: 1000, gid: 1001, additionalGids: [1001, 10] }],
    ['1000', { uid: 1000, gid: 1001, additionalGids: [1001, 10] }],
    ['ann:wheel', { uid: 1000, gid: 10, additionalGids: [10] }],
    ['ann:99', { uid: 1000, gid: 99, additionalGids: [99] }],
    ['4000', { uid: 4000, gid: 0, additionalGids: [0] }],
    ['4000:ann', { uid: 4000, gid: 1001, additionalGids: [1001] }],
    ['77', { uid: 5, gid: 6, additionalGids: [6] }],
    [':ann', { uid: 0, gid: 1001, additionalGids: [1001] }],
  ])('%j', (spec, expected) => {
    expect(lookupUser(root, spec)).toEqual(expected);
  });

  test('unknown names and impossible numbers are the user’s fault', () => {
    expect(() => lookupUser(root, 'bob')).toThrow('unable to find user bob: no matching entries in passwd file');
    expect(() => lookupUser(root, 'ann:bobs')).toThrow('unable to find group bobs: no matching entries in group file');
    for (const id of ['4294967296', '-1'])
      expect(() => lookupUser(root, id)).toThrow('uids and gids must be in range 0-2147483647');
  });

  test('a root without the files knows numbers; a hostile passwd link stays inside', () => {
    rmSync(join(directory, 'etc/passwd'));
    rmSync(join(directory, 'etc/group'));
    expect(lookupUser(root, '')).toEqual({ uid: 0, gid: 0, additionalGids: [0] });
    symlinkSync('/../../../../../../etc/passwd', join(directory, 'etc/passwd'));
    expect(() => lookupUser(root, 'daemon')).toThrow(/not a readable file|unable to find user/);
  });
});

describe('mount stubs', () => {
  const target = (destination: string, isDirectory = true) => ({ destination, isDirectory });

  test('leave no trace, not even in times', () => {
    utimesSync(join(directory, 'etc'), 1000, 2000);
    utimesSync(directory, 1000, 2000);
    const stubs = makeStubs(root, [target('/etc/hosts', false), target('/cache'), target('/etc')], false);
    expect(stubs.map(({ path }) => path)).toEqual(['/etc/hosts', '/cache']);
    expect(root.lstat('/etc').mtimeNs).toBe(2_000_000_000_000n);
    removeStubs(root, stubs);
    expect(root.readdir('/')).toEqual(['etc']);
    expect(root.lstat('/').mtimeNs).toBe(2_000_000_000_000n);
    expect(root.lstat('/etc').mtimeNs).toBe(2_000_000_000_000n);
  });

  test('what the step used stays', () => {
    const stubs = makeStubs(root, [target('/etc/hosts', false), target('/cache'), target('/gone')], false);
    writeFileSync(join(directory, 'etc/hosts'), 'x');
    writeFileSync(join(directory, 'cache/x'), 'x');
    root.rmdir('/gone');
    root.symlink('/etc', '/gone');
    removeStubs(root, stubs);
    expect(root.readdir('/').sort()).toEqual(['cache', 'etc', 'gone']);
  });

  test('directories above go only when asked', () => {
    removeStubs(root, makeStubs(root, [target('/a/b/c')], false));
    expect(root.readdir('/a/b')).toEqual([]);
    removeStubs(root, makeStubs(root, [target('/d/e/f')], true));
    expect(root.lstatIfAny('/d')).toBeUndefined();
  });

  test('a dangling link is followed inside the root', () => {
    root.symlink('/../run/resolv.conf', '/etc/resolv.conf');
    const stubs = makeStubs(root, [target('/etc/resolv.conf', false)], true);
    expect(root.stat('/run/resolv.conf').type).toBe('file');
    removeStubs(root, stubs);
    expect(root.lstatIfAny('/run')).toBeUndefined();
    expect(root.lstat('/etc/resolv.conf').type).toBe('symlink');
  });
});

describe('the step log', () => {
  function make(limits: { maxSize: number; maxSpeed: number }) {
    let text = '';
    let recorded = '';
    let time = 0;
    const log = new StepLog(
      (_, data, audience) => {
        if (audience !== 'records') text += Buffer.from(data).toString();
        if (audience !== 'watchers') recorded += Buffer.from(data).toString();
      },
      limits,
      () => time,
    );
    return {
      write: (chunk: string) => log.write(1, Buffer.from(chunk)),
      log,
      text: () => text,
      recorded: () => recorded,
      wait: (ms: number) => (time += ms),
    };
  }

  test('clips by size, once', () => {
    const { write, text, recorded } = make({ maxSize: 1 << 20, maxSpeed: -1 });
    write('a'.repeat((1 << 20) - 3));
    write('bbbbbb');
    write('c');
    expect(recorded().slice((1 << 20) - 3)).toBe('bbbbbbc');
    expect(text().slice(-60)).toMatch(/abbb\n\[output clipped, log limit 1MiB reached\]\n$/);
  });

  test('clips by speed and goes on when there is room', () => {
    const { write, text, recorded, wait } = make({ maxSize: -1, maxSpeed: 1024 });
    write('a'.repeat(1024));
    write('b');
    write('c');
    wait(1500);
    write('d');
    expect(text().replace(/^a+/, '')).toBe('\n[output clipped, log limit 1KiB/s reached]\nd');
    expect(recorded().slice(1023)).toBe('abcd');
  });

  test('shows the end of what was clipped when the step fails', () => {
    const { write, text, recorded, log } = make({ maxSize: 4, maxSpeed: -1 });
    write('1234');
    for (let at = 0; at < 40; at++) write(String(at % 10).repeat(10_000));
    write('the reason');
    const written = recorded();
    log.flushTail();
    expect(recorded()).toBe(written);
    expect(written).toHaveLength(4 + 40 * 10_000 + 'the reason'.length);
    expect(text().endsWith('the reason')).toBe(true);
    expect(text().length).toBeGreaterThan(256 << 10);
    expect(text().length).toBeLessThan((256 << 10) + 20_000);
  });

  test('-1 is unbounded', () => {
    const { write, text } = make({ maxSize: -1, maxSpeed: -1 });
    write('x'.repeat(5 << 20));
    expect(text().length).toBe(5 << 20);
  });
});

test('the environment has PATH and proxies; own values come first', () => {
  const proxyEnv = { httpProxy: 'http://p', httpsProxy: '', ftpProxy: '', noProxy: 'x', allProxy: '' };
  expect(stepEnvironment({ env: ['http_proxy=mine'], proxyEnv }, { terminal: false })).toEqual([
    'http_proxy=mine',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'HTTP_PROXY=http://p',
    'http_proxy=http://p',
    'NO_PROXY=x',
    'no_proxy=x',
  ]);
  expect(stepEnvironment({ env: ['PATH=/x'] }, { terminal: false })).toEqual(['PATH=/x']);
  expect(stepEnvironment({ env: ['PATH=/x'] }, { terminal: true })).toEqual(['PATH=/x', 'TERM=xterm']);
});

test('extra hosts are checked', () => {
  expect(hostsFile('h', [{ host: 'a', ip: '1.2.3.4' }])).toContain('127.0.0.1\tlocalhost h\n');
  expect(hostsFile('h', [{ host: 'a', ip: '::2' }])).toMatch(/\n::2\ta\n$/);
  expect(() => hostsFile('h', [{ host: 'a\n6.6.6.6 bank', ip: '1.2.3.4' }])).toThrow(/invalid extra host/);
  expect(() => hostsFile('h', [{ host: 'a', ip: 'x' }])).toThrow(/invalid extra host/);
});

test('messages of a failed process', () => {
  const args = ['/bin/sh', '-c', 'false'];
  expect(new ExecError(args, 1)).toMatchObject({
    message: 'process "/bin/sh -c false" did not complete successfully: exit code: 1',
    fault: 'user',
    exitCode: 1,
    signal: undefined,
  });
  expect(new ExecError(args, 137, { hit: { kind: 'memory', limit: 64 << 20 } })).toMatchObject({
    message: 'process "/bin/sh -c false" did not complete successfully: exit code: 137: cannot allocate memory',
    signal: 9,
    reason: 'EXEC_OUT_OF_MEMORY',
  });
});

test('the seccomp profile is reduced by capability and machine', () => {
  const rule = (name: string, includes = {}, excludes = {}) => ({ names: [name], action: 'A', includes, excludes });
  const profile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    syscalls: [
      rule('always'),
      rule('with', { caps: ['CAP_X'] }),
      rule('without', {}, { caps: ['CAP_X'] }),
      rule('arm', { arches: ['arm64'] }),
      rule('amd', { arches: ['amd64', 'x32'] }),
    ],
  };
  const names = (caps: string[], machine: string) =>
    reduceSeccomp(profile, { capabilities: ['CAP_SYS_ADMIN', ...caps], vsock: true }, machine).syscalls.flatMap(
      (s) => s.names,
    );
  expect(names([], 'x64')).toEqual(['always', 'without', 'amd']);
  expect(names(['CAP_X'], 'arm64')).toEqual(['always', 'with', 'arm']);
  expect(reduceSeccomp(profile, { capabilities: [], vsock: true }, 'x64').architectures).toEqual([
    'SCMP_ARCH_X86_64',
    'SCMP_ARCH_X86',
  ]);
});

test('without CAP_SYS_ADMIN nothing makes or joins a namespace', () => {
  const allow = { names: ['read', 'clone', 'clone3', 'unshare', 'mount', 'keyctl'], action: 'SCMP_ACT_ALLOW' };
  const { syscalls } = reduceSeccomp(
    { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [allow] },
    { capabilities: [], vsock: true },
    'x64',
  );
  expect(syscalls.filter(({ action, args }) => action === 'SCMP_ACT_ALLOW' && args === undefined)).toEqual([
    { names: ['read'], action: 'SCMP_ACT_ALLOW' },
  ]);
  expect(syscalls.find(({ names }) => names.includes('clone'))).toMatchObject({
    args: [{ value: 0x7e020000, op: 'SCMP_CMP_MASKED_EQ' }],
  });
});

test('sockets to the hypervisor are a family that is not known, unless they are granted', () => {
  const allow = { names: ['read', 'socket'], action: 'SCMP_ACT_ALLOW', args: [] };
  const profile = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [allow] };
  const rules = (vsock: boolean) =>
    reduceSeccomp(profile, { capabilities: ['CAP_SYS_ADMIN'], vsock }, 'x64').syscalls.map(
      ({ names, action, args = [] }) => `${names} ${action} ${args.map(({ op, value }) => `${op} ${value}`)}`.trim(),
    );
  expect(rules(true)).toEqual(['read,socket SCMP_ACT_ALLOW']);
  expect(rules(false)).toEqual([
    'read SCMP_ACT_ALLOW',
    'socket SCMP_ACT_ALLOW SCMP_CMP_NE 40',
    'socket SCMP_ACT_ERRNO SCMP_CMP_EQ 40',
  ]);
});

test('a runtime’s error is the step’s fault only where it is about the step', () => {
  for (const message of [
    'runc create failed: unable to start container process: exec: "/no": stat /no: no such file or directory',
    'executable file `foo` not found in $PATH: No such file or directory',
    'exec /x: exec format error',
    'error mounting "/a" to rootfs at "/etc/passwd/x": mkdir /etc/passwd: not a directory',
  ]) {
    expect(isStepsFault(message), message).toBe(true);
  }
  for (const message of [
    'unable to apply cgroup configuration: cannot allocate memory',
    'runc: fork/exec: resource busy',
  ]) {
    expect(isStepsFault(message), message).toBe(false);
  }
});

test('crun is tried only where it is known to do better', () => {
  const layout = (kind: 'v2' | 'hybrid') => ({ kind, hierarchies: [] });
  expect(isCrunCandidate('1.28', layout('v2'))).toBe(true);
  expect(isCrunCandidate('2.0.1', layout('v2'))).toBe(true);
  expect(isCrunCandidate('1.8.1', layout('v2'))).toBe(false);
  expect(isCrunCandidate('1.28', layout('hybrid'))).toBe(false);
});
