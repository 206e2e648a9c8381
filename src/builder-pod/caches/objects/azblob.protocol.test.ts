import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  generateAccountSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { makeAuthority } from '../../../../e2e/support/certificates.ts';
import { DIRECT, digestOf, neverAborted } from '../../../base/index.ts';
import { OutboundAgents } from '../../../base/outbound-agents.ts';
import { FaultProxy } from '../../../oci/registry-client/testing/fault-proxy.ts';
import { AZURE_ACCOUNT, AZURE_KEY, azureContainer, azureServer } from '../testing/azure-server.ts';
import { behindProxy } from '../testing/store-worlds.ts';
import { blobOf, streamed } from '../testing/streamed-blob.ts';
import { azureClient } from './azblob.ts';
import type { AzureConfig } from './config.ts';

const signal = neverAborted;
const cleanup = new AsyncDisposableStack();
let folder: string;
let server: { readonly url: string };
let proxy: FaultProxy;
let containers = 0;

const configOf = (change: Partial<AzureConfig> = {}): AzureConfig => ({
  ...{ type: 'azblob', accountUrl: `http://${proxy.host}/${AZURE_ACCOUNT}`, accountName: AZURE_ACCOUNT },
  ...{
    container: `of-${++containers}`,
    indexes: ['manifests/a', 'manifests/b'],
    blobs: 'blobs',
    accountKey: AZURE_KEY,
  },
  ...change,
});
const agents = (options = {}) => cleanup.use(new OutboundAgents(DIRECT, options));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-azblob-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  ({ server, proxy } = cleanup.use(await behindProxy(azureServer(join(folder, 'plain')))));
});
afterAll(() => cleanup.disposeAsync());
afterEach(() => {
  proxy.fault = () => undefined;
  proxy.requests.length = 0;
  vi.unstubAllEnvs();
});

/** Writes and reads, with what only a client that may do all can. */
async function usedWhole(client: Awaited<ReturnType<typeof azureClient>>): Promise<void> {
  const bytes = randomBytes(1000);
  const blob = blobOf(bytes);
  expect(await client.readIndexes({ signal, maxBytes: 100 })).toEqual([]);
  expect(await client.keepBlob(blob, { signal })).toBe(false);
  await client.putBlob(blob, streamed(bytes), { signal });
  expect(await client.keepBlob(blob, { signal })).toBe(true);
  expect(await client.keepBlob({ ...blob, size: 999 }, { signal })).toBe(false);
  await client.writeIndex(Buffer.from('index'), { signal });
  expect((await client.readIndexes({ signal, maxBytes: 100 })).map((one) => Buffer.from(one).toString())).toEqual([
    ...['index', 'index'],
  ]);
  const rest = await client.blobHost(blob).open({ from: 990 }, { signal });
  expect(rest).toMatchObject({ from: 990, size: 1000 });
  expect(Buffer.concat(await Array.fromAsync(rest.body as AsyncIterable<Buffer>))).toEqual(bytes.subarray(990));
}

/** Who tells the builder who it is; it gives tokens once it is `known`. */
async function identityServer(): Promise<Pick<FaultProxy, 'requests'> & { known: boolean } & AsyncDisposable> {
  const identities = await FaultProxy.start();
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = { iat: now, nbf: now - 60, exp: now + 3600, aud: 'https://storage.azure.com' };
  const iss = 'https://sts.windows.net/00000000-0000-0000-0000-000000000001/';
  const token = [part({ alg: 'RS256', typ: 'JWT' }), part({ ...claims, iss }), 'c2ln'].join('.');
  const server = {
    ...{ requests: identities.requests, known: false },
    [Symbol.asyncDispose]: () => identities[Symbol.asyncDispose](),
  };
  identities.fault = (_req, res) => {
    const body = { access_token: token, expires_on: `${now + 3600}`, resource: '', token_type: 'Bearer' };
    res.writeHead(server.known ? 200 : 400, { 'content-type': 'application/json' });
    res.end(JSON.stringify(server.known ? body : { statusCode: 400, message: 'nobody' }));
    return true;
  };
  vi.stubEnv('AZURE_TOKEN_CREDENTIALS', 'prod');
  vi.stubEnv('IDENTITY_ENDPOINT', `http://${identities.host}/token`);
  vi.stubEnv('IDENTITY_HEADER', 'who-i-am');
  return server;
}

test('an index is written where the container is not there yet, under each of its names', async () => {
  const config = configOf();
  await (await azureClient(config, agents())).writeIndex(Buffer.from('x'), { signal });
  const names = await Array.fromAsync(azureContainer(server.url, config.container).listBlobsFlat(), ({ name }) => name);
  expect(names).toEqual(config.indexes);
});

test('a signature in the address opens the account as a key does, and is told in no error', async () => {
  const sas = generateAccountSASQueryParameters(
    {
      expiresOn: new Date(Date.now() + 3_600_000),
      permissions: AccountSASPermissions.parse('rwdlac'),
      resourceTypes: AccountSASResourceTypes.parse('sco').toString(),
      services: AccountSASServices.parse('b').toString(),
    },
    new StorageSharedKeyCredential(AZURE_ACCOUNT, AZURE_KEY),
  ).toString();
  const accountUrl = (query: string) => `http://${proxy.host}/${AZURE_ACCOUNT}?${query}`;
  const config = configOf({ accountKey: undefined, accountUrl: accountUrl(sas) });
  await usedWhole(await azureClient(config, agents()));
  const forged = sas.replace(/sig=[^&]+/, 'sig=Zm9yZ2Vk');
  const refused = await azureClient({ ...config, accountUrl: accountUrl(forged) }, agents());
  const error = await refused.keepBlob(blobOf(Buffer.from('x')), { signal }).catch((why: unknown) => why);
  expect(error).toMatchObject({ code: 'permission_denied' });
  expect(`${(error as Error).message} ${JSON.stringify(error)}`).not.toContain('Zm9yZ2Vk');
});

test('without a key the builder’s own identity counts, with the certificates that our connections trust', async () => {
  const authority = await makeAuthority(folder, 'ca');
  await using secure = await azureServer(
    join(folder, 'secure'),
    await authority.issue('azure', { names: ['127.0.0.1'] }),
  );
  await using identities = await identityServer();
  const config = configOf({ accountKey: undefined, accountUrl: `${secure.url}/${AZURE_ACCOUNT}` });
  const ca = readFileSync(authority.cert, 'utf8');
  const nobody = await azureClient(config, agents({ ca }));
  await expect(nobody.keepBlob(blobOf(Buffer.from('x')), { signal })).rejects.toMatchObject({
    code: 'unauthenticated',
  });
  identities.known = true;
  identities.requests.length = 0;
  await usedWhole(await azureClient(config, agents({ ca })));
  expect(identities.requests.map(({ headers }) => headers['x-identity-header'])).toEqual(['who-i-am']);

  const untrusting = await azureClient(config, agents());
  await expect(untrusting.keepBlob(blobOf(Buffer.from('x')), { signal })).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/certificate/),
  });
});

test('a store is given a token for stores alone, whatever it asks for, and none that it leads to is given one', async () => {
  const authority = await makeAuthority(folder, 'hostile');
  const { key, cert } = await authority.issue('hostile', { names: ['127.0.0.1', 'localhost'] });
  await using identities = await identityServer();
  identities.known = true;
  const asked: string[] = [];
  let answer: () => Readonly<Record<string, string>>;
  const hostile = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (req, res) => {
    asked.push(`${req.headers.host?.split(':')[0]} ${req.headers.authorization?.split(' ')[0]}`);
    const headers = answer();
    res.writeHead('location' in headers ? 307 : 401, headers).end();
  }).listen(0);
  cleanup.defer(() => void hostile.close());
  await once(hostile, 'listening');
  const { port } = hostile.address() as AddressInfo;
  const config = configOf({ accountKey: undefined, accountUrl: `https://127.0.0.1:${port}/${AZURE_ACCOUNT}` });
  const client = await azureClient(config, agents({ ca: readFileSync(authority.cert, 'utf8') }));
  const ask = () => client.keepBlob(blobOf(Buffer.from('x')), { signal });

  const tenant = '00000000-0000-0000-0000-000000000001';
  const challenge = `Bearer authorization_uri=https://login.microsoftonline.com/${tenant}/oauth2/authorize resource_id=https://vault.azure.net`;
  answer = () => ({ 'www-authenticate': challenge });
  await expect(ask()).rejects.toMatchObject({ code: 'unauthenticated' });
  const wanted = identities.requests.map(({ path }) => new URL(path, 'http://h').searchParams.get('resource'));
  // One that it has already is not asked for again.
  expect(wanted.filter((resource) => resource !== 'https://storage.azure.com')).toEqual([]);

  asked.length = 0;
  answer = () => ({ location: `https://localhost:${port}/x` });
  await expect(ask()).rejects.toMatchObject({ code: 'failed_precondition' });
  expect(asked).toEqual(['127.0.0.1 Bearer']);
});

test('of two builders that write one blob at once both end well, and it is whole', async () => {
  const config = configOf();
  const bytes = randomBytes(20 << 20);
  const blob = blobOf(bytes);
  const clients = await Promise.all([azureClient(config, agents()), azureClient(config, agents())]);
  await clients[0].keepBlob(blob, { signal });
  let held: (() => void) | undefined;
  // The list of blocks of who comes first is the last to arrive.
  proxy.fault = (req, res, forward) => {
    if (!req.url?.includes('comp=blocklist')) return false;
    if (held === undefined) {
      held = forward;
      return true;
    }
    res.once('finish', held);
    return false;
  };
  // They cut it elsewhere.
  await Promise.all(
    clients.map((client, n) => client.putBlob(blob, streamed(bytes, n === 0 ? 1 << 20 : 3 << 20), { signal })),
  );
  const { body } = await clients[0].blobHost(blob).open(undefined, { signal });
  expect(digestOf(Buffer.concat(await Array.fromAsync(body as AsyncIterable<Buffer>)))).toBe(blob.digest);
});

test('what fails for now is asked again, when the server says; no more is sent at once than two blocks', async () => {
  const config = configOf();
  const client = await azureClient(config, agents());
  const bytes = randomBytes(40 << 20);
  const blob = blobOf(bytes);
  await client.keepBlob(blob, { signal });
  const failed = new Set<string>();
  let blocks = 0;
  let most = 0;
  const times: number[] = [];
  proxy.fault = (req: IncomingMessage, res) => {
    if (!req.url?.includes('comp=block')) return false;
    most = Math.max(most, ++blocks);
    res.once('close', () => blocks--);
    times.push(Date.now());
    if (failed.has(req.url)) return false;
    failed.add(req.url);
    req.resume().once('end', () => res.writeHead(failed.size === 1 ? 429 : 503, { 'retry-after': '1' }).end());
    return true;
  };
  await client.putBlob(blob, streamed(bytes), { signal });
  // Five blocks and their list, each of which was refused once.
  expect([failed.size, times.length, most]).toEqual([6, 12, 2]);
  expect(times[11]! - times[10]!).toBeGreaterThan(900);
  expect(await client.keepBlob(blob, { signal })).toBe(true);
});

test('who leaves is waited for by nobody', async () => {
  const config = configOf();
  const client = await azureClient(config, agents());
  const bytes = randomBytes(20 << 20);
  await client.keepBlob(blobOf(bytes), { signal });
  const leaving = new AbortController();
  proxy.fault = (req) => {
    if (!req.url?.includes('comp=block')) return false;
    leaving.abort(new Error('enough'));
    return true;
  };
  await expect(client.putBlob(blobOf(bytes), streamed(bytes), { signal: leaving.signal })).rejects.toThrow('enough');
});
