import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where both builders work: one file system for their states, one registry to push to. */
export interface Machine extends AsyncDisposable {
  /** The folder of the file system that is measured. */
  readonly state: string;
  /** `host:port` of the registry. */
  readonly registry: string;
  /** Waits until all that was written is on the disk. */
  sync(): void;
  /** Removes what has been pushed. */
  emptyRegistry(): void;
}

/** Sets all up in `work`, an empty folder; disposing takes the folder away, too. */
export async function prepareMachine(work: string): Promise<Machine> {
  const state = mountState(work);
  const blobs = path.join(state, 'registry');
  const port = await freePort();
  const server = startRegistry(path.join(work, 'registry.yml'), blobs, port);
  for (let tries = 0; tries < 100; tries++) {
    const up = await fetch(`http://127.0.0.1:${port}/v2/`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (up) break;
    await sleep(100);
  }
  return {
    state,
    registry: `127.0.0.1:${port}`,
    sync: () => must('sync', ['--file-system', state]),
    emptyRegistry: () => rmSync(path.join(blobs, 'docker'), { recursive: true, force: true }),
    async [Symbol.asyncDispose]() {
      server.kill('SIGTERM');
      await sleep(300);
      spawnSync('umount', ['-l', state]);
      rmSync(work, { recursive: true, force: true });
    },
  };
}

/** A fresh ext4 with a journal in a file: without one, ext4 makes whoever creates files after a removal pay for it. */
function mountState(work: string): string {
  const image = path.join(work, 'state.ext4');
  const mountpoint = path.join(work, 'state');
  mkdirSync(mountpoint);
  must('truncate', ['-s', '20G', image]);
  must('mkfs.ext4', ['-q', '-F', image]);
  must('mount', ['-o', 'loop', image, mountpoint]);
  return mountpoint;
}

function startRegistry(config: string, blobs: string, port: number) {
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${blobs}}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:${port}"}\n`,
  );
  return spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function must(command: string, args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr || result.error?.message}`);
}
