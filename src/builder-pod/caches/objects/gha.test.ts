import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { DIRECT, digestOf, neverAborted } from '../../../base/index.ts';
import { OutboundAgents } from '../../../base/outbound-agents.ts';
import { FaultProxy } from '../../../oci/registry-client/testing/fault-proxy.ts';
import { ExportOptions } from '../../exporters/index.ts';
import { GhaServer, ghaToken } from '../testing/gha-server.ts';
import type { ObjectClient } from './client.ts';
import type { GhaConfig } from './config.ts';
import { ghaClient } from './gha.ts';
import { ghaOptions } from './gha-options.ts';

const signal = neverAborted;

/** How the service says that a key is taken, in the forms that clients of it know. */
const CONFLICTS: readonly (readonly [version: 1 | 2, status: number, body: object])[] = [
  [1, 409, { typeKey: 'ArtifactCacheItemAlreadyExistsException', message: 'Cache already exists.' }],
  [1, 400, { typeKey: 'ArtifactCacheItemAlreadyExistsException', message: 'no' }],
  [1, 400, { message: 'Cache already exists. Scope: refs/heads/main' }],
  [2, 409, { code: 'already_exists', msg: 'cache entry with the same key, version, and scope already exists' }],
  [2, 412, { code: 'already_exists', msg: '' }],
  [2, 200, { ok: false, message: 'cache entry with the same key, version, and scope already exists' }],
];

async function opened(
  version: 1 | 2,
  more: object = {},
): Promise<{ proxy: FaultProxy; client: ObjectClient } & AsyncDisposable> {
  await using cleanup = new AsyncDisposableStack();
  const token = ghaToken();
  const server = cleanup.use(await GhaServer.start(token));
  const proxy = cleanup.use(await FaultProxy.start(server.url));
  const attrs = { token, scope: 's', [version === 1 ? 'url' : 'url_v2']: `http://${proxy.host}`, ...more };
  const { config } = ghaOptions(new ExportOptions('gha cache', attrs));
  const client = ghaClient(config as GhaConfig, cleanup.use(new OutboundAgents(DIRECT)));
  const closing = cleanup.move();
  return { proxy, client, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

/** The next reservation is answered so. */
function answersOnce(proxy: FaultProxy, status: number, body: object): void {
  let left = 1;
  proxy.fault = (req, res) => {
    if (req.method !== 'POST' || !/\/(?:caches|CreateCacheEntry)$/.test(req.url ?? '') || left-- <= 0) return false;
    req.resume();
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    return true;
  };
}

describe.each(CONFLICTS)('API %i, a conflict told as %i %j', (version, status, body) => {
  test('a blob that another builder writes at the same time counts as there', async () => {
    await using world = await opened(version);
    const { client, proxy } = world;
    const bytes = randomBytes(1000);
    const blob = { digest: digestOf(bytes), size: bytes.length };
    answersOnce(proxy, status, body);
    await client.putBlob(blob, Readable.from([bytes]), { signal });
    // The other one has not ended yet, or never will.
    expect(await client.keepBlob(blob, { signal })).toBe(false);
    await client.putBlob(blob, Readable.from([bytes]), { signal });
    expect(await client.keepBlob(blob, { signal })).toBe(true);
  });
});

test.concurrent.each([
  CONFLICTS[0]!,
  CONFLICTS[5]!,
])('API %i: an index that another builder writes at the same time is waited for, and then followed by this one', async (version, status, body) => {
  await using world = await opened(version);
  const { client, proxy } = world;
  answersOnce(proxy, status, body);
  await client.writeIndex(Buffer.from('mine'), { signal });
  const read = await client.readIndexes({ signal, maxBytes: 100 });
  expect(read.map((one) => Buffer.from(one).toString())).toEqual(['mine']);
});

test.each([1, 2] as const)('API %i: what is refused otherwise fails', async (version) => {
  await using world = await opened(version);
  const { client, proxy } = world;
  answersOnce(proxy, 400, { message: 'Cache is full' });
  const bytes = Buffer.from('x');
  const put = client.putBlob({ digest: digestOf(bytes), size: 1 }, Readable.from([bytes]), { signal });
  await expect(put).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringContaining('Cache is full'),
  });
});

test.each([
  1, 2,
] as const)('API %i: a service that asks for more patience than the timeout is not waited for', async (version) => {
  for (const [timeout, tries] of [
    ['10m', 2],
    ['500ms', 1],
  ] as const) {
    await using world = await opened(version, { timeout });
    const { client, proxy } = world;
    proxy.fault = (req, res) => {
      if (proxy.requests.length > 1) return false;
      req.resume();
      res.writeHead(503, { 'retry-after': '1' }).end();
      return true;
    };
    const kept = client.keepBlob({ digest: digestOf(Buffer.from('x')), size: 1 }, { signal });
    if (tries === 2) expect(await kept).toBe(false);
    else await expect(kept).rejects.toMatchObject({ code: 'unavailable' });
    expect(proxy.requests).toHaveLength(tries);
  }
});

test.each([
  1, 2,
] as const)('API %i: an answer that does not come within the timeout is not waited for', async (version) => {
  await using world = await opened(version, { timeout: '200ms' });
  const { client, proxy } = world;
  // Neither one that is silent from the start, nor one that stops in the middle of what it says.
  for (const begins of [false, true]) {
    proxy.requests.length = 0;
    proxy.fault = (req, res) => {
      req.resume();
      if (begins) res.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{');
      return true;
    };
    const kept = client.keepBlob({ digest: digestOf(Buffer.from('x')), size: 1 }, { signal });
    await expect(kept).rejects.toMatchObject({ code: 'unavailable' });
    expect(proxy.requests).toHaveLength(1);
  }
});
