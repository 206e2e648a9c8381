import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { tool } from '../../../../test/tools.ts';

const buildctl = tool('buildctl');

export interface Output {
  readonly code: number;
  readonly text: string;
}

/** How a process ended, and all that it printed. */
export async function outcome(child: ChildProcess): Promise<Output> {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, text };
}

export interface DaemonProgram {
  readonly path: string;
  readonly args: readonly string[];
  /** Beside the environment of the tests. */
  readonly env?: Readonly<Record<string, string>>;
}

export const OURS: DaemonProgram = { path: join(import.meta.dirname, '../../../../bin/buildkitd'), args: [] };
export const REAL: DaemonProgram = {
  path: tool('buildkitd'),
  args: ['--containerd-worker=false', '--oci-worker-net=host'],
};

/** A daemon with a root and a socket of its own in `folder`, and buildctl pointed at it. */
export class TestDaemon {
  readonly name: string;
  readonly root: string;
  readonly address: string;
  readonly #socket: string;
  readonly #process: ChildProcess;
  readonly #outcome: Promise<Output>;

  constructor(folder: string, name: string, { path, args, env }: DaemonProgram = OURS) {
    this.name = name;
    this.root = join(folder, name);
    this.#socket = join(folder, `${name}.sock`);
    this.address = `unix://${this.#socket}`;
    this.#process = spawn(path, ['--root', this.root, '--addr', this.address, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.#outcome = outcome(this.#process);
  }

  async ready(): Promise<this> {
    for (let tries = 0; tries < 4800; tries++) {
      if (existsSync(this.#socket)) return this;
      const ended = await Promise.race([this.#outcome, delay(50)]);
      if (ended !== undefined) throw new Error(`${this.name} ended: ${ended.text}`);
    }
    throw new Error(`${this.name} does not listen`);
  }

  spawn(args: readonly string[], options: { readonly input?: Uint8Array } = {}): ChildProcess {
    const child = spawn(buildctl, ['--addr', this.address, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input);
    return child;
  }

  run(args: readonly string[], options: { readonly input?: Uint8Array } = {}): Promise<Output> {
    return outcome(this.spawn(args, options));
  }

  /** What it printed until it was gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Output> {
    this.#process.kill(signal);
    return await this.#outcome;
  }
}
