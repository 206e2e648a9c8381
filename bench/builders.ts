import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A running builder daemon that `buildctl` drives. */
export interface Builder extends AsyncDisposable {
  readonly name: string;
  readonly address: string;
}

/** Starts a daemon on its own root below `state` and waits until it answers. */
export async function startBuilder(
  name: string,
  command: string,
  state: string,
  buildctl: string,
  registry: string,
): Promise<Builder> {
  const root = path.join(state, name);
  mkdirSync(root, { recursive: true });
  const address = `unix://${root}/buildkitd.sock`;
  const log = createWriteStream(path.join(state, `${name}.log`));
  const daemon: ChildProcess = spawn(
    command,
    [
      '--root',
      `${root}/state`,
      '--addr',
      address,
      '--oci-worker-binary',
      'runc',
      '--containerd-worker=false',
      '--oci-worker-gc=false',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, BUILDKIT_REGISTRY: registry } },
  );
  daemon.stdout?.pipe(log);
  daemon.stderr?.pipe(log);
  for (let tries = 0; tries < 300; tries++) {
    if (daemon.exitCode !== null)
      throw new Error(`${name} ended with code ${daemon.exitCode}; see ${state}/${name}.log`);
    if (spawnSync(buildctl, ['--addr', address, 'debug', 'workers'], { stdio: 'ignore' }).status === 0) {
      return {
        name,
        address,
        async [Symbol.asyncDispose]() {
          daemon.kill('SIGTERM');
          await new Promise((resolve) =>
            daemon.exitCode === null ? daemon.once('exit', resolve) : resolve(undefined),
          );
        },
      };
    }
    await sleep(100);
  }
  daemon.kill('SIGKILL');
  throw new Error(`${name} did not answer within 30 s; see ${state}/${name}.log`);
}
