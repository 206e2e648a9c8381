import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startSshServer } from '../../../../e2e/support/git-ssh.ts';
import { HOUSE, neverAborted } from '../../../base/index.ts';
import { WorkerPool } from '../../../sys/index.ts';
import { checkout } from './checkout.ts';
import { Git } from './git-command.ts';
import { fetchInto, resolveRef, withMirror } from './mirror.ts';

const run = promisify(execFile);
const signal = neverAborted;

let folder: string;
let cleanup: AsyncDisposableStack;
let pool: WorkerPool;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  pool = cleanup.use(new WorkerPool({ name: 'test', threads: 1 }));
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

test('a repository over ssh: by the agent, with the host key known, and not otherwise', async () => {
  const source = join(folder, 'app');
  await mkdir(source);
  const git = (...args: string[]) =>
    run('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], { cwd: source });
  await git('init', '-q', '-b', 'main');
  await writeFile(join(source, 'f'), 'one');
  await git('add', 'f');
  await git('commit', '-qm', 'one');
  const server = cleanup.use(await startSshServer(folder));
  const { knownHosts } = server;
  const key = join(folder, 'key');
  await writeFile(key, server.privateKey, { mode: 0o600 });
  const agentSocket = join(folder, 'agent');
  start('ssh-agent', ['-D', '-a', agentSocket]);
  while (!(await readdir(folder)).includes('agent')) await delay(20);
  await run('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: agentSocket } });
  const url = `${server.url}${source}`;

  const open = async (access: { knownHosts?: string; agentSocket?: string }) =>
    cleanup.use(await Git.open({ config: {}, ...access }, { signal, owner: HOUSE, pool }));
  await expect(resolveRef(await open({ agentSocket }), url, 'main')).rejects.toMatchObject({ reason: 'GIT_HOST_KEY' });
  await expect(resolveRef(await open({ knownHosts }), url, 'main')).rejects.toMatchObject({ code: 'unauthenticated' });
  const access = await open({ knownHosts, agentSocket });
  const resolved = await resolveRef(access, url, '');
  const target = join(folder, 'checkout');
  await mkdir(target);
  await withMirror(access, folder, false, async (gitDir) => {
    await fetchInto(access, gitDir, url, resolved);
    await checkout(access, gitDir, target, {
      signal,
      url,
      resolved,
      subdir: '',
      keepGitDir: false,
      submodules: true,
      commitTimes: false,
    });
  });
  expect(await readFile(join(target, 'f'), 'utf8')).toBe('one');
});
