import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { neverAborted } from '../../../base/index.ts';
import { checkout } from './checkout.ts';
import { Git } from './git-command.ts';
import { fetchInto, openMirror, resolveRef } from './mirror.ts';

const run = promisify(execFile);
const signal = neverAborted;

let folder: string;
let cleanup: AsyncDisposableStack;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  folder = await mkdtemp(join(tmpdir(), 'slipway-ssh-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
});
afterEach(() => cleanup.disposeAsync());

/** Starts a program that ends with the test. */
function start(command: string, args: readonly string[]) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  cleanup.defer(async () => {
    const ended = once(child, 'exit');
    if (child.exitCode === null && child.signalCode === null && child.kill()) await ended;
  });
  return child;
}

async function reachable(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const socket = createConnection(port, '127.0.0.1');
    const up = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (up) return;
    await delay(50);
  }
  throw new Error('sshd does not answer');
}

/** An sshd on a free port that lets one key in; its line for known_hosts. */
async function sshd(): Promise<{ port: number; knownHosts: string; key: string }> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  probe.close();
  const keygen = (name: string) => run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
  await keygen('host');
  await keygen('user');
  await writeFile(join(folder, 'authorized'), await readFile(join(folder, 'user.pub')));
  await chmod(folder, 0o755);
  // Debian's sshd wants its separation directory, which only the service makes.
  await mkdir('/run/sshd', { recursive: true });
  const options = {
    ListenAddress: '127.0.0.1',
    Port: String(port),
    HostKey: join(folder, 'host'),
    AuthorizedKeysFile: join(folder, 'authorized'),
    PidFile: 'none',
    StrictModes: 'no',
    UsePAM: 'no',
    PermitRootLogin: 'yes',
    PasswordAuthentication: 'no',
    AcceptEnv: 'GIT_PROTOCOL',
  };
  start('/usr/sbin/sshd', [
    '-D',
    '-e',
    '-f',
    '/dev/null',
    ...Object.entries(options).flatMap(([k, v]) => ['-o', `${k}=${v}`]),
  ]);
  await reachable(port);
  const hostKey = (await readFile(join(folder, 'host.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');
  return { port, knownHosts: `[127.0.0.1]:${port} ${hostKey}\n`, key: join(folder, 'user') };
}

test('a repository over ssh: by the agent, with the host key known, and not otherwise', async () => {
  const source = join(folder, 'app');
  await mkdir(source);
  const git = (...args: string[]) =>
    run('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], { cwd: source });
  await git('init', '-q', '-b', 'main');
  await writeFile(join(source, 'f'), 'one');
  await git('add', 'f');
  await git('commit', '-qm', 'one');
  const { port, knownHosts, key } = await sshd();
  const agentSocket = join(folder, 'agent');
  start('ssh-agent', ['-D', '-a', agentSocket]);
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await readdir(folder)).includes('agent')) break;
    await delay(20);
  }
  await run('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: agentSocket } });
  const url = `ssh://${userInfo().username}@127.0.0.1:${port}${source}`;

  const open = async (access: { knownHosts?: string; agentSocket?: string }) =>
    cleanup.use(await Git.open({ config: {}, ...access }, { signal }));
  await expect(resolveRef(await open({ agentSocket }), url, 'main')).rejects.toMatchObject({ reason: 'GIT_HOST_KEY' });
  await expect(resolveRef(await open({ knownHosts }), url, 'main')).rejects.toMatchObject({ code: 'unauthenticated' });
  const access = await open({ knownHosts, agentSocket });
  const resolved = await resolveRef(access, url, '');
  const gitDir = await openMirror(access, folder, false);
  await fetchInto(access, gitDir, url, resolved);
  const target = join(folder, 'checkout');
  await mkdir(target);
  await checkout(access, gitDir, target, {
    signal,
    url,
    resolved,
    subdir: '',
    keepGitDir: false,
    submodules: true,
    commitTimes: false,
  });
  expect(await readFile(join(target, 'f'), 'utf8')).toBe('one');
});
