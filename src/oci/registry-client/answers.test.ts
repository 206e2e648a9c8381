import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CodedError, digestOf, neverAborted, statusWord } from '../../base/index.ts';
import { anonymous, type BlobSource, pushError, RegistryClient, type Repository } from './index.ts';
import { FaultProxy } from './testing/fault-proxy.ts';
import { staticCredentials } from './testing/static-credentials.ts';

// What registries are met to answer beside what the specification says.

const signal = neverAborted;
const bytes = Buffer.from('a layer');
const layer: BlobSource = {
  digest: digestOf(bytes),
  size: bytes.length,
  open: async () => ReadableStream.from([bytes]),
};

let cleanup: AsyncDisposableStack;
let registry: FaultProxy;
beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  registry = cleanup.use(await FaultProxy.start());
});
afterEach(() => cleanup.disposeAsync());

function repository(credentials = anonymous): Repository {
  const client = cleanup.use(new RegistryClient({ retry: { delaysMs: [] } }));
  return client.repository({ domain: registry.host, path: 'app' }, credentials);
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Answers by method, with what was sent kept; others are not found. */
function answers(server: FaultProxy, table: Readonly<Record<string, Answer>>): Map<string, Buffer> {
  const received = new Map<string, Buffer>();
  server.fault = (req, res) => {
    const { status, headers, body } = table[req.method ?? ''] ?? { status: 404 };
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      received.set(req.method ?? '', Buffer.concat(chunks));
      res.writeHead(status, headers).end(req.method === 'HEAD' ? undefined : body);
    });
    return true;
  };
  return received;
}

describe('uploads', () => {
  test.each([200, 201, 202, 204])('a blob and a manifest stored with status %i', async (status) => {
    const received = answers(registry, {
      POST: { status: status === 201 ? 202 : status, headers: { location: '/v2/app/blobs/uploads/1' } },
      PUT: { status },
    });
    expect(await repository().pushBlob(layer, { signal })).toBe('uploaded');
    expect(received.get('PUT')).toEqual(bytes);
    await repository().putManifest('v1', { mediaType: 'application/json', bytes }, { signal });
  });

  test.each([
    307, 308,
  ])('an upload that is sent elsewhere by %i goes there, without our credentials', async (status) => {
    const elsewhere = cleanup.use(await FaultProxy.start());
    const location = (server: FaultProxy) => ({ location: `http://${server.host}/begin` });
    answers(registry, { POST: { status, headers: location(elsewhere) } });
    const received = answers(elsewhere, {
      POST: { status: 202, headers: { location: '/v2/app/blobs/uploads/1?state=x' } },
      PUT: { status: 201 },
    });
    expect(await repository(staticCredentials('ada', 'lovelace')).pushBlob(layer, { signal })).toBe('uploaded');
    expect(received.get('PUT')).toEqual(bytes);
    expect(elsewhere.requests.map(({ path }) => path)).toEqual([
      '/begin',
      `/v2/app/blobs/uploads/1?state=x&digest=${encodeURIComponent(layer.digest)}`,
    ]);
    for (const { headers } of elsewhere.requests) expect(headers.authorization).toBeUndefined();
  });

  test('content that is sent elsewhere half way is opened anew, but not what can be read only once', async () => {
    const elsewhere = cleanup.use(await FaultProxy.start());
    answers(registry, {
      POST: { status: 202, headers: { location: '/v2/app/blobs/uploads/1' } },
      PUT: { status: 307, headers: { location: `http://${elsewhere.host}/store` } },
    });
    const received = answers(elsewhere, { PUT: { status: 201 } });
    expect(await repository().pushBlob(layer, { signal })).toBe('uploaded');
    expect(received.get('PUT')).toEqual(bytes);
    await expect(repository().pushBlob({ ...layer, once: true }, { signal })).rejects.toMatchObject({
      message: expect.stringContaining('307'),
    });
  });

  test('a registry that sends in circles is left', async () => {
    answers(registry, {
      POST: { status: 202, headers: { location: '/v2/app/blobs/uploads/1' } },
      PUT: { status: 307, headers: { location: '/v2/app/blobs/uploads/1' } },
    });
    await expect(repository().pushBlob(layer, { signal })).rejects.toMatchObject({ status: 307 });
    expect(registry.requests.length).toBeLessThan(10);
  });
});

describe('refusals are told in the words of the registry', () => {
  const json = (error: object) => JSON.stringify({ errors: [error] });
  test.each<[string, string, string]>([
    ['plain text', 'quota of project exceeded\n  ask an admin\u0007', ': quota of project exceeded ask an admin'],
    [
      'a page',
      '<html><head><title>x</title></head><body><h1>Blocked</h1><p>by policy</p></body>',
      ': Blocked by policy',
    ],
    ['codes', json({ code: 'DENIED', message: 'requested access' }), ': denied: requested access'],
    ['details', json({ code: 'X_Y', message: 'm', detail: { a: 1 } }), ': x y: m: {"a":1}'],
    ['a detail alone', json({ code: 'X', detail: 'why' }), ': x: why'],
    ['an error of another form', '{"message":"disk is full"}', ': {"message":"disk is full"}'],
    ['nothing', '', '403 Forbidden'],
    ['bytes', '\ufffd\ufffd', '403 Forbidden'],
  ])('%s', async (_name, body, said) => {
    answers(registry, { POST: { status: 403, body } });
    const error = await repository()
      .pushBlob(layer, { signal })
      .catch((e: Error) => e);
    expect(error).toMatchObject({ code: 'permission_denied' });
    expect((error as Error).message).toMatch(/^unexpected status from POST request to http:.*403 Forbidden/);
    expect((error as Error).message.endsWith(said)).toBe(true);
  });

  test('an image that is not there is told by its name, and by what GET says of it', async () => {
    answers(registry, { HEAD: { status: 404 }, GET: { status: 404, body: json({ code: 'MANIFEST_UNKNOWN' }) } });
    await expect(repository().resolve('v1', { signal })).rejects.toMatchObject({
      code: 'not_found',
      message: `${registry.host}/app:v1: not found (manifest unknown)`,
    });
  });

  test('a HEAD that is refused is no last word', async () => {
    answers(registry, {
      HEAD: { status: 403 },
      GET: { status: 200, headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' }, body: '{}' },
    });
    expect(await repository().resolve('v1', { signal })).toMatchObject({ digest: digestOf('{}'), size: 2 });
  });
});

const index = JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] });

test.each([
  undefined,
  'application/json; charset=utf-8',
  'text/plain',
  'application/octet-stream',
  'binary/octet-stream',
])('a manifest of content type %s is what it says itself', async (type) => {
  const headers = {
    'content-length': String(index.length),
    'docker-content-digest': digestOf(index),
    ...(type === undefined ? {} : { 'content-type': type }),
  };
  answers(registry, { HEAD: { status: 200, headers }, GET: { status: 200, headers, body: index } });
  const expected = { mediaType: 'application/vnd.oci.image.index.v1+json', digest: digestOf(index) };
  expect(await repository().resolve('v1', { signal })).toMatchObject(expected);
  expect((await repository().getManifest('v1', { signal })).descriptor).toMatchObject(expected);
});

test('a token that has run out is asked for anew', async () => {
  let issued = 0;
  registry.fault = (req, res) => {
    if (req.url?.startsWith('/token') === true) {
      res.end(JSON.stringify({ token: `t${++issued}`, expires_in: 3600 }));
      return true;
    }
    // Only the newest is taken, and each three times.
    const realm = `Bearer realm="http://${registry.host}/token",service="r"`;
    const uses = registry.requests.filter(({ headers }) => headers.authorization === `Bearer t${issued}`).length;
    if (issued === 0 || req.headers.authorization !== `Bearer t${issued}` || uses > 3)
      res.writeHead(401, { 'www-authenticate': realm }).end();
    else res.writeHead(200, { 'content-length': 5 }).end();
    return true;
  };
  const images = repository();
  for (let i = 0; i < 8; i++) expect(await images.hasBlob(layer.digest, { signal })).toEqual({ size: 5 });
  expect(issued).toBe(3);
});

test.each([401, 403, 404, 405])('a mount that is refused with %i is an upload', async (status) => {
  registry.fault = (req, res) => {
    if (req.method === 'HEAD') res.writeHead(404).end();
    else if (req.url?.includes('mount=') === true) res.writeHead(status).end();
    else if (req.method === 'POST') res.writeHead(202, { location: 'uploads/1' }).end();
    else req.resume().on('end', () => res.writeHead(201).end());
    return true;
  };
  expect(await repository().pushBlob(layer, { signal, mountFrom: ['other'] })).toBe('uploaded');
  // A Location without a path in front is relative to what was asked.
  expect(registry.requests.at(-1)?.path).toMatch(/^\/v2\/app\/blobs\/uploads\/uploads\/1\?digest=/);
});

test.each([
  [CodedError.of('REGISTRY_REFUSED', 'no', { code: 'permission_denied' }), 'PushDenied'],
  [CodedError.of('REGISTRY_TOKEN', 'no'), 'PushDenied'],
  [CodedError.of('REGISTRY_LOCATION', 'no', { code: 'permission_denied' }), 'PushDenied'],
  [CodedError.of('REGISTRY_CONNECTION', 'no'), 'RegistryUnavailable'],
  [CodedError.of('CONTENT_NOT_FOUND', 'no'), 'ContentNotFound'],
])('a push that fails so (%s) is told as %s', (error, word) => {
  const told = pushError(error, 'failed to push x');
  expect(told).toMatchObject({ message: 'failed to push x: no', code: error.code, fault: error.fault });
  expect(statusWord(told.code, told.reason)).toBe(word);
});
