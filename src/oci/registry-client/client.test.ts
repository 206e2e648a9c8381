import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cancelledError, type Digest, digestOf, HOUSE, neverAborted } from '../../base/index.ts';
import { WorkerPool } from '../../sys/index.ts';
import { MEDIA_TYPE } from '../manifest/index.ts';
import { type RegistryAccess, RegistryServer, refreshToken } from '../registry-server/index.ts';
import { anonymous, type BlobSource, type CredentialProvider, RegistryClient, RegistryError } from './index.ts';
import { FaultProxy } from './testing/fault-proxy.ts';
import { staticCredentials } from './testing/static-credentials.ts';

const OCI_MANIFEST = MEDIA_TYPE.ociManifest;
const signal = neverAborted;
const quick = { retry: { delaysMs: [1, 1, 1] } };
const users = { ada: 'lovelace' };
const ada = staticCredentials('ada', 'lovelace');

let root: string;
let cleanup: AsyncDisposableStack;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  root = await mkdtemp(join(tmpdir(), 'slipway-registry-'));
  cleanup.defer(() => rm(root, { recursive: true, force: true }));
});
afterEach(() => cleanup.disposeAsync());

async function serve(access?: RegistryAccess): Promise<RegistryServer> {
  return cleanup.use(
    await RegistryServer.start({
      root: join(root, 'registry'),
      durable: false,
      ...(access === undefined ? {} : { access }),
    }),
  );
}

async function proxied(access?: RegistryAccess): Promise<FaultProxy> {
  return cleanup.use(await FaultProxy.start((await serve(access)).url));
}

function client(options: ConstructorParameters<typeof RegistryClient>[0] = quick): RegistryClient {
  return cleanup.use(new RegistryClient(options));
}

function blob(bytes: Uint8Array, piece = 64 << 10): BlobSource & { bytes: Uint8Array; opened: number } {
  return {
    bytes,
    digest: digestOf(bytes),
    size: bytes.length,
    opened: 0,
    async open() {
      this.opened++;
      return ReadableStream.from(pieces(bytes, piece));
    },
  };
}

function* pieces(bytes: Uint8Array, piece: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}

async function read(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function image(config: BlobSource, layers: readonly BlobSource[], more: object = {}) {
  const descriptor = ({ digest, size }: BlobSource, mediaType: string) => ({ mediaType, digest, size });
  const value = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => descriptor(layer, 'application/vnd.oci.image.layer.v1.tar')),
    ...more,
  };
  return { mediaType: OCI_MANIFEST, bytes: Buffer.from(JSON.stringify(value)) };
}

function end(res: ServerResponse, status: number, headers: Record<string, string> = {}): true {
  res.writeHead(status, headers).end();
  return true;
}

const octets = (source: BlobSource) => ({
  mediaType: 'application/octet-stream',
  digest: source.digest,
  size: source.size,
});

describe('pushing and pulling', () => {
  const withIdentityToken: CredentialProvider = {
    credentials: async () => ({ kind: 'identity-token', token: refreshToken('ada', 'lovelace') }),
  };
  test.each<[string, RegistryAccess | undefined, CredentialProvider]>([
    ['an open registry', undefined, anonymous],
    ['basic authentication', { kind: 'basic', users }, ada],
    ['bearer tokens', { kind: 'token', users }, ada],
    ['tokens by POST where GET is not served (404)', { kind: 'token', users, refuseGet: 404 }, ada],
    ['tokens by POST where GET refuses (401)', { kind: 'token', users, refuseGet: 401 }, ada],
    ['an identity token', { kind: 'token', users }, withIdentityToken],
  ])('%s', async (_name, access, credentials) => {
    const server = await serve(access);
    const repository = client().repository({ domain: server.host, path: 'team/app' }, credentials);
    const config = blob(Buffer.from('{}'));
    const layer = blob(randomBytes(3_000_000));
    const empty = blob(Buffer.alloc(0));
    for (const source of [config, layer, empty]) expect(await repository.pushBlob(source, { signal })).toBe('uploaded');
    expect(await repository.pushBlob(layer, { signal })).toBe('exists');
    expect(layer.opened).toBe(1);
    const manifest = image(config, [layer, empty]);
    const pushed = await repository.putManifest('v1', manifest, { signal });
    expect(await repository.resolve('v1', { signal })).toEqual(pushed);
    expect((await repository.getManifest(pushed.digest, { signal })).bytes).toEqual(manifest.bytes);
    expect((await read(await repository.openBlob(octets(layer), { signal }))).equals(layer.bytes)).toBe(true);
    expect(await read(await repository.openBlob(octets(empty), { signal }))).toHaveLength(0);
    expect(await repository.hasBlob(digestOf('nothing'), { signal })).toBeUndefined();
    expect(await repository.tags({ signal })).toEqual(['v1']);
    const other = client().repository({ domain: server.host, path: 'team/other' }, credentials);
    expect(await other.pushBlob(layer, { signal, mountFrom: ['team/nothing', 'team/app'] })).toBe('mounted');
    expect(layer.opened).toBe(1);
  });

  test('content that fills the memory of its reader is sent whole, and takes none of its own', async () => {
    const server = await serve();
    const repository = client().repository({ domain: server.host, path: 'app' }, anonymous);
    const own: number[] = [];
    for (const size of [1, 511 << 10, 512 << 10, (512 << 10) + 1, 5_000_000]) {
      const bytes = randomBytes(size);
      const open = async () => {
        let at = 0;
        return new ReadableStream({
          type: 'bytes',
          pull: (controller) => {
            const { byobRequest } = controller;
            if (byobRequest === null) return void own.push(size);
            if (at === size) controller.close();
            const view = byobRequest.view as Uint8Array;
            // Now and then less than there is room for.
            const part = bytes.subarray(at, at + Math.min(view.length, 300_000));
            view.set(part);
            at += part.length;
            byobRequest.respond(part.length);
          },
        });
      };
      const source = { digest: digestOf(bytes), size, open };
      expect(await repository.pushBlob(source, { signal })).toBe('uploaded');
      expect((await read(await repository.openBlob({ ...source, mediaType: '' }, { signal }))).equals(bytes)).toBe(
        true,
      );
    }
    expect(own).toEqual([]);
  });

  test('wrong credentials are refused once, with a hint and without the secret', async () => {
    const proxy = await proxied({ kind: 'token', users });
    const repository = client().repository({ domain: proxy.host, path: 'app' }, staticCredentials('ada', 'hunter22'));
    const error = await repository.resolve('latest', { signal }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'unauthenticated', hint: expect.stringContaining('credentials') });
    expect(JSON.stringify(error) + String(error)).not.toContain('hunter22');
    expect(proxy.requests.length).toBeLessThan(4);
  });

  test('content of unknown size goes in chunks, and a cut chunk goes on where it was cut', async () => {
    const proxy = await proxied();
    const bytes = randomBytes(20 << 20);
    let cuts = 0;
    proxy.fault = (req, _res, forward) => {
      if (req.method !== 'PATCH' || cuts === 2) return false;
      cuts++;
      let seen = 0;
      req.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > 3 << 20) req.socket.destroy();
      });
      forward();
      return true;
    };
    const repository = client().repository({ domain: proxy.host, path: 'app' }, anonymous);
    const hash = createHash('sha256');
    const stream = ReadableStream.from(
      (function* () {
        for (const piece of pieces(bytes, 100_000)) {
          hash.update(piece);
          yield piece;
        }
      })(),
    );
    const pushed = await repository.pushStream(stream, () => `sha256:${hash.digest('hex')}` as Digest, { signal });
    expect(cuts).toBe(2);
    expect(pushed).toEqual({ digest: digestOf(bytes), size: bytes.length });
    expect(await repository.hasBlob(pushed.digest, { signal })).toEqual({ size: bytes.length });
  });

  test('tags come in pages and in full', async () => {
    const server = await serve();
    const repository = client().repository({ domain: server.host, path: 'app' }, anonymous);
    const config = blob(Buffer.from('{}'));
    await repository.pushBlob(config, { signal });
    const tags = Array.from({ length: 25 }, (_, i) => `t${String(i).padStart(2, '0')}`);
    for (const tag of tags) await repository.putManifest(tag, image(config, []), { signal });
    expect(await repository.tags({ signal })).toEqual(tags);
    const page = await fetch(`${server.url}/v2/app/tags/list?n=10&last=t04`);
    expect(await page.json()).toEqual({ name: 'app', tags: tags.slice(5, 15) });
    expect(page.headers.get('link')).toBe('</v2/app/tags/list?n=10&last=t14>; rel="next"');
  });

  test('referrers are found by subject and type, and go with their manifest', async () => {
    const server = await serve();
    const repository = client().repository({ domain: server.host, path: 'app' }, anonymous);
    const config = blob(Buffer.from('{}'));
    await repository.pushBlob(config, { signal });
    const subject = await repository.putManifest('v1', image(config, []), { signal });
    const attach = (artifactType: string) =>
      repository.putManifest(
        digestOf(image(config, [], { artifactType, subject }).bytes),
        image(config, [], { artifactType, subject }),
        { signal },
      );
    const sbom = await attach('application/spdx+json');
    const signature = await attach('application/x.signature');
    const digests = async (artifactType?: string) =>
      (await repository.referrers(subject.digest, { signal, ...(artifactType === undefined ? {} : { artifactType }) }))
        .map(({ digest }) => digest)
        .sort();
    expect(await digests()).toEqual([sbom.digest, signature.digest].sort());
    expect(await digests('application/spdx+json')).toEqual([sbom.digest]);
    expect(await repository.deleteManifest(sbom.digest, { signal })).toBe(true);
    expect(await digests()).toEqual([signature.digest]);
    expect(await repository.deleteManifest(sbom.digest, { signal })).toBe(false);
  });

  test('a long list of referrers is read by a worker, a short one at once', async () => {
    await using pool = new WorkerPool({ name: 'documents', threads: 1 });
    const run = vi.spyOn(pool, 'run');
    const reading = { signal, worker: { pool, owner: HOUSE }, artifactType: 'application/x.b' };
    const server = await serve();
    const repository = client().repository({ domain: server.host, path: 'app' }, anonymous);
    const config = blob(Buffer.from('{}'));
    await repository.pushBlob(config, { signal });
    const subject = await repository.putManifest('v1', image(config, []), { signal });
    const attach = async (artifactType: string, words: string) => {
      const manifest = image(config, [], { artifactType, subject, annotations: { words } });
      return await repository.putManifest(digestOf(manifest.bytes), manifest, { signal });
    };
    const { digest } = await attach('application/x.b', 'short');
    expect(await repository.referrers(subject.digest, reading)).toMatchObject([{ digest }]);
    expect(run).not.toHaveBeenCalled();
    const long = await attach('application/x.b', 'long'.repeat(10_000));
    const found = await repository.referrers(subject.digest, reading);
    expect(found.map((one) => one.digest).sort()).toEqual([digest, long.digest].sort());
    expect(run).toHaveBeenCalledOnce();
  });
});

describe('faults', () => {
  test('a server error is tried again after 1, 2 and 4 steps, then told with what the registry said', async () => {
    const proxy = await proxied();
    let failures = 2;
    proxy.fault = (_req, res) => {
      if (failures-- <= 0) return false;
      res.writeHead(500, { 'content-type': 'application/json' });
      res.end('{"errors":[{"code":"UNKNOWN","message":"disk on fire"}]}');
      return true;
    };
    const repository = client().repository({ domain: proxy.host, path: 'app' }, anonymous);
    const config = blob(Buffer.from('{}'));
    expect(await repository.pushBlob(config, { signal })).toBe('uploaded');
    failures = 100;
    proxy.requests.length = 0;
    const error = await repository.getManifest('v1', { signal }).catch((e: unknown) => e);
    expect(proxy.requests).toHaveLength(4);
    expect(error).toBeInstanceOf(RegistryError);
    expect(error).toMatchObject({
      code: 'unavailable',
      status: 500,
      diagnostics: [{ code: 'UNKNOWN', message: 'disk on fire' }],
      url: `http://${proxy.host}/v2/app/manifests/v1`,
    });
  });

  test('429 waits as long as the registry asks, and gives up when that is too long', async () => {
    const proxy = await proxied();
    let retryAfter = '0';
    let refusals = 1;
    proxy.fault = (_req, res) => {
      if (refusals-- <= 0) return false;
      res.writeHead(429, { 'retry-after': retryAfter }).end();
      return true;
    };
    const repository = client({ retry: { delaysMs: [600_000] } }).repository(
      { domain: proxy.host, path: 'app' },
      anonymous,
    );
    expect(await repository.hasBlob(digestOf('x'), { signal })).toBeUndefined();
    refusals = 1;
    retryAfter = '3600';
    await expect(repository.hasBlob(digestOf('x'), { signal })).rejects.toMatchObject({
      status: 429,
      retryAfterMs: 3_600_000,
    });
  });

  test('what one asks at once waits together when one of it is asked to wait, and who watches is told', async () => {
    const proxy = await proxied();
    const refusals: number[] = [];
    proxy.fault = (_req, res) => {
      if (refusals.length > 0) return false;
      refusals.push(Date.now());
      res.writeHead(429, { 'retry-after': '1' }).end();
      return true;
    };
    const said: string[] = [];
    const told = (line: string) => void said.push(line);
    const at = { domain: proxy.host, path: 'app' };
    const repository = client({ retry: { delaysMs: [600_000] } }).repository(at, anonymous, { told });
    const first = repository.hasBlob(digestOf('x'), { signal });
    await expect.poll(() => said.length).toBe(2);
    const others = Array.from({ length: 5 }, (_, n) => repository.hasBlob(digestOf(`${n}`), { signal }));
    expect(await Promise.all([first, ...others])).toEqual(Array(6).fill(undefined));
    expect(proxy.requests.length).toBe(7);
    expect(said).toEqual([expect.stringMatching(/^error: .*429 Too Many Requests/) as string, 'retrying in 1s']);
  });

  test('a host that the registry leads to does not speak for it: what it asks to wait holds nothing else', async () => {
    const proxy = await proxied();
    const elsewhere = await proxied();
    elsewhere.fault = (_req, res) => {
      res.writeHead(429, { 'retry-after': '30' }).end();
      return true;
    };
    proxy.fault = (req, res) => {
      if (req.url?.includes('/blobs/') !== true || req.method === 'HEAD') return false;
      res.writeHead(307, { location: `http://${elsewhere.host}/x` }).end();
      return true;
    };
    const repository = client({ retry: { delaysMs: [] } }).repository({ domain: proxy.host, path: 'app' }, anonymous);
    const layer = blob(randomBytes(10));
    await expect(repository.openBlob(octets(layer), { signal })).rejects.toMatchObject({ status: 429 });
    expect(await repository.hasBlob(layer.digest, { signal })).toBeUndefined();
  });

  test('a token endpoint that fails is not tried again', async () => {
    const proxy = await proxied({ kind: 'token', users });
    let tokens = 0;
    proxy.fault = (req, res) => {
      if (req.url === '/v2/app/tags/list?n=1000') {
        res.writeHead(401, { 'www-authenticate': `Bearer realm="http://${proxy.host}/token",service="s"` }).end();
        return true;
      }
      if (!req.url?.startsWith('/token')) return false;
      tokens++;
      res.writeHead(503).end();
      return true;
    };
    const repository = client().repository({ domain: proxy.host, path: 'app' }, ada);
    await expect(repository.tags({ signal })).rejects.toMatchObject({ code: 'unavailable', reason: 'REGISTRY_TOKEN' });
    expect(tokens).toBe(1);
  });

  test.each([true, false])('a blob cut in the middle goes on by Range (ranges served: %s)', async (ranges) => {
    const proxy = await proxied();
    const repository = client().repository({ domain: proxy.host, path: 'app' }, anonymous);
    const layer = blob(randomBytes(6 << 20));
    await repository.pushBlob(layer, { signal });
    let cuts = 0;
    proxy.requests.length = 0;
    proxy.fault = (req, res) => {
      if (cuts++ > 5) return false;
      const from = ranges ? Number(/bytes=(\d+)-/.exec(req.headers.range ?? '')?.[1] ?? 0) : 0;
      res.writeHead(from > 0 ? 206 : 200, {
        'content-length': layer.size - from,
        ...(from > 0 ? { 'content-range': `bytes ${from}-${layer.size - 1}/${layer.size}` } : {}),
      });
      res.write(layer.bytes.subarray(from, from + cuts * 900_000), () => res.destroy());
      return true;
    };
    const stream = await repository.openBlob(octets(layer), { signal });
    expect((await read(stream)).equals(layer.bytes)).toBe(true);
    expect(proxy.requests.length).toBeGreaterThan(1);
    expect(proxy.requests[1]?.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  test('a blob that ends early for good fails; one of the wrong size is refused at once', async () => {
    const proxy = await proxied();
    const layer = blob(randomBytes(100_000));
    proxy.fault = (_req, res) => {
      res.writeHead(200);
      res.end(layer.bytes.subarray(0, 50_000));
      return true;
    };
    const repository = client().repository({ domain: proxy.host, path: 'app' }, anonymous);
    await expect(repository.openBlob(octets(layer), { signal }).then(read)).rejects.toMatchObject({
      reason: 'REGISTRY_CUT',
    });
    await expect(repository.openBlob({ ...octets(layer), size: 10 }, { signal }).then(read)).rejects.toMatchObject({
      reason: 'OCI_SIZE_MISMATCH',
    });
  });

  test('an upload cut in the middle goes on where it was cut, but not what can be read only once', async () => {
    const proxy = await proxied();
    const repository = client().repository({ domain: proxy.host, path: 'app' }, anonymous);
    let cuts = 2;
    proxy.fault = (req, _res, forward) => {
      if (!['PUT', 'PATCH'].includes(req.method ?? '') || cuts === 0) return false;
      cuts--;
      let seen = 0;
      req.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > 1 << 20) req.socket.destroy();
      });
      forward();
      return true;
    };
    const layer = blob(randomBytes(8 << 20));
    expect(await repository.pushBlob(layer, { signal })).toBe('uploaded');
    expect(layer.opened).toBe(3);
    const ranges = proxy.requests.flatMap(({ method, headers }) =>
      method === 'PATCH' ? [(headers['content-range'] ?? '').split('-').map(Number)] : [],
    );
    expect(ranges.map(([, last]) => last)).toEqual([layer.size - 1, layer.size - 1]);
    const [[first = 0] = [], [second = 0] = []] = ranges;
    expect(first).toBeGreaterThan(0);
    expect(second).toBeGreaterThan(first);
    expect(await repository.hasBlob(layer.digest, { signal })).toEqual({ size: layer.size });
    cuts = 1;
    const onceOnly = Object.assign(blob(randomBytes(8 << 20)), { once: true });
    await expect(repository.pushBlob(onceOnly, { signal })).rejects.toThrow();
    expect(onceOnly.opened).toBe(1);
    expect(await repository.hasBlob(onceOnly.digest, { signal })).toBeUndefined();
  });

  test.each<[string, (req: IncomingMessage, res: ServerResponse) => boolean]>([
    ['knows nothing of it any more', ({ method }, res) => method === 'GET' && end(res, 404)],
    ['takes no parts', ({ method }, res) => method === 'PATCH' && end(res, 405)],
    ['has more than there is', ({ method }, res) => method === 'GET' && end(res, 204, { range: '0-99999999' })],
  ])('an upload whose registry %s after a cut begins anew', async (_, refuse) => {
    const proxy = await proxied();
    const repository = client().repository({ domain: proxy.host, path: 'app' }, anonymous);
    let cuts = 1;
    proxy.fault = (req, res, forward) => {
      if (req.url?.includes('/uploads/') && refuse(req, res)) return true;
      if (req.method !== 'PUT' || cuts === 0) return false;
      cuts--;
      let seen = 0;
      req.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > 1 << 20) req.socket.destroy();
      });
      forward();
      return true;
    };
    const layer = blob(randomBytes(4 << 20));
    expect(await repository.pushBlob(layer, { signal })).toBe('uploaded');
    expect(await repository.hasBlob(layer.digest, { signal })).toEqual({ size: layer.size });
    expect(proxy.requests.filter(({ method }) => method === 'POST')).toHaveLength(2);
  });

  test('content that is not what its digest says is refused both ways', async () => {
    const proxy = await proxied();
    const repository = client().repository({ domain: proxy.host, path: 'app' }, anonymous);
    const wrong = { ...blob(Buffer.from('hello')), digest: digestOf('other') };
    await expect(repository.pushBlob(wrong, { signal })).rejects.toMatchObject({
      status: 400,
      diagnostics: [{ code: 'DIGEST_INVALID' }],
    });
    expect(await repository.hasBlob(wrong.digest, { signal })).toBeUndefined();
    proxy.fault = (_req, res) => {
      res.writeHead(200, { 'content-type': OCI_MANIFEST }).end('{"a":1}');
      return true;
    };
    const mismatch = { code: 'data_loss', reason: 'OCI_DIGEST_MISMATCH' };
    await expect(repository.getManifest(digestOf('{}'), { signal })).rejects.toMatchObject(mismatch);
    const descriptor = { mediaType: 'x/y', digest: digestOf('1234567'), size: 7 };
    await expect(repository.getBlob(descriptor, { signal, maxBytes: 100 })).rejects.toMatchObject(mismatch);
    await expect(repository.getManifest('v1', { signal, maxBytes: 3 })).rejects.toMatchObject({
      code: 'resource_exhausted',
    });
  });

  test('a blob that the registry has not is had from where its descriptor says, without credentials', async () => {
    const proxy = await proxied();
    const elsewhere = await FaultProxy.start();
    cleanup.use(elsewhere);
    const bytes = randomBytes(100_000);
    const repository = client().repository({ domain: proxy.host, path: 'app' }, ada);
    elsewhere.fault = (req, res) => {
      if (req.url === '/gone') return false;
      res.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      return true;
    };
    const urls = [`http://${elsewhere.host}/gone`, 'ftp://nowhere.example/x', `http://${elsewhere.host}/layer`];
    const foreign = { ...octets(blob(bytes)), urls };
    expect(await repository.openBlob(foreign, { signal }).then(read)).toEqual(bytes);
    expect(elsewhere.requests.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ['/gone', undefined],
      ['/layer', undefined],
    ]);
    await expect(repository.openBlob({ ...foreign, urls: urls.slice(0, 1) }, { signal })).rejects.toThrow();
  });

  test('a source that gives less than it says fails the push', async () => {
    const server = await serve();
    const repository = client().repository({ domain: server.host, path: 'app' }, anonymous);
    for (const size of [4, 6])
      await expect(repository.pushBlob({ ...blob(Buffer.from('hello')), size }, { signal })).rejects.toMatchObject({
        reason: 'REGISTRY_BODY_LENGTH',
      });
  });

  test('aborting ends a slow download at once, with the reason, and gives its place to others of the same user', async () => {
    const proxy = await proxied();
    const closed: Promise<void>[] = [];
    proxy.fault = (_req, res) => {
      closed.push(new Promise((resolve) => res.on('close', resolve)));
      res.writeHead(200, { 'content-length': 1000 });
      res.write('x');
      return true;
    };
    const descriptor = { mediaType: 'x/y', digest: digestOf('slow'), size: 1000 };
    const one = client();
    const repositoryOf = (user: CredentialProvider) => one.repository({ domain: proxy.host, path: 'app' }, user);
    const repository = repositoryOf(anonymous);
    const controller = new AbortController();
    const streams = await Promise.all(
      [1, 2, 3, 4].map(() => repository.openBlob(descriptor, { signal: controller.signal })),
    );
    const reads = streams.map(read);
    const fifth = repository.openBlob(descriptor, { signal });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(proxy.requests).toHaveLength(4);
    // Who comes with an identity of his own does not wait for them.
    const other = repositoryOf(staticCredentials('ada', 'lovelace'));
    await (await other.openBlob(descriptor, { signal })).cancel();
    await closed[4];
    const reason = cancelledError('enough');
    controller.abort(reason);
    for (const result of await Promise.allSettled(reads)) expect(result).toMatchObject({ status: 'rejected', reason });
    await Promise.all(closed.slice(0, 4));
    await (await fifth).cancel();
    await closed[5];
  });

  test('a refusal before the end stops the upload, and an abort lets go of content that does not come', async () => {
    const proxy = await proxied();
    const repository = client().repository({ domain: proxy.host, path: 'app' }, anonymous);
    let cancelled = 0;
    const slow = (first: Uint8Array): BlobSource => ({
      digest: digestOf('slow'),
      size: 10 << 20,
      open: async () =>
        new ReadableStream<Uint8Array>({
          start: (controller) => controller.enqueue(first),
          cancel: () => {
            cancelled++;
          },
        }),
    });
    proxy.fault = (req, res) => {
      if (req.method !== 'PUT') return false;
      res
        .writeHead(403, { 'content-type': 'application/json' })
        .end('{"errors":[{"code":"DENIED","message":"quota"}]}');
      return true;
    };
    await expect(repository.pushBlob(slow(new Uint8Array(1000)), { signal })).rejects.toMatchObject({
      code: 'permission_denied',
      diagnostics: [{ code: 'DENIED', message: 'quota' }],
    });
    expect(cancelled).toBe(1);
    proxy.fault = () => undefined;
    const controller = new AbortController();
    const begun = Promise.withResolvers<void>();
    proxy.fault = (req) => {
      if (req.method === 'PUT') begun.resolve();
      return false;
    };
    const pushing = repository.pushBlob(slow(new Uint8Array(1000)), { signal: controller.signal });
    void begun.promise.then(() => controller.abort(cancelledError('enough')));
    await expect(pushing).rejects.toMatchObject({ code: 'cancelled', message: 'enough' });
    expect(cancelled).toBe(2);
  });

  test('a connection on which nothing moves is given up', async () => {
    const proxy = await proxied();
    proxy.fault = () => true;
    // Long enough for a request to arrive on a busy machine.
    const repository = client({ ...quick, idleTimeoutMs: 1000 }).repository(
      { domain: proxy.host, path: 'app' },
      anonymous,
    );
    await expect(repository.tags({ signal })).rejects.toMatchObject({ code: 'unavailable' });
    expect(proxy.requests).toHaveLength(4);
  });

  test('a redirect to another host is followed without our credentials', async () => {
    const proxy = await proxied({ kind: 'basic', users });
    const layer = blob(randomBytes(1000));
    const store = cleanup.use(await FaultProxy.start());
    store.fault = (_req, res) => {
      res.writeHead(200, { 'content-length': layer.size }).end(layer.bytes);
      return true;
    };
    proxy.fault = (req, res) => {
      if (req.headers.authorization === undefined || !req.url?.includes('/blobs/')) return false;
      res.writeHead(307, { location: `http://${store.host}/object?X-Signature=not-for-logs` }).end();
      return true;
    };
    const repository = client().repository({ domain: proxy.host, path: 'app' }, ada);
    expect((await repository.getBlob(octets(layer), { signal, maxBytes: 5000 })).length).toBe(1000);
    expect(store.requests).toHaveLength(1);
    expect(store.requests[0]?.headers.authorization).toBeUndefined();
    store.fault = (_req, res) => {
      res.writeHead(403).end();
      return true;
    };
    const error = await repository.getBlob(octets(layer), { signal, maxBytes: 5000 }).catch((e: unknown) => e);
    expect(String(error)).not.toContain('not-for-logs');
  });

  test('a mirror is asked first; when it fails the registry answers', async () => {
    const server = await serve();
    const mirror = cleanup.use(await FaultProxy.start());
    const registries = client({ ...quick, hosts: { [server.host]: { mirrors: [`${mirror.host}/cache`] } } });
    const repository = registries.repository({ domain: server.host, path: 'app' }, anonymous);
    const config = blob(Buffer.from('{}'));
    await repository.pushBlob(config, { signal });
    const pushed = await repository.putManifest('v1', image(config, []), { signal });
    expect(mirror.requests).toHaveLength(0);
    expect(await repository.resolve('v1', { signal })).toEqual(pushed);
    const ns = `ns=${encodeURIComponent(server.host)}`;
    expect(mirror.requests.map(({ path }) => path)).toEqual([`/v2/cache/app/manifests/v1?${ns}`]);
  });
});
