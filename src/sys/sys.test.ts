import { once } from 'node:events';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { expect, test, vi } from 'vitest';
import { CodedError } from '../base/index.ts';
import {
  Cgroup,
  cgroupLayout,
  copyFd,
  fileStream,
  hasErrno,
  lockFile,
  openRoot,
  parseMountinfo,
  peerProcess,
  runOrThrow,
} from './index.ts';
import { AT_FDCWD, check, lastErrno, libc } from './libc.ts';
import { lstatAtIfAny } from './stat.ts';
import { fromPlainError, toPlainError } from './threads/error-transfer.ts';

test('mountinfo: optional fields, escaped names, options', () => {
  const text = [
    '36 35 98:0 /mnt1 /mnt/a\\040b rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue',
    '37 35 0:5 / /ü\\134x ro - overlay overlay rw,lowerdir=/a:/b',
    '',
  ].join('\n');
  expect(parseMountinfo(text)).toEqual([
    {
      ...{ id: 36, parentId: 35, root: '/mnt1', target: '/mnt/a b', type: 'ext3', source: '/dev/root' },
      ...{ options: ['rw', 'noatime'], superOptions: ['rw', 'errors=continue'] },
    },
    expect.objectContaining({ target: '/ü\\x', superOptions: ['rw', 'lowerdir=/a:/b'] }),
  ]);
});

test('a failed call is told by its own errno, whatever a collection of garbage leaves there before anyone asks', () => {
  const result = libc.close(-1);
  // As the engine's own waits do.
  koffi.errno(constants.errno.EAGAIN);
  expect(lastErrno()).toBe('EBADF');
  expect(() => check(result, 'close')).toThrow('EBADF: close');
  expect(lstatAtIfAny(AT_FDCWD, '/no/such/file')).toBe(undefined);
});

test('who is at the other end of a unix socket is known by its process; over TCP, or once it is closed, nobody is', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'peer-'));
  for (const where of [{ path: join(directory, 'sock') }, { host: '127.0.0.1', port: 0 }]) {
    const server = createServer();
    server.listen(where);
    await once(server, 'listening');
    const address = server.address();
    const client = typeof address === 'string' ? connect(address) : connect(address?.port ?? 0, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [Socket];
    expect(peerProcess(socket)).toBe('path' in where ? process.pid : undefined);
    client.destroy();
    socket.destroy();
    expect(peerProcess(socket)).toBeUndefined();
    server.close();
  }
  rmSync(directory, { recursive: true });
});

test('cgroup trees: hybrid, v2, none', () => {
  const mount = (type: string, target: string, superOptions = '') =>
    parseMountinfo(`1 1 0:1 / ${target} rw - ${type} ${type} rw,${superOptions}`);
  const v1 = mount('cgroup', '/sys/fs/cgroup/cpu,cpuacct', 'cpu,cpuacct');
  const v2 = mount('cgroup2', '/sys/fs/cgroup');
  expect(cgroupLayout([...v1, ...mount('cgroup2', '/sys/fs/cgroup/unified')])).toMatchObject({
    kind: 'hybrid',
    hierarchies: [{ version: 1, controllers: ['cpu', 'cpuacct'] }, { version: 2 }],
  });
  expect(cgroupLayout([...v2, ...mount('cgroup2', '/some/container/sys/fs/cgroup')]).kind).toBe('v2');
  expect(cgroupLayout([]).kind).toBe('none');
  expect(new Cgroup('/slipway/x', cgroupLayout(v2)).directories).toEqual(['/sys/fs/cgroup/slipway/x']);
  for (const name of ['', '/', '/..', '/a/../../b', 'relative', '/a b', '/a//b', '/a\n']) {
    expect(() => new Cgroup(name, cgroupLayout(v2)), name).toThrow(/invalid cgroup name/);
  }
});

test('errors cross threads with their causes, and endless causes end', () => {
  const inner = Object.assign(new Error('disk'), { code: 'ENOSPC', errno: -28, syscall: 'write', path: '/x' });
  const outer = new CodedError('resource_exhausted', 'full', {
    cause: inner,
    reason: 'METADATA_FULL',
    details: [{ type: 't', value: 1 }],
  });
  const back = fromPlainError(structuredClone(toPlainError(outer)));
  expect(back).toBeInstanceOf(CodedError);
  expect(back).toMatchObject({
    code: 'resource_exhausted',
    reason: 'METADATA_FULL',
    details: [{ type: 't', value: 1 }],
  });
  expect(hasErrno(back.cause, 'ENOSPC')).toBe(true);
  const loop = new Error('loop');
  loop.cause = loop;
  expect(fromPlainError(toPlainError(loop)).message).toBe('loop');
  expect(fromPlainError(toPlainError('text')).message).toBe('text');
});

test('a lock is held against other processes and dies with them', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-lock-'));
  try {
    const file = join(directory, 'lock');
    const script = `import { lockFile } from ${JSON.stringify(new URL('./flock.ts', import.meta.url).href)}; lockFile(${JSON.stringify(file)});`;
    const signal = AbortSignal.timeout(100_000);
    const attempt = () => runOrThrow(process.execPath, ['--input-type=module', '-e', script], { signal, env: {} });
    {
      using _lock = lockFile(file);
      await expect(attempt()).rejects.toThrow(`in use by process ${process.pid}`);
    }
    await attempt();
    using _again = lockFile(file);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('copies whole files, empty ones and those of /proc', () => {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-copy-'));
  try {
    writeFileSync(join(directory, 'big'), Buffer.alloc(3_000_000, 7));
    writeFileSync(join(directory, 'empty'), '');
    for (const source of [join(directory, 'big'), join(directory, 'empty'), '/proc/self/cgroup']) {
      const from = openSync(source, 'r');
      const to = openSync(join(directory, 'copy'), 'w');
      expect(copyFd(from, to)).toBe(readFileSync(source).length);
      closeSync(from);
      closeSync(to);
      expect(readFileSync(join(directory, 'copy')).equals(readFileSync(source))).toBe(true);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a very deep tree is made and removed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-deep-'));
  using root = openRoot(directory);
  // Far longer than PATH_MAX in one piece, so it is made level by level.
  const open = [root.openDir('/')];
  for (let depth = 0; depth < 400; depth++) {
    const dir = open.at(-1)!;
    dir.mkdir('some-long-name', 0o755);
    open.push(dir.openDir('some-long-name'));
  }
  for (const dir of open) dir[Symbol.dispose]();
  expect(root.removeAll('/')).toBe(true);
  expect(root.readdir('/')).toEqual([]);
  rmSync(directory, { recursive: true });
});

test('a file as a stream: from where it is asked for, ended by its signal whoever reads, closed when it is cancelled', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-sys-'));
  try {
    const path = join(folder, 'file');
    writeFileSync(path, Buffer.alloc(600_000, 'content'));
    const { signal } = new AbortController();
    const read = await new Response(fileStream(path, { start: 7, signal })).arrayBuffer();
    expect(Buffer.from(read).equals(readFileSync(path).subarray(7))).toBe(true);
    // Into memory of the reader's own.
    const filling = fileStream(path, { start: 7, signal }).getReader({ mode: 'byob' });
    const parts: Buffer[] = [];
    let memory = new ArrayBuffer(100_000);
    for (
      let next = await filling.read(new Uint8Array(memory));
      !next.done;
      next = await filling.read(new Uint8Array(memory))
    ) {
      parts.push(Buffer.from(next.value));
      memory = next.value.buffer as ArrayBuffer;
    }
    expect(Buffer.concat(parts).equals(Buffer.from(read))).toBe(true);
    const stop = new AbortController();
    const unread = fileStream(path, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(unread.getReader().read()).rejects.toThrow();
    const openFiles = () => readdirSync('/proc/self/fd').filter((fd) => isOf(fd, path)).length;
    const cancelled = fileStream(path, { signal }).getReader();
    await cancelled.read();
    expect(openFiles()).toBe(1);
    await cancelled.cancel();
    await vi.waitUntil(() => openFiles() === 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function isOf(fd: string, path: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === path;
  } catch {
    return false;
  }
}
