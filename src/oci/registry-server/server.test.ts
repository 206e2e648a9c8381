import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { RegistryServer, type RegistryServerOptions, startRegistryThread } from './index.ts';

let root: string;
let cleanup: AsyncDisposableStack;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  root = await mkdtemp(join(tmpdir(), 'slipway-registry-server-'));
  cleanup.defer(() => rm(root, { recursive: true, force: true }));
});
afterEach(() => cleanup.disposeAsync());

const serve = async (options: Partial<RegistryServerOptions> = {}) =>
  cleanup.use(await RegistryServer.start({ root, durable: false, ...options }));

const push = (url: string, name: string, bytes: string, digest = digestOf(bytes)) =>
  fetch(`${url}/v2/${name}/blobs/uploads/?digest=${digest}`, { method: 'POST', body: bytes });

const problem = async (response: Response) => {
  const { errors } = (await response.json()) as { errors: { code: string }[] };
  return [response.status, errors[0]?.code];
};

test('equal blobs are stored once, and go with the last repository that holds them', async () => {
  const { url } = await serve();
  const digest = digestOf('hello');
  for (const name of ['a', 'b/c']) expect((await push(url, name, 'hello')).status).toBe(201);
  const file = join(root, 'blobs/sha256', digest.slice(7));
  expect(statSync(file).nlink).toBe(3);
  const remove = (name: string) => fetch(`${url}/v2/${name}/blobs/${digest}`, { method: 'DELETE' });
  expect((await remove('a')).status).toBe(202);
  expect(await (await fetch(`${url}/v2/b/c/blobs/${digest}`)).text()).toBe('hello');
  expect((await fetch(`${url}/v2/a/blobs/${digest}`)).status).toBe(404);
  expect((await remove('b/c')).status).toBe(202);
  expect(existsSync(file)).toBe(false);
  expect(readdirSync(join(root, 'temp'))).toEqual([]);
});

test('what is refused leaves no file', async () => {
  const { url } = await serve({ maxBlobBytes: 10, maxManifestBytes: 20, maxUploads: 2 });
  expect(await problem(await push(url, 'a', 'hello', digestOf('other')))).toEqual([400, 'DIGEST_INVALID']);
  expect(await problem(await push(url, 'a', 'x'.repeat(11)))).toEqual([413, 'SIZE_INVALID']);
  expect(await problem(await push(url, 'UPPER', 'x'))).toEqual([400, 'NAME_INVALID']);
  expect(await problem(await push(url, '../../etc', 'x'))).toEqual([404, 'NAME_UNKNOWN']);
  expect(await problem(await push(url, '%2e%2e/%2e%2e/etc', 'x'))).toEqual([404, 'NAME_UNKNOWN']);
  expect(await problem(await push(url, 'a%2f_blobs', 'x'))).toEqual([400, 'NAME_INVALID']);
  const put = (tag: string, body: string) => fetch(`${url}/v2/a/manifests/${tag}`, { method: 'PUT', body });
  expect(await problem(await put('v1', 'x'.repeat(21)))).toEqual([413, 'SIZE_INVALID']);
  expect(await problem(await put('v1', '{}'))).toEqual([400, 'MANIFEST_INVALID']);
  expect(await problem(await put('..%2f..%2fx', '{}'))).toEqual([404, 'NAME_UNKNOWN']);
  expect(await problem(await fetch(`${url}/v2/a/blobs/sha256:..%2f..%2fx`))).toEqual([404, 'NAME_UNKNOWN']);
  expect(await problem(await fetch(`${url}/v2/a/blobs/uploads/none`, { method: 'PATCH', body: 'x' }))).toEqual([
    404,
    'BLOB_UPLOAD_UNKNOWN',
  ]);
  expect(readdirSync(join(root, 'temp'))).toEqual([]);
  // The upload idle for longest gives way to a new one.
  const begun = await Promise.all([1, 2, 3].map(() => fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' })));
  expect(begun.map(({ status }) => status)).toEqual([202, 202, 202]);
  expect(readdirSync(join(root, 'temp'))).toHaveLength(2);
});

test('content outlives the server, unfinished uploads do not', async () => {
  const first = await RegistryServer.start({ root });
  await push(first.url, 'a', 'hello');
  await fetch(`${first.url}/v2/a/blobs/uploads/`, { method: 'POST' });
  await first[Symbol.asyncDispose]();
  expect(readdirSync(join(root, 'temp'))).toEqual([]);
  const { url } = await serve();
  expect(await (await fetch(`${url}/v2/a/blobs/${digestOf('hello')}`)).text()).toBe('hello');
});

test('in a thread of its own: serves, stops, and says why it does not start', async () => {
  const registry = await startRegistryThread({ root, durable: false });
  expect((await push(registry.url, 'a', 'hello')).status).toBe(201);
  const port = Number(new URL(registry.url).port);
  await expect(startRegistryThread({ root: join(root, 'other'), port })).rejects.toThrow(/EADDRINUSE/);
  await registry[Symbol.asyncDispose]();
  await expect(fetch(registry.url)).rejects.toThrow();
});
