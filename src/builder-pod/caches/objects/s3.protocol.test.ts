import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { DIRECT, digestOf, neverAborted } from '../../../base/index.ts';
import { OutboundAgents } from '../../../base/outbound-agents.ts';
import type { FaultProxy } from '../../../oci/registry-client/testing/fault-proxy.ts';
import { ExportOptions } from '../../exporters/index.ts';
import { S3_KEYS, S3_REGION, s3Server } from '../testing/s3-server.ts';
import { behindProxy } from '../testing/store-worlds.ts';
import { blobOf, streamed } from '../testing/streamed-blob.ts';
import type { S3Config } from './config.ts';
import { s3Client } from './s3.ts';
import { s3Options } from './s3-options.ts';

const signal = neverAborted;
const BUCKET = 'caches';
const DAY_MS = 86_400_000;
const cleanup = new AsyncDisposableStack();
let folder: string;
let proxy: FaultProxy;

type Attributes = Readonly<Record<string, string>>;

/** As a user names it, in a server that is behind the proxy. */
function clientOf(attrs: Attributes, limits: Parameters<typeof s3Client>[2] = {}) {
  const common = { bucket: BUCKET, region: S3_REGION, endpoint_url: `http://${proxy.host}`, use_path_style: 'true' };
  const { config } = s3Options(new ExportOptions('s3 cache', { ...common, ...S3_KEYS, ...attrs }), {});
  return s3Client(config as S3Config, cleanup.use(new OutboundAgents(DIRECT)), limits);
}

const fileOf = (key: string) => join(folder, 'data', BUCKET, key);
const requests = (pattern: RegExp) =>
  proxy.requests.map(({ method, path }) => `${method} ${decodeURIComponent(path)}`).filter((one) => pattern.test(one));

async function read(client: ReturnType<typeof clientOf>, bytes: Uint8Array, from = 0): Promise<Buffer> {
  const { body } = await client.blobHost(blobOf(bytes)).open(from === 0 ? undefined : { from }, { signal });
  return Buffer.concat(await Array.fromAsync(body as AsyncIterable<Buffer>));
}

/** A blob that was written so long ago, at this key. */
async function written(client: ReturnType<typeof clientOf>, bytes: Uint8Array, key: string, agoMs = 0): Promise<void> {
  await client.putBlob(blobOf(bytes), streamed(bytes), { signal });
  const then = (Date.now() - agoMs) / 1000;
  utimesSync(fileOf(key), then, then);
  proxy.requests.length = 0;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-s3-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  ({ proxy } = cleanup.use(await behindProxy(s3Server(folder, BUCKET))));
});
afterAll(() => cleanup.disposeAsync());
afterEach(() => {
  proxy.fault = () => undefined;
  proxy.requests.length = 0;
});

test('an index is written under each of its names, blobs lie beside it, and each has a prefix of its own', async () => {
  const client = clientOf({ name: 'a;b/c', prefix: 'p/', manifests_prefix: 'said of/', blobs_prefix: 'given/x-' });
  const bytes = randomBytes(1000);
  expect(await client.readIndexes({ signal, maxBytes: 100 })).toEqual([]);
  await client.putBlob(blobOf(bytes), streamed(bytes), { signal });
  await client.writeIndex(Buffer.from('index'), { signal });
  for (const name of ['a', 'b/c']) expect(readFileSync(fileOf(`p/said of/${name}`), 'utf8')).toBe('index');
  expect(readFileSync(fileOf(`p/given/x-${digestOf(bytes)}`))).toEqual(bytes);

  // Each name alone finds it.
  for (const name of ['a', 'b/c']) {
    const reader = clientOf({ name, prefix: 'p/', manifests_prefix: 'said of/', blobs_prefix: 'given/x-' });
    const found = await reader.readIndexes({ signal, maxBytes: 100 });
    expect(found.map((one) => Buffer.from(one).toString())).toEqual(['index']);
    expect(await read(reader, bytes, 990)).toEqual(bytes.subarray(990));
  }
  // Beside the prefixes there is nothing of it.
  const other = clientOf({ name: 'a', prefix: 'p/' });
  expect(await other.readIndexes({ signal, maxBytes: 100 })).toEqual([]);
  expect(await other.keepBlob(blobOf(bytes), { signal })).toBe(false);
});

test('a blob that is older than touch_refresh is renewed when a cache needs it, and no other', async () => {
  const bytes = randomBytes(5000);
  const key = `touched/blobs/${digestOf(bytes)}`;
  const client = clientOf({ prefix: 'touched/', touch_refresh: '48h' });
  await written(client, bytes, key, DAY_MS);
  expect(await client.keepBlob(blobOf(bytes), { signal })).toBe(true);
  expect(requests(/./)).toEqual([expect.stringMatching(/^HEAD /)]);

  // A day and less is new enough where nothing is said.
  const usual = clientOf({ prefix: 'touched/' });
  await written(client, bytes, key, DAY_MS - 60_000);
  expect(await usual.keepBlob(blobOf(bytes), { signal })).toBe(true);
  expect(requests(/^PUT/)).toEqual([]);
  await written(client, bytes, key, DAY_MS + 60_000);
  expect(await usual.keepBlob(blobOf(bytes), { signal })).toBe(true);
  // Onto itself with other metadata: this server takes only these, others its time as well.
  const [copy, ...others] = proxy.requests.filter(({ method }) => method === 'PUT');
  expect([others, copy?.headers]).toMatchObject([[], { 'x-amz-metadata-directive': 'REPLACE' }]);
  expect(decodeURIComponent(copy?.path ?? '')).toContain(key);
  expect(decodeURIComponent(String(copy?.headers['x-amz-copy-source']))).toBe(`${BUCKET}/${key}`);
  expect(Date.now() - Date.parse(String(copy?.headers['x-amz-meta-updated-at']))).toBeLessThan(DAY_MS);
  expect(await read(usual, bytes)).toEqual(bytes);

  // What was cut off is no blob, and is not renewed.
  await written(client, bytes, key, 3 * DAY_MS);
  expect(await client.keepBlob({ ...blobOf(bytes), size: 4999 }, { signal })).toBe(false);
  expect(requests(/^PUT/)).toEqual([]);
});

test('what is larger than a copy may be is renewed part by part, and a renewal that fails leaves it as it was', async () => {
  const MIB = 1 << 20;
  const bytes = randomBytes(5 * MIB + 1);
  const key = `large/blobs/${digestOf(bytes)}`;
  const client = clientOf({ prefix: 'large/', touch_refresh: '1h' }, { maxCopy: 5 * MIB });
  await written(client, bytes, key, DAY_MS);
  expect(await client.keepBlob(blobOf(bytes), { signal })).toBe(true);
  expect(requests(/^PUT .*partNumber=/)).toHaveLength(2);
  const ranges = proxy.requests.flatMap(({ headers }) => headers['x-amz-copy-source-range'] ?? []);
  expect(ranges).toEqual([`bytes=0-${5 * MIB - 1}`, `bytes=${5 * MIB}-${5 * MIB}`]);
  expect(Date.now() - statSync(fileOf(key)).mtimeMs).toBeLessThan(DAY_MS);
  expect(await read(client, bytes)).toEqual(bytes);

  await written(client, bytes, key, DAY_MS);
  proxy.fault = (req, res) => {
    if (!req.url?.includes('partNumber=2')) return false;
    res.writeHead(403).end();
    return true;
  };
  await expect(client.keepBlob(blobOf(bytes), { signal })).rejects.toMatchObject({ code: 'permission_denied' });
  // Parts that nobody completes are paid for.
  expect(requests(/^DELETE .*uploadId=/)).toHaveLength(1);
  proxy.fault = () => undefined;
  expect(await read(client, bytes)).toEqual(bytes);
});

test('a session token is signed with each request, and told in no error', async () => {
  const bytes = randomBytes(100);
  const client = clientOf({ session_token: 'for-this-hour', prefix: 'session/' });
  // This server gives out none, and says so.
  const error = await client.putBlob(blobOf(bytes), streamed(bytes), { signal }).catch((why: unknown) => why);
  expect((error as Error).message).toContain('InvalidToken');
  expect(`${(error as Error).message} ${JSON.stringify(error)}`).not.toMatch(/for-this-hour|test-secret/);
  proxy.fault = (req, res) => {
    const headers = req.method === 'HEAD' ? { 'content-length': '100', 'last-modified': new Date().toUTCString() } : {};
    req.resume().once('end', () => res.writeHead(200, headers).end());
    return true;
  };
  await client.putBlob(blobOf(bytes), streamed(bytes), { signal });
  await client.keepBlob(blobOf(bytes), { signal });
  await client.writeIndex(Buffer.from('x'), { signal });
  expect(proxy.requests).toHaveLength(4);
  for (const { headers } of proxy.requests)
    expect(headers).toMatchObject({
      'x-amz-security-token': 'for-this-hour',
      authorization: expect.stringMatching(/SignedHeaders=[^,]*;x-amz-security-token[;,]/),
    });
});

test.each([
  [{}, 3],
  [{ retry_max_attempts: '1' }, 1],
  [{ retry_max_attempts: '5', retry_mode: 'standard' }, 5],
  [{ retry_max_attempts: '2', retry_mode: 'adaptive' }, 2],
] as const)(
  'what fails for now is asked again as %j says: %i times in all',
  async (attrs, tries) => {
    const client = clientOf(attrs);
    const blob = blobOf(Buffer.from('x'));
    proxy.fault = (_req, res) => {
      res.writeHead(503).end();
      return true;
    };
    await expect(client.keepBlob(blob, { signal })).rejects.toMatchObject({ code: 'unavailable' });
    expect(proxy.requests).toHaveLength(tries);

    // The last of them may be the one that is answered.
    proxy.requests.length = 0;
    proxy.fault = (_req, res) => {
      if (proxy.requests.length >= tries) return false;
      res.writeHead(503).end();
      return true;
    };
    expect(await client.keepBlob(blob, { signal })).toBe(false);
  },
  60_000,
);

test('a server that has too much to do is asked again when it says', async () => {
  const client = clientOf({ prefix: 'busy/' });
  const times: number[] = [];
  proxy.fault = (_req, res) => {
    times.push(Date.now());
    if (times.length > 1) return false;
    res.writeHead(429, { 'retry-after': '2' }).end();
    return true;
  };
  expect(await client.keepBlob(blobOf(Buffer.from('x')), { signal })).toBe(false);
  expect(times).toHaveLength(2);
  expect(times[1]! - times[0]!).toBeGreaterThan(1900);
});

test('a large blob goes in parts, of which two are sent at once; one that fails for now is sent again', async () => {
  const client = clientOf({ prefix: 'parts/' });
  const bytes = randomBytes(17 << 20);
  let open = 0;
  let most = 0;
  let refused = 0;
  proxy.fault = (req, res, forward) => {
    if (!req.url?.includes('partNumber=')) return false;
    most = Math.max(most, ++open);
    res.once('close', () => open--);
    if (req.url.includes('partNumber=2&') && refused++ === 0) {
      req.resume().once('end', () => res.writeHead(503).end());
      return true;
    }
    setTimeout(forward, 20);
    return true;
  };
  await client.putBlob(blobOf(bytes), streamed(bytes), { signal });
  expect(most).toBe(2);
  // Three parts, one of them twice.
  expect(requests(/partNumber=/)).toHaveLength(4);
  expect(digestOf(await read(client, bytes))).toBe(digestOf(bytes));
});

test('who leaves is waited for by nobody, and no parts of what is not whole are left there', async () => {
  const client = clientOf({ prefix: 'left/' });
  const bytes = randomBytes(20 << 20);
  const leaving = new AbortController();
  proxy.fault = (req) => {
    if (!req.url?.includes('partNumber=2')) return false;
    leaving.abort(new Error('enough'));
    return true;
  };
  const put = client.putBlob(blobOf(bytes), streamed(bytes), { signal: leaving.signal });
  await expect(put).rejects.toThrow('enough');
  await expect.poll(() => requests(/^DELETE .*uploadId=/)).toHaveLength(1);
  expect(await client.keepBlob(blobOf(bytes), { signal })).toBe(false);
  const uploads = fileOf('.sgwtmp/multipart');
  // The server may be at it still.
  const left = () =>
    existsSync(uploads)
      ? readdirSync(uploads, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      : [];
  await expect.poll(left).toEqual([]);
});
