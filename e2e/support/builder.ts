import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { buildctl, buildkitd } from './paths.ts';
import { type Ran, type RunOptions, run } from './run.ts';
import { startService } from './service.ts';

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
export async function startBuilder(
  folder: string,
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<TestBuilder> {
  const address = `unix://${folder}/buildkitd.sock`;
  const root = path.join(folder, 'root');
  const service = startService(buildkitd, ['--root', root, '--addr', address, ...flags], {
    logFile: path.join(folder, 'buildkitd.log'),
    env,
  });
  const builder: TestBuilder = {
    address,
    root,
    process: service.process,
    buildctl: (args, options) => run(buildctl, ['--addr', address, ...args], options),
    log: service.log,
    stop: service.stop,
    [Symbol.asyncDispose]: service[Symbol.asyncDispose],
  };
  await service.ready(async () => (await builder.buildctl(['debug', 'workers'])).code === 0);
  return builder;
}
