import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBuilder, type TestBuilder } from '../../../../e2e/support/builder.ts';
import { BASE, makeContext } from '../../../../e2e/support/context.ts';
import { type Gate, startGate } from '../../../../e2e/support/gate.ts';
import { type GitServer, startGitServer } from '../../../../e2e/support/git-server.ts';
import { tempFolder } from '../../../../e2e/support/temp-folder.ts';
import { neverAborted, newId } from '../../../base/index.ts';
import { type BuilderClient, openBuilderClient } from '../../../builder-api/client/index.ts';
import { type HostedSession, hostSession, Secrets, wire } from '../../../builder-api/index.ts';

export const signal = neverAborted;
export const { UNKNOWN, RUNNING, SUCCEEDED, FAILED, CANCELLED } = wire.slipway.builder.v1.SolveState;

type StartRequest = wire.slipway.builder.v1.StartRequest.$Properties;
type StatusResponse = wire.moby.buildkit.v1.StatusResponse.$Properties;

/** Host under which builders know their embedded registry. */
export const EMBEDDED = 'slipway.localhost';

/** A builder with its registry, a git server and a gate, and clients of its own protocol. */
export class RunWorld implements AsyncDisposable {
  readonly git: GitServer;
  readonly gate: Gate;
  readonly folder: string;
  readonly #flags: readonly string[];
  readonly #stack: AsyncDisposableStack;
  #builder!: TestBuilder;
  #client: BuilderClient | undefined;

  private constructor(
    parts: { git: GitServer; gate: Gate; folder: string },
    flags: readonly string[],
    stack: AsyncDisposableStack,
  ) {
    this.git = parts.git;
    this.gate = parts.gate;
    this.folder = parts.folder;
    this.#flags = ['--embedded-registry', '127.0.0.1:0', ...flags];
    this.#stack = stack;
  }

  static async open(flags: readonly string[] = []): Promise<RunWorld> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempFolder('runs')).path;
    const git = stack.use(await startGitServer(folder));
    const gate = stack.use(await startGate());
    const world = new RunWorld({ git, gate, folder }, flags, stack.move());
    await world.start();
    return world;
  }

  async start(): Promise<void> {
    this.#builder = await startBuilder(this.folder, this.#flags);
  }

  async stop(how: NodeJS.Signals): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]();
    this.#client = undefined;
    await this.#builder.stop(how);
  }

  get root(): string {
    return this.#builder.root;
  }

  buildctl(args: readonly string[]): ReturnType<TestBuilder['buildctl']> {
    return this.#builder.buildctl(args);
  }

  log(): string {
    return this.#builder.log();
  }

  /** A client that lives as long as the builder. */
  get client(): BuilderClient {
    this.#client ??= this.connect();
    return this.#client;
  }

  /** A client of the caller's. */
  connect(): BuilderClient {
    return openBuilderClient(this.#builder.address);
  }

  /** A repository `<name>.git` with this Dockerfile (after {@link BASE}) and busybox. */
  async repository(name: string, dockerfile: string): Promise<string> {
    const context = makeContext(path.join(this.folder, 'contexts', name), { Dockerfile: `${BASE}${dockerfile}` });
    return await this.git.create(name, context);
  }

  /** A Start for a repository of {@link repository}, with images of the embedded registry. */
  request(name: string, options: Partial<RunOptions> = {}): StartRequest {
    const { uid = newId(), attempt = 1, outputs = [], session = '', attrs = {}, timeoutMs = 0, limits } = options;
    return {
      id: { runUid: uid, attempt },
      sessionId: session,
      writeScope: 'ns',
      readScopes: ['ns'],
      subject: 'ns/test',
      timeoutMs,
      ...(limits === undefined ? {} : { limits }),
      solve: {
        frontend: 'dockerfile.v0',
        frontendAttrs: { context: `${this.git.url}/${name}.git#main`, 'build-arg:GATE': this.gate.url, ...attrs },
        exporters: outputs.map((names) => ({
          type: 'image',
          attrs: { name: names.map((one) => `${EMBEDDED}/${one}`).join(','), push: 'true' },
        })),
      },
    };
  }

  async result(id: StartRequest['id']) {
    return await this.client.builder.result({ id: id ?? null, wait: true }, { signal });
  }

  /** Digest that a name of the embedded registry has; undefined when it has none. */
  async digestOf(name: string): Promise<string | undefined> {
    const file = path.join(this.root, 'registry-address');
    while (!existsSync(file)) await sleep(50);
    const [repository = '', reference = ''] = name.includes('@') ? name.split('@') : name.split(':');
    const address = readFileSync(file, 'utf8').trim();
    const response = await fetch(`http://${address}/v2/${repository}/manifests/${reference}`, {
      method: 'HEAD',
      headers: { accept: '*/*' },
    });
    return response.ok ? (response.headers.get('docker-content-digest') ?? undefined) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGTERM');
    await this.#stack.disposeAsync();
  }
}

interface RunOptions {
  readonly uid: string;
  readonly attempt: number;
  /** Names of each output. */
  readonly outputs: readonly (readonly string[])[];
  readonly session: string;
  readonly attrs: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly limits: wire.slipway.builder.v1.Limits.$Properties;
}

/** Serves secrets under a session id; `secret` may wait for ever. */
export function serveSecrets(
  client: BuilderClient,
  id: string,
  secret: (id: string) => Promise<string>,
): HostedSession {
  return hostSession(client.channel, {
    id,
    signal,
    register: (server) =>
      server.register(Secrets, { getSecret: async (request) => ({ data: Buffer.from(await secret(request.id)) }) }),
  });
}

/** What steps printed, as far as a stream of statuses has come; `done` when it has ended. */
export function collectLogs(stream: AsyncIterable<StatusResponse>) {
  let text = '';
  const waiters = new Set<() => void>();
  const done = (async () => {
    for await (const { logs } of stream) {
      for (const { msg } of logs ?? []) text += Buffer.from(msg ?? []).toString();
      for (const waiter of waiters) waiter();
    }
    return text;
  })();
  done.catch(() => {});
  return {
    done,
    /** Settles once the text was printed. */
    has: async (wanted: string) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const check = () => {
        if (text.includes(wanted)) resolve();
      };
      waiters.add(check);
      check();
      await Promise.race([promise, done]);
      waiters.delete(check);
      if (!text.includes(wanted)) throw new Error(`the stream ended without ${wanted}: ${text}`);
    },
  };
}
