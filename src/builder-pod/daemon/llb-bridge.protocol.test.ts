import { once } from 'node:events';
import { createReadStream, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBuilder } from '../../../e2e/support/builder.ts';
import { must } from '../../../e2e/support/run.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { digestOf, newId, neverAborted as signal } from '../../base/index.ts';
import { type BuilderClient, openBuilderClient, registerSessionServices } from '../../builder-api/client/index.ts';
import { BUILD_ID_METADATA, Metadata, millisecondsOf, toBigInt, toNumber, type wire } from '../../builder-api/index.ts';
import { encodeDefinition, local } from '../../llb/index.ts';
import { makeBusyboxRoot } from '../executor/testing/busybox.ts';
import { openExecStream } from './testing/exec-stream.ts';

// The values are those of buildkitd 0.34 for the same calls.

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let context: string;
let address: string;
let client: BuilderClient;

beforeAll(async () => {
  folder = stack.use(tempFolder('llb-bridge')).path;
  context = path.join(folder, 'context');
  mkdirSync(path.join(context, 'sub/deep'), { recursive: true });
  mkdirSync(path.join(context, 'other'));
  writeFileSync(path.join(context, 'a.txt'), 'hello');
  writeFileSync(path.join(context, 'sub/deep/x.md'), 'hello');
  symlinkSync('a.txt', path.join(context, 'link'));
  await must('touch', ['-d', '2020-01-02 03:04:05.123456789Z', path.join(context, 'a.txt')]);
  mkdirSync(path.join(folder, 'rootfs'));
  makeBusyboxRoot(path.join(folder, 'rootfs'));
  address = stack.use(await startBuilder(folder)).address;
  client = stack.use(openBuilderClient(address));
});

/** What a frontend in the client may call during a build of its own. */
async function frontend() {
  const session = stack.use(
    client.hostSession({
      signal,
      register: (server) =>
        registerSessionServices(server, {
          folders: new Map([
            ['context', context],
            ['dockerfile', context],
            ['rootfs', path.join(folder, 'rootfs')],
          ]),
          secrets: new Map([['s', Buffer.from('hush')]]),
        }),
    }),
  );
  const ref = newId();
  const solving = client.control.solve({ ref, session: session.id }, { signal });
  solving.catch(() => {});
  const options = { signal, metadata: new Metadata().add(BUILD_ID_METADATA, ref) };
  return { ref, session, options, solving };
}

async function solve(
  request: wire.moby.buildkit.v1.frontend.SolveRequest.$Properties,
  options: Awaited<ReturnType<typeof frontend>>['options'],
) {
  const arrays = { allowResultReturn: true, allowResultArrayRef: true };
  return (await client.gateway.solve({ ...request, ...arrays }, options)).result?.ref ?? {};
}

const text = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString();

test('a call without a build says so', async () => {
  await expect(client.gateway.ping({}, { signal })).rejects.toThrow('no buildid found in context');
});

test('of a build that is refused Solve tells first: who asks the bridge meanwhile is held as long as he is there', async () => {
  const ref = newId();
  const options = { signal, metadata: new Metadata().add(BUILD_ID_METADATA, ref) };
  const answered: string[] = [];
  const call = (name: string, made: Promise<unknown>) =>
    expect(made.finally(() => answered.push(name))).rejects.toThrow('granting entitlement');
  const entitlements = ['security.insecure'];
  // Told in the end to who has not heard it from Solve.
  await Promise.all([
    call('ping', client.gateway.ping({}, options)),
    call('solve', client.control.solve({ ref, entitlements }, { signal })),
  ]);
  expect(answered).toEqual(['solve', 'ping']);
});

test('files and directories are told exactly', async () => {
  const { session, options } = await frontend();
  const definition = encodeDefinition(local('context', { sessionId: session.id }).marshal());
  const { id = '' } = await solve({ definition }, options);
  const { stat } = await client.gateway.statFile({ ref: id, path: 'a.txt' }, options);
  expect([text(stat?.path), stat?.mode]).toEqual(['a.txt', 0o644]);
  expect([toNumber(stat?.size), toBigInt(stat?.modTime)]).toEqual([5, 1577934245123456789n]);
  const list = async (includePattern = '') =>
    (await client.gateway.readDir({ ref: id, dirPath: '/', includePattern }, options)).entries ?? [];
  expect((await list()).map((entry) => [text(entry.path), toNumber(entry.size), text(entry.linkname)])).toEqual([
    ['a.txt', 5, ''],
    ['link', 5, 'a.txt'],
    ['other', 0, ''],
    ['sub', 0, ''],
  ]);
  const names = async (pattern: string) => (await list(pattern)).map((entry) => text(entry.path));
  expect(await names('*.txt')).toEqual(['a.txt']);
  expect(await names('sub')).toEqual(['sub']);
  expect(await names('**/*.md')).toEqual(['sub']);
  expect(await names('sub/deep/x.md')).toEqual(['sub']);
  expect(await names('nope')).toEqual([]);
  await expect(client.gateway.statFile({ ref: id, path: 'nope' }, options)).rejects.toThrow(
    'lstat nope: no such file or directory',
  );
  await expect(client.gateway.readFile({ ref: id, filePath: 'nope' }, options)).rejects.toThrow(
    'open nope: no such file or directory',
  );
});

test('sources other than images say what they are', async () => {
  const { options } = await frontend();
  const server = createServer((_, response) => {
    response.setHeader('last-modified', 'Wed, 21 Oct 2015 07:28:00 GMT');
    response.setHeader('content-disposition', 'attachment; filename="named.txt"');
    response.end('content\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  const identifier = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
  const { source, http } = await client.gateway.resolveSourceMeta({ source: { identifier } }, options);
  expect(source?.identifier).toBe(identifier);
  expect(http).toMatchObject({ checksum: digestOf('content\n'), filename: 'named.txt' });
  expect(millisecondsOf(http?.lastModified)).toBe(Date.parse('2015-10-21T07:28:00Z'));

  const repository = path.join(folder, 'repository');
  const git = (...args: string[]) =>
    must('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args]);
  mkdirSync(repository);
  await git('init', '-q', '-b', 'main');
  await git('commit', '-q', '--allow-empty', '-m', 'one');
  await git('tag', '-a', 'v1', '-m', 'x');
  await git('update-server-info');
  const shas = async (...names: string[]) => (await git('rev-parse', ...names)).stdout.trim().split('\n');
  const [commit, tag] = await shas('main', 'v1');
  const { gitUrl } = await serveFiles(path.join(repository, '.git'));
  const ask = async (fragment: string) =>
    (
      await client.gateway.resolveSourceMeta(
        { source: { identifier: `git://${gitUrl}${fragment}`, attrs: { 'git.fullurl': `http://${gitUrl}` } } },
        options,
      )
    ).git;
  expect(await ask('')).toMatchObject({ checksum: commit, ref: 'refs/heads/main' });
  expect(await ask('#v1')).toMatchObject({ checksum: tag, ref: 'refs/tags/v1', commitChecksum: commit });
});

test('what a frontend asked another for carries its graph, and can be built on', async () => {
  const { options } = await frontend();
  writeFileSync(path.join(context, 'Dockerfile'), 'FROM scratch\nCOPY a.txt /from-one\n');
  const one = await solve({ frontend: 'dockerfile.v0' }, options);
  expect(one.def?.length).toBeGreaterThan(0);
  writeFileSync(path.join(context, 'Two'), 'FROM scratch\nCOPY --from=base /from-one /two\n');
  const two = await solve(
    {
      frontend: 'dockerfile.v0',
      frontendOpt: { filename: 'Two', 'context:base': 'input:base', 'frontend.caps': 'moby.buildkit.frontend.inputs' },
      frontendInputs: { base: one.def ?? new Uint8Array() },
    },
    options,
  );
  const { data } = await client.gateway.readFile({ ref: two.id ?? '', filePath: '/two' }, options);
  expect(Buffer.from(data ?? []).toString()).toBe('hello');
  const nil = { context: new Uint8Array(), dockerfile: new Uint8Array() };
  await expect(solve({ frontend: 'dockerfile.v0', frontendInputs: nil }, options)).rejects.toThrow(
    'invalid nil input definition to definition op',
  );
});

describe('containers', () => {
  /** A build with a container on a small root. */
  async function containerOf(more: wire.moby.buildkit.v1.frontend.NewContainerRequest.$Properties = {}) {
    const { ref, session, options, solving } = await frontend();
    const definition = encodeDefinition(local('rootfs', { sessionId: session.id }).marshal());
    const { id = '' } = await solve({ definition }, options);
    const root = { dest: '/', resultId: id };
    await client.gateway.newContainer({ containerId: 'c', mounts: [root], ...more }, options);
    const stream = openExecStream(client.gateway, options);
    stream.ended.catch(() => {});
    const sh = (script: string, init: Parameters<typeof stream.start>[0] = {}) => {
      const meta = { args: ['/bin/sh', '-c', script], cwd: '/', ...init.meta };
      return stream.start({ containerId: 'c', fds: [0, 1, 2], ...init, meta });
    };
    return { ref, root, options, stream, sh, solving };
  }

  test('have processes with input, a terminal, signals and secrets', async () => {
    const { stream, sh, root, options } = await containerOf({
      hostname: 'named',
      extraHosts: [{ host: 'there', ip: '1.2.3.4' }],
    });
    const first = sh('hostname; grep there /etc/hosts; echo $A; echo kept > /file; cat; exit 3', {
      meta: { env: ['A=b'] },
    });
    await first.until('b\n');
    const sized = 'until stty size 2>/dev/null | grep -v "^0 0"; do :; done';
    const terminal = sh(`echo $TERM; ${sized}; until stty size | grep "11 22"; do :; done; read -r x; echo "<$x>"`, {
      tty: true,
    });
    await terminal.until('24 80');
    terminal.resize(11, 22);
    await terminal.until('11 22');
    terminal.write('hi\n');
    expect(await terminal.done).toEqual({ code: 0, error: '' });
    expect(terminal.said()).toMatch(/^xterm\r\n24 80\r\n(.*\r\n)*11 22\r\nhi\r\n<hi>\r\n$/);
    const trap = sh("cat /file; trap 'exit 4' TERM; echo ready; while true; do sleep 0.1; done");
    await trap.until('ready');
    trap.signal('TERM');
    expect(await trap.done).toEqual({ code: 4, error: 'exit code: 4' });
    expect(trap.said()).toBe('kept\nready\n');
    const secret = sh('echo $S', { secretenv: [{ id: 's', name: 'S' }] });
    await secret.done;
    expect(secret.said()).toBe('hush\n');
    expect(await sh('true', { meta: { user: 'nobody-here' } }).done).toMatchObject({
      code: 255,
      error: expect.stringContaining('unable to find user nobody-here'),
    });
    expect(await sh('', { meta: { args: ['/no/such'] } }).done).toMatchObject({
      code: 255,
      error: expect.stringContaining('no such file or directory'),
    });
    first.write('input\n');
    first.eof();
    expect(await first.done).toEqual({ code: 3, error: 'exit code: 3' });
    expect(first.said()).toBe('named\n1.2.3.4\tthere\nb\ninput\n');
    expect((await sh('true').done).error).toContain('does not run');
    await client.gateway.releaseContainer({ containerId: 'c' }, options);
    await expect(client.gateway.releaseContainer({ containerId: 'c' }, options)).rejects.toThrow(
      'container details for c not found',
    );
    // What was written is gone with it; the name is free again.
    await client.gateway.newContainer({ containerId: 'c', mounts: [{ dest: '/m', mountType: 4 }, root] }, options);
    const fresh = sh('ls /file 2>&1; grep -c " /m tmpfs" /proc/mounts');
    expect((await fresh.done).code).toBe(0);
    expect(fresh.said()).toBe('ls: /file: No such file or directory\n1\n');
    stream.end();
    await stream.ended;
  });

  test('are read from outside, mount by mount, while processes write and when none runs', async () => {
    const { root, options, sh } = await containerOf();
    const mounts = [root, { dest: '/m', mountType: 4 }, { dest: '/in', resultId: root.resultId, readonly: true }];
    await client.gateway.newContainer({ containerId: 'r', mounts }, options);
    const read = async (filePath: string, mountIndex = 0, range?: { offset?: number; length?: number }) =>
      text(
        (await client.gateway.readFileContainer({ ref: 'r', filePath, mountIndex, ...(range && { range }) }, options))
          .data,
      );
    const names = async (dirPath: string, mountIndex = 0) =>
      (await client.gateway.readDirContainer({ ref: 'r', dirPath, mountIndex }, options)).entries?.map(({ path }) =>
        text(path),
      );
    const stat = async (path: string, mountIndex = 0) =>
      (await client.gateway.statFileContainer({ ref: 'r', path, mountIndex }, options)).stat;

    await expect(read('/made')).rejects.toThrow('no such file or directory');
    const first = sh(
      'echo one > /made; echo ready; read -r x; echo two > /made; mkdir /d; ln -s ../made /d/link; echo done; cat',
      {
        containerId: 'r',
      },
    );
    await first.until('ready');
    expect(await read('/made')).toBe('one\n');
    first.write('on\n');
    await first.until('done');
    expect(await read('/made')).toBe('two\n');
    expect(await read('/d/link', 0, { offset: 1, length: 2 })).toBe('wo');
    expect(await names('/d')).toEqual(['link']);
    expect(await stat('/made')).toMatchObject({ path: Buffer.from('made'), mode: 0o644 });
    expect(toNumber((await stat('/made'))?.size)).toBe(4);
    expect(await names('/', 2)).not.toContain('made');
    await expect(read('/made', 3)).rejects.toThrow('mount index 3 is out of bounds (3 available)');
    await expect(read('/made', -1)).rejects.toThrow('mount index -1 is out of bounds (3 available)');
    first.eof();
    await first.done;
    expect(await read('/made')).toBe('two\n');
    await client.gateway.releaseContainer({ containerId: 'r' }, options);
    await expect(read('/made')).rejects.toThrow('container details for r not found');
  });

  test('need a root, refs that are there, ids of their own, and what a build was granted', async () => {
    const { root, options, sh } = await containerOf();
    const make = (request: wire.moby.buildkit.v1.frontend.NewContainerRequest.$Properties) =>
      client.gateway.newContainer(request, options);
    await expect(make({ containerId: 'x' })).rejects.toThrow('root mount is required');
    await expect(make({ containerId: 'x', mounts: [{ dest: '/', resultId: 'nope' }] })).rejects.toThrow(
      'failed to find ref nope for "/" mount',
    );
    await expect(make({ containerId: 'c', mounts: [root] })).rejects.toThrow('Container c already exists');
    expect((await sh('true', { security: 1 }).done).error).toBe('security.insecure is not allowed');
    await make({ containerId: 'h', network: 1, mounts: [root] });
    expect((await sh('true', { containerId: 'h' }).done).error).toBe('network.host is not allowed');
    expect((await sh('true', { containerId: 'unknown' }).done).error).toBe('container details for unknown not found');
    const sandbox = sh('grep -E "^Seccomp:" /proc/self/status');
    await sandbox.done;
    expect(sandbox.said()).toBe('Seccomp:\t2\n');
  });

  test.each(['returns', 'fails'])('end with a build that %s', async (how) => {
    const { sh, options, solving } = await containerOf();
    const process = sh('echo up; sleep 1000');
    await process.until('up');
    if (how === 'returns') await client.gateway.return({ result: {} }, options);
    else {
      // Whatever there is to end: Solve fails before the error is acknowledged, since buildctl names what it hears of first.
      const heard: string[] = [];
      const failing = solving.catch((error: Error) => heard.push(error.message));
      await client.gateway.return({ error: { code: 1, message: 'enough' } }, options);
      heard.push('acknowledged');
      await failing;
      expect(heard).toEqual([expect.stringContaining('enough'), 'acknowledged']);
    }
    expect((await process.done).code).toBe(137);
  });
});

/** Serves a folder's files by HTTP. */
async function serveFiles(root: string): Promise<{ readonly gitUrl: string }> {
  const server = createServer((request, response) => {
    const file = path.join(
      root,
      path.normalize(new URL(request.url ?? '/', 'http://x').pathname).replace(/^\/r\.git/, ''),
    );
    if (!existsSync(file) || !statSync(file).isFile()) response.writeHead(404).end();
    else createReadStream(file).pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  return { gitUrl: `127.0.0.1:${(server.address() as AddressInfo).port}/r.git` };
}
