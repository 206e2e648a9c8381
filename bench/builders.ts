import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProcessTree } from './process-tree.ts';

/** How a daemon is started, again and again, on one state. */
export interface BuilderCommand {
  readonly name: string;
  readonly command: string;
  readonly root: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A running builder daemon that `buildctl` drives. */
export interface Builder extends AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly process: ProcessTree;
  /** From its start until its socket took a connection. */
  readonly readyMs: number;
}

export const logOf = ({ root }: BuilderCommand) => `${root}.log`;

/** Starts a daemon and waits until it takes connections. */
export async function startBuilder(what: BuilderCommand): Promise<Builder> {
  const { name, command, root, env } = what;
  mkdirSync(root, { recursive: true });
  const socket = path.join(root, 'buildkitd.sock');
  const log = openSync(logOf(what), 'a');
  const started = performance.now();
  const daemon: ChildProcess = spawn(
    command,
    [
      '--root',
      path.join(root, 'state'),
      '--addr',
      `unix://${socket}`,
      '--oci-worker-binary',
      'runc',
      '--containerd-worker=false',
      '--oci-worker-gc=false',
    ],
    { stdio: ['ignore', log, log], env: { ...process.env, ...env } },
  );
  const ended = new Promise((resolve) => daemon.once('exit', resolve));
  while (!(await takesConnections(socket))) {
    if (daemon.exitCode !== null) throw new Error(`${name} ended with code ${daemon.exitCode}`);
    if (performance.now() - started > 30_000) {
      daemon.kill('SIGKILL');
      throw new Error(`${name} did not answer within 30 s`);
    }
    await sleep(2);
  }
  return {
    name,
    address: `unix://${socket}`,
    process: new ProcessTree(daemon.pid!),
    readyMs: performance.now() - started,
    async [Symbol.asyncDispose]() {
      daemon.kill('SIGTERM');
      await ended;
    },
  };
}

function takesConnections(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket, () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}
