import { once } from 'node:events';
import { createReadStream, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBuilder } from '../../../e2e/support/builder.ts';
import { must } from '../../../e2e/support/run.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { digestOf, newId, neverAborted as signal } from '../../base/index.ts';
import {
  BUILD_ID_METADATA,
  type BuilderClient,
  Metadata,
  millisecondsOf,
  openBuilderClient,
  registerSessionServices,
  toBigInt,
  toNumber,
  type wire,
} from '../../builder-api/index.ts';
import { encodeDefinition, local } from '../../llb/index.ts';

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
          ]),
          secrets: new Map(),
        }),
    }),
  );
  const ref = newId();
  client.control.solve({ ref, session: session.id }, { signal }).catch(() => {});
  const options = { signal, metadata: new Metadata().add(BUILD_ID_METADATA, ref) };
  return { ref, session, options };
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
