import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { tool } from '../../../../test/tools.ts';
import { Afterwork, CodedError, HOUSE, neverAborted } from '../../../base/index.ts';
import {
  BUILD_ID_METADATA,
  type CallContext,
  Control,
  errorOfStatus,
  GrpcServer,
  Health,
  LLBBridge,
  SessionRegistry,
  timestampOf,
} from '../../../builder-api/index.ts';
import { ContentHasher } from '../../../cache/contenthash/index.ts';
import type { ImmutableRef, Mounted, RefOptions } from '../../../cache/ports.ts';
import { openTestState } from '../../../cache/testing/open-state.ts';
import { WorkerPool } from '../../../sys/index.ts';
import { AgentForwarder, FileSender, SecretProvider, SessionCredentials } from '../../session/index.ts';
import { LocalReceiver, type LocalSource, LocalStates, parseLocalSource } from './index.ts';

const buildctl = tool('buildctl');
const signal = neverAborted;
/** Without these the client falls back to a call that nobody serves any more. */
const CAPS = ['solve.base', 'return', 'returnmap', 'proto.refarray', 'reference.output', 'readfile', 'resolveimage'];

const cleanups: (() => PromiseLike<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'buildctl-'));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

interface Build {
  readonly receive: (source: LocalSource, scope?: string) => Promise<string>;
  readonly secrets: SecretProvider;
  readonly credentials: SessionCredentials;
  readonly agents: AgentForwarder;
  readonly sender: () => Promise<FileSender>;
  readonly sessions: () => readonly string[];
  readonly signal: AbortSignal;
  readonly opts: Readonly<Record<string, string>>;
}

/** A daemon just large enough for `buildctl build --frontend`: each build runs `run` inside LLBBridge.Solve. */
async function daemon(run: (build: Build) => Promise<void>, as: 'directories' | 'images' = 'directories') {
  const address = `unix://${join(tempDir(), 'sock')}`;
  const server = new GrpcServer();
  const registry = new SessionRegistry();
  const state = await openTestState(as === 'directories' ? { minImageBytes: Number.POSITIVE_INFINITY } : {});
  cleanups.push(() => state[Symbol.asyncDispose]());
  const begun = vi.spyOn(state.refs, 'create');
  /** Of received refs, by id. */
  const views = new Map<string, Mounted>();
  const viewOf = async (ref: ImmutableRef, options: RefOptions): Promise<string> => {
    const view = views.get(ref.id) ?? (await ref.mount(options));
    if (!views.has(ref.id)) cleanups.push(() => view[Symbol.asyncDispose]());
    views.set(ref.id, view);
    return view.root;
  };
  const rows: { id: string; current?: number; completed?: number }[] = [];
  const pool = new WorkerPool({ name: 'test', threads: 1 });
  cleanups.push(() => pool.close());
  const trees = new ContentHasher({ pool });
  const states = new LocalStates(state.db);
  const deps = { registry, refs: state.refs, states, afterwork: new Afterwork(), trees };
  const receiver = new LocalReceiver({ ...deps, minImageEntries: 0 });
  interface Running {
    readonly session: string;
    readonly returned: PromiseWithResolvers<void>;
  }
  const builds = new Map<string, PromiseWithResolvers<Running>>();
  const buildOf = (ref: string) => {
    const found = builds.get(ref) ?? Promise.withResolvers<Running>();
    builds.set(ref, found);
    return found;
  };
  const idOf = (context: CallContext) => context.metadata.get(BUILD_ID_METADATA) ?? '';

  registry.register(server);
  server.register(Health, { check: () => ({ status: 1 }) });
  server.register(Control, {
    info: () => ({ buildkitVersion: { version: 'v0.0.0' } }),
    listWorkers: () => ({
      record: [{ id: 'one', labels: {}, platforms: [{ OS: 'linux', Architecture: 'amd64' }] as never }],
    }),
    solve: async (request, context) => {
      const returned = Promise.withResolvers<void>();
      returned.promise.catch(() => {});
      context.signal.addEventListener('abort', () => returned.reject(context.signal.reason));
      buildOf(request.ref).resolve({ session: request.session, returned });
      await returned.promise;
      return { exporterResponse: { 'containerimage.digest': 'sha256:0' } };
    },
    async *status(request) {
      const running = await buildOf(request.ref ?? '').promise;
      const now = timestampOf(Date.now());
      const vertex = { digest: `sha256:${'0'.repeat(64)}`, name: '[internal] load build context', started: now };
      yield { vertexes: [vertex] };
      await running.returned.promise.catch(() => {});
      yield {
        statuses: rows.map((row) => ({
          id: row.id,
          vertex: vertex.digest,
          current: row.current ?? 0,
          started: now,
          completed: now,
          timestamp: now,
        })),
        vertexes: [{ ...vertex, completed: timestampOf(Date.now()) }],
      };
    },
  });
  server.register(LLBBridge, {
    ping: () => ({ frontendApiCaps: CAPS.map((id) => ({ id, enabled: true })) }),
    solve: async (request, context) => {
      const { session } = await buildOf(idOf(context)).promise;
      const sessions = () => [session];
      const progress = {
        status: (row: (typeof rows)[number]) => void rows.push(row),
        log: () => {},
        warning: () => {},
      };
      await run({
        receive: async (source, scope = 'test') => {
          const options = { scope, sessions, signal: context.signal, owner: HOUSE, progress: progress as never };
          const ref = await receiver.receive(source, options);
          expect(trees.treeOf(ref)).toBeDefined();
          // Made while receiving, and made by reading it all again: the same digest.
          const path = await viewOf(ref, options);
          const all = readdirSync(path).map((name) => ({ path: `/${name}` }));
          const kept = await trees.checksum(ref, all, options);
          const mount = (how: RefOptions) => ref.mount(how);
          const forgetful = { id: `${ref.id}-again`, mount, getMetadata: () => undefined, setMetadata: () => {} };
          expect(await trees.checksum(forgetful as Partial<ImmutableRef> as ImmutableRef, all, options)).toBe(kept);
          return path;
        },
        secrets: new SecretProvider(registry),
        credentials: new SessionCredentials(registry, sessions),
        agents: new AgentForwarder(registry, tempDir(), pool),
        sender: async () => new FileSender(await registry.get(session, { signal })),
        sessions,
        signal: context.signal,
        opts: request.frontendOpt,
      });
      return { result: { ref: { id: 'result' } } };
    },
    return: async (request, context) => {
      const { returned } = await buildOf(idOf(context)).promise;
      if (request.error == null) returned.resolve();
      else returned.reject(errorOfStatus(request.error));
      return {};
    },
  });
  await server.listenUnix(address.slice('unix://'.length));
  cleanups.push(
    () => server.close(),
    () => registry[Symbol.asyncDispose](),
  );
  return { address, registry, rows, begun, state };
}

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

function build(
  address: string,
  args: readonly string[],
  onStart?: (kill: (signal: NodeJS.Signals) => void) => void,
): Promise<Outcome> {
  const child = spawn(
    buildctl,
    ['--addr', address, 'build', '--progress', 'plain', '--frontend', 'dockerfile.v0', ...args],
    {
      env: { ...process.env, HOME: tempDir(), DOCKER_CONFIG: dockerConfig() },
    },
  );
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  onStart?.((name) => child.kill(name));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

function dockerConfig(): string {
  const dir = tempDir();
  const auth = Buffer.from('me:pass word').toString('base64');
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ auths: { 'registry.example': { auth } } }));
  return dir;
}

function context(files: number): string {
  const dir = tempDir();
  for (let i = 0; i < files; i++) {
    const sub = join(dir, `d${i % 20}`);
    if (i < 20) mkdirSync(sub);
    writeFileSync(join(sub, `f${i}`), `file ${i} ${'x'.repeat(i % 1000)}`);
  }
  writeFileSync(join(dir, 'Dockerfile'), 'FROM scratch\n');
  writeFileSync(join(dir, 'big'), Buffer.alloc(8_000_000, 7));
  chmodSync(join(dir, 'big'), 0o4750);
  symlinkSync('big', join(dir, 'link'));
  return dir;
}

const whole = (name: string) => parseLocalSource(name, {});

describe('buildctl', () => {
  test.each([
    'directories',
    'images',
  ] as const)('sends its context; the second time only what changed; and shows the transfer (%s)', async (as) => {
    const received: string[] = [];
    const { address, rows, begun, state } = await daemon(
      async (b) => void received.push(await b.receive(whole('context'))),
      as,
    );
    const dir = context(2000);
    const args = ['--local', `context=${dir}`, '--local', `dockerfile=${dir}`];
    const first = await build(address, args);
    expect(first.code, first.output).toBe(0);
    expect(first.output).toContain('transferring context:');
    expect(execFileSync('diff', ['-r', dir, received[0]!]).toString()).toBe('');
    expect(statSync(join(received[0]!, 'big')).mode & 0o7777).toBe(0o4750);
    expect(existsSync(join(received[0]!, '../image'))).toBe(as === 'images');
    const firstBytes = rows.at(-1)!.current!;
    expect(firstBytes).toBeGreaterThan(8_000_000);

    writeFileSync(join(dir, 'd1/f1'), 'changed');
    chmodSync(join(dir, 'd3/f3'), 0o600);
    rmSync(join(dir, 'd2'), { recursive: true });
    expect((await build(address, args)).code).toBe(0);
    expect(rows.at(-1)!.current).toBe('changed'.length);
    expect(execFileSync('diff', ['-r', dir, received[1]!]).toString()).toBe('');
    // What the first build saw is still as it was.
    expect(existsSync(join(received[0]!, 'd2'))).toBe(true);

    expect((await build(address, args)).code).toBe(0);
    expect(received[2]).toBe(received[1]);
    // What did not change is only looked at.
    expect(begun).toHaveBeenCalledTimes(2);
    expect(state.snapshotter.list()).toHaveLength(2);
  });

  test('sends it once more, as files, where there is something in it that only a directory shows', async () => {
    const received: string[] = [];
    const { address } = await daemon(async (b) => void received.push(await b.receive(whole('context'))), 'images');
    const dir = context(400);
    // Late in the listing: contents are under way.
    writeFileSync(join(dir, 'd9/.wh.f'), 'no deletion');
    for (const _ of [1, 2]) {
      const outcome = await build(address, ['--local', `context=${dir}`]);
      expect(outcome.code, outcome.output).toBe(0);
    }
    expect(execFileSync('diff', ['-r', dir, received[0]!]).toString()).toBe('');
    expect(readdirSync(join(received[0]!, '..'))).not.toContain('image');
    expect(received[1]).toBe(received[0]);
  });

  test('what one tenant sent is not there for another who says to have the same', async () => {
    // Files are taken to be unchanged when size and time are: of what a scope has sent, and of nothing else.
    const received: string[] = [];
    const scopes = ['a', 'b', 'a'];
    const { address } = await daemon(
      async (b) =>
        void received.push(await b.receive(parseLocalSource('ctx', { 'local.sharedkeyhint': 'ctx' }), scopes.shift())),
    );
    const [ofA, ofB] = ['secret', 'unread'].map((content) => {
      const dir = tempDir();
      writeFileSync(join(dir, 'file'), content);
      utimesSync(join(dir, 'file'), 1_600_000_000, 1_600_000_000);
      return dir;
    });
    for (const dir of [ofA, ofB, ofB]) {
      const outcome = await build(address, ['--local', `ctx=${dir}`]);
      expect(outcome.code, outcome.output).toBe(0);
    }
    expect(received.map((dir) => readFileSync(join(dir, 'file'), 'utf8'))).toEqual(['secret', 'unread', 'secret']);
  });

  test('applies include, exclude and follow patterns, thousands of them too', async () => {
    const exclude = ['**/f1*', '!d1/f10', ...Array.from({ length: 3000 }, (_, i) => `no/such/${i}/${'p'.repeat(100)}`)];
    const listed: string[][] = [];
    const { address } = await daemon(async (b) => {
      const all = parseLocalSource('context', { 'local.excludepatterns': JSON.stringify(exclude) });
      const only = parseLocalSource('context', { 'local.followpaths': '["link","Dockerfile","größe"]' });
      for (const source of [all, only])
        listed.push(readdirSync(await b.receive(source), { recursive: true }) as string[]);
    });
    const dir = context(40);
    expect((await build(address, ['--local', `context=${dir}`])).code).toBe(0);
    expect(listed[0]).toContain('d1/f21');
    expect(listed[0]).not.toContain('d1/f1');
    expect(listed[0]).not.toContain('d11/f11');
    expect(listed[1]?.sort()).toEqual(['Dockerfile', 'big', 'link']);
  });

  test('is asked for secrets and credentials', async () => {
    const seen: unknown[] = [];
    const { address } = await daemon(async (b) => {
      seen.push(Buffer.from((await b.secrets.get('token', b.sessions, b)) ?? []).toString());
      seen.push(await b.secrets.get('absent', b.sessions, b));
      seen.push(await b.credentials.credentials('registry.example', b));
      seen.push(await b.credentials.credentials('other.example', b));
    });
    const file = join(tempDir(), 'secret');
    writeFileSync(file, 'hush');
    const outcome = await build(address, ['--secret', `id=token,src=${file}`]);
    expect(outcome.code, outcome.output).toBe(0);
    expect(seen).toEqual([
      'hush',
      undefined,
      { kind: 'basic', username: 'me', secret: 'pass word' },
      { kind: 'anonymous' },
    ]);
    expect(outcome.output).not.toContain('hush');
  });

  test('forwards its ssh agent; an id that it does not have is absent', async () => {
    const dir = tempDir();
    // The agent protocol: "which identities?" (11) is answered with an empty list (12).
    const question = Buffer.from([0, 0, 0, 1, 11]);
    const noIdentities = Buffer.from([0, 0, 0, 5, 12, 0, 0, 0, 0]);
    const agent = createServer((socket) => socket.on('data', () => socket.write(noIdentities)));
    await new Promise<void>((listening) => agent.listen(join(dir, 'agent'), listening));
    cleanups.push(() => void agent.close());
    const seen: unknown[] = [];
    const { address } = await daemon(async (b) => {
      await using socket = await b.agents.open('default', b.sessions, { ...b, owner: HOUSE });
      for (let i = 0; i < 2; i++) {
        const client = connect(socket!.path);
        client.write(question);
        const answer: Buffer[] = [];
        for await (const piece of client) {
          answer.push(piece as Buffer);
          if (Buffer.concat(answer).length >= noIdentities.length) break;
        }
        seen.push(Buffer.concat(answer));
        client.end();
      }
      seen.push(await b.agents.open('other', b.sessions, { ...b, owner: HOUSE }));
    });
    const outcome = await build(address, ['--ssh', `default=${join(dir, 'agent')}`]);
    expect(outcome.code, outcome.output).toBe(0);
    expect(seen).toEqual([noIdentities, noIdentities, undefined]);
  });

  test('takes a tarball of 60 MB and a tree', async () => {
    const tree = context(300);
    const tar = async (b: Build) => {
      const sender = await b.sender();
      async function* source() {
        for (let i = 0; i < 60; i++) yield Buffer.alloc(1_000_000, i);
      }
      expect(await sender.sendFile({ exporterId: 0, response: { a: 'b' } }, source(), { signal: b.signal })).toBe(true);
    };
    const out = tempDir();
    const { address } = await daemon(async (b) => {
      if (b.opts['kind'] === 'tar') return tar(b);
      const prefix = { name: 'linux_amd64', mtimeNs: 5_000_000_000n };
      const { signal } = b;
      await (await b.sender()).sendTrees({ exporterId: 0, response: {} }, [{ directory: tree, prefix }], { signal });
    });
    const first = await build(address, ['--opt', 'kind=tar', '--output', `type=tar,dest=${join(out, 'x.tar')}`]);
    expect(first.code, first.output).toBe(0);
    expect(statSync(join(out, 'x.tar')).size).toBe(60_000_000);
    expect(readFileSync(join(out, 'x.tar'))[59_500_000]).toBe(59);
    const second = await build(address, ['--output', `type=local,dest=${join(out, 'tree')}`]);
    expect(second).toMatchObject({ code: 0 });
    expect(execFileSync('diff', ['-r', tree, join(out, 'tree/linux_amd64')]).toString()).toBe('');
  });

  test('prints the lines of the Dockerfile that an error names', async () => {
    const data = Buffer.from(`FROM scratch\nRUN false\n# ${'x'.repeat(300_000)}\n`).toString('base64');
    const { address } = await daemon(async () => {
      throw new CodedError('unknown', 'process "false" did not complete successfully: exit code: 1', {
        details: [
          { type: 'errdefs.Vertex', value: { digest: `sha256:${'0'.repeat(64)}` } },
          {
            type: 'errdefs.Source',
            value: { info: { filename: 'Dockerfile', data }, ranges: [{ start: { line: 2 }, end: { line: 2 } }] },
          },
        ],
      });
    });
    const outcome = await build(address, []);
    expect(outcome.code).toBe(1);
    expect(outcome.output).toContain('>>> RUN false');
    expect(outcome.output).toContain('did not complete successfully: exit code: 1');
  });

  test('a directory that is not offered is named in the error', async () => {
    const { address } = await daemon(async (b) => void (await b.receive(whole('nosuch'))));
    const outcome = await build(address, ['--local', `context=${tempDir()}`]);
    expect(outcome.code).toBe(1);
    expect(outcome.output).toContain('nosuch');
  });

  test.each(['SIGINT', 'SIGKILL'] as const)('%s in mid-transfer ends the build and the session', async (name) => {
    let kill: (signal: NodeJS.Signals) => void = () => {};
    const failures: unknown[] = [];
    const { address, registry, rows } = await daemon(async (b) => {
      const poll = setInterval(() => {
        if (rows.length > 1) kill(name);
      }, 5);
      try {
        await b.receive(whole('context'));
      } catch (error) {
        failures.push(error);
        throw error;
      } finally {
        clearInterval(poll);
      }
    });
    const dir = tempDir();
    for (let i = 0; i < 4000; i++) writeFileSync(join(dir, `f${i}`), 'x'.repeat(5000));
    const outcome = await build(address, ['--local', `context=${dir}`], (k) => {
      kill = k;
    });
    expect(outcome.code).not.toBe(0);
    await expect.poll(() => registry.ids()).toEqual([]);
    await expect.poll(() => failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({ code: expect.stringMatching(/cancelled|unavailable/) });
  });
});
