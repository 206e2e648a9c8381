import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Descriptor, digestOf, neverAborted } from '../../base/index.ts';
import { RegistryClient } from './client.ts';
import { anonymous } from './credentials.ts';
import type { Repository } from './repository.ts';

const MIB = 1 << 20;
const signal = neverAborted;

let cleanup: AsyncDisposableStack;
let bytes: Buffer;
let blob: Descriptor;

beforeEach(() => {
  cleanup = new AsyncDisposableStack();
  bytes = Buffer.concat(
    Array.from({ length: 61 }, (_, n) => Buffer.alloc(MIB, n)),
    61 * MIB - 123,
  );
  blob = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length };
});
afterEach(() => cleanup.disposeAsync());

type Answer = (range: { from: number; to: number } | undefined, res: ServerResponse, req: IncomingMessage) => void;

/** A host of one blob. */
class Host {
  readonly ranges: (string | undefined)[] = [];
  open = 0;
  mostOpen = 0;
  name = '';
  answer: Answer = serve;

  static async start(): Promise<Host> {
    const host = new Host();
    const server = createServer((req, res) => {
      host.ranges.push(req.headers.range);
      host.mostOpen = Math.max(host.mostOpen, ++host.open);
      res.once('close', () => host.open--);
      const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '') ?? [];
      const range = from === undefined ? undefined : { from: Number(from), to: to ? Number(to) + 1 : bytes.length };
      host.answer(range, res, req);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup.defer(() => void server.close().closeAllConnections());
    host.name = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    return host;
  }
}

const serve: Answer = (range, res) => {
  const { from, to } = range ?? { from: 0, to: bytes.length };
  const headers = { 'content-length': to - from };
  if (range === undefined) res.writeHead(200, headers);
  else res.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${to - 1}/${bytes.length}` });
  res.end(bytes.subarray(from, to));
};

const whole: Answer = (_range, res) => serve(undefined, res, undefined as never);

/** Serves the beginning of what is asked for, and cuts the connection. */
const cutAfter =
  (count: number): Answer =>
  (range, res, req) => {
    const { from, to } = range ?? { from: 0, to: bytes.length };
    res.writeHead(206, { 'content-length': to - from, 'content-range': `bytes ${from}-${to - 1}/${bytes.length}` });
    res.write(bytes.subarray(from, Math.min(to, from + count)), () => req.destroy());
  };

function repository(host: Host, mirrors: readonly Host[] = []): Repository {
  const hosts = { [host.name]: { mirrors: mirrors.map(({ name }) => name) } };
  const client = cleanup.use(new RegistryClient({ hosts, retry: { delaysMs: [1, 1] } }));
  return client.repository({ domain: host.name, path: 'app' }, anonymous);
}

async function digestThrough(from: Repository, offset = 0): Promise<string> {
  const hash = createHash('sha256').update(bytes.subarray(0, offset));
  for await (const chunk of await from.openBlob(blob, { signal, offset })) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

test('a large blob comes by several ranges at once, in order', async () => {
  const host = await Host.start();
  const waiting: (() => void)[] = [];
  // After the first, nothing is answered before three have asked, but for the last few.
  host.answer = (range, res, req) => {
    waiting.push(() => serve(range, res, req));
    if (range?.from === 0 || waiting.length >= 3 || host.ranges.length > 4)
      for (const answer of waiting.splice(0)) answer();
  };
  expect(await digestThrough(repository(host))).toBe(blob.digest);
  expect(host.ranges.length).toBe(8);
  expect(host.mostOpen).toBeGreaterThanOrEqual(3);
  expect(host.mostOpen).toBeLessThanOrEqual(4);
});

test('from an offset, and a small one in one piece without a range', async () => {
  const host = await Host.start();
  expect(await digestThrough(repository(host), 5 * MIB + 1)).toBe(blob.digest);
  bytes = randomBytes(MIB);
  blob = { ...blob, digest: digestOf(bytes), size: MIB };
  host.ranges.length = 0;
  expect(await digestThrough(repository(host))).toBe(blob.digest);
  expect(host.ranges).toEqual([undefined]);
});

test.each([
  ['serves the whole', whole],
  [
    'refuses ranges',
    ((range, res, req) => (range === undefined ? serve(range, res, req) : res.writeHead(416).end())) satisfies Answer,
  ],
])('a host that %s is read in one go', async (_, answer) => {
  const host = await Host.start();
  host.answer = answer;
  expect(await digestThrough(repository(host))).toBe(blob.digest);
  expect(host.ranges.length).toBeLessThanOrEqual(2);
});

test('each segment goes on where it was cut', async () => {
  const host = await Host.start();
  host.answer = cutAfter(3 * MIB);
  expect(await digestThrough(repository(host))).toBe(blob.digest);
  expect(host.ranges.length).toBeGreaterThan(20);
});

test.each([
  ['breaks off for good', (() => cutAfter(1000)) as () => Answer],
  [
    'lacks what comes later',
    () =>
      ((range, res, req) =>
        range!.from > 20 * MIB ? res.writeHead(404).end() : serve(range, res, req)) satisfies Answer,
  ],
  [
    'has another size',
    () => ((_range, res) => void res.writeHead(200, { 'content-length': 5 }).end('wrong')) satisfies Answer,
  ],
])('a mirror that %s: the next host goes on with it', async (_, answer) => {
  const [mirror, host] = [await Host.start(), await Host.start()];
  mirror.answer = answer();
  expect(await digestThrough(repository(host, [mirror]))).toBe(blob.digest);
  expect(mirror.ranges.length).toBeGreaterThan(0);
  expect(host.ranges.length).toBeGreaterThan(0);
});

test('a mirror that is no good is found out once, not for each part', async () => {
  const [mirror, host] = [await Host.start(), await Host.start()];
  mirror.answer = (_range, res) => void res.writeHead(503).end();
  expect(await digestThrough(repository(host, [mirror]))).toBe(blob.digest);
  expect(mirror.ranges.length).toBe(3);
});

test('what is let go half way holds no connection, and many at once are all right', async () => {
  const host = await Host.start();
  const from = repository(host);
  for (let n = 0; n < 3; n++) {
    const reader = (await from.openBlob(blob, { signal })).getReader();
    await reader.read();
    await reader.cancel();
  }
  await expect.poll(() => host.open).toBe(0);
  expect(await Promise.all(Array.from({ length: 3 }, () => digestThrough(from)))).toEqual(Array(3).fill(blob.digest));
  host.ranges.length = 0;
  expect(await digestThrough(from)).toBe(blob.digest);
  // The room for what comes before its turn is all there again.
  expect(host.ranges.length).toBe(8);
});
