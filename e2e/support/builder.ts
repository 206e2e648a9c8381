import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildctl, buildkitd } from './paths.ts';
import { type Ran, type RunOptions, run } from './run.ts';

/** A builder daemon of ours with buildctl pointed at it. Disposing ends it by SIGTERM. */
export interface TestBuilder extends AsyncDisposable {
  readonly address: string;
  readonly root: string;
  readonly process: ChildProcess;
  buildctl(args: readonly string[], options?: RunOptions): Promise<Ran>;
  log(): string;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts `bin/buildkitd` on `<folder>/root` and waits until it answers. */
export async function startBuilder(folder: string, flags: readonly string[] = []): Promise<TestBuilder> {
  const address = `unix://${folder}/buildkitd.sock`;
  const root = path.join(folder, 'root');
  const logFile = path.join(folder, 'buildkitd.log');
  const log = createWriteStream(logFile, { flags: 'a' });
  const child = spawn(buildkitd, ['--root', root, '--addr', address, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const builder: TestBuilder = {
    address,
    root,
    process: child,
    buildctl: (args, options) => run(buildctl, ['--addr', address, ...args], options),
    log: () => readFileSync(logFile, 'utf8'),
    stop: (signal = 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return exited;
    },
    [Symbol.asyncDispose]: async () => void (await builder.stop()),
  };
  for (let tries = 0; tries < 300; tries++) {
    if (child.exitCode !== null) throw new Error(`the builder ended with ${child.exitCode}:\n${builder.log()}`);
    if ((await builder.buildctl(['debug', 'workers'])).code === 0) return builder;
    await sleep(100);
  }
  child.kill('SIGKILL');
  throw new Error(`the builder did not answer:\n${builder.log()}`);
}
