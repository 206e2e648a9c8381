import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Builder } from './builders.ts';

/** One build by `buildctl`. */
export interface BuildRequest {
  readonly context: string;
  readonly args?: Readonly<Record<string, string>>;
  /** The name without registry that the image is pushed under. */
  readonly push?: string;
  /** More attributes of the pushed image, e.g. `compression=zstd`. */
  readonly output?: string;
  /** Names without registry, of caches in it. */
  readonly exportCache?: string;
  readonly importCache?: string;
}

/** Drives builders as their users do. */
export class Client {
  readonly #buildctl: string;
  readonly #registry: string;

  constructor(buildctl: string, registry: string) {
    this.#buildctl = buildctl;
    this.#registry = registry;
  }

  /** Does all builds at once. @returns milliseconds until the last was done */
  async build(builder: Builder, requests: readonly BuildRequest[]): Promise<number> {
    const started = performance.now();
    await Promise.all(requests.map((request) => this.#buildctlMust(builder, this.#arguments(request))));
    return performance.now() - started;
  }

  /** Frees all that the builder keeps of builds. */
  async prune(builder: Builder): Promise<void> {
    await this.#buildctlMust(builder, ['prune', '--all']);
  }

  /** Begins to solve a graph, and leaves after some time if it is not done before. */
  async solveForAWhile(builder: Builder, definition: Uint8Array, ms: number): Promise<void> {
    const child = spawn(this.#buildctl, ['--addr', builder.address, 'build', '--progress=plain'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin.end(definition);
    const timer = setTimeout(() => child.kill('SIGINT'), ms);
    await new Promise((resolve) => child.once('exit', resolve));
    clearTimeout(timer);
  }

  #arguments({ context, args = {}, push, output, exportCache, importCache }: BuildRequest): readonly string[] {
    const cacheAt = (name: string) => `type=registry,ref=${this.#registry}/${name},registry.insecure=true`;
    const more = output === undefined ? '' : `,${output}`;
    return [
      'build',
      '--progress=plain',
      '--frontend',
      'dockerfile.v0',
      '--local',
      `context=${context}`,
      '--local',
      `dockerfile=${context}`,
      ...Object.entries(args).flatMap(([key, value]) => ['--opt', `build-arg:${key}=${value}`]),
      ...(push === undefined
        ? []
        : ['--output', `type=image,name=${this.#registry}/${push},push=true,registry.insecure=true${more}`]),
      ...(exportCache === undefined ? [] : ['--export-cache', `${cacheAt(exportCache)},mode=max`]),
      ...(importCache === undefined ? [] : ['--import-cache', cacheAt(importCache)]),
    ];
  }

  async #buildctlMust(builder: Builder, args: readonly string[]): Promise<void> {
    const child = spawn(this.#buildctl, ['--addr', builder.address, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
    const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
    if (code !== 0) throw new Error(`${builder.name}: buildctl ${args[0]} failed:\n${said}`);
  }
}

/** CPU seconds of all clients so far. */
export function clientCpuSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
