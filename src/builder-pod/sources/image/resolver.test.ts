import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Descriptor, digestOf, HOUSE, neverAborted, type Platform, parsePlatform } from '../../../base/index.ts';
import { anonymous, RegistryClient } from '../../../oci/registry-client/index.ts';
import { WorkerPool } from '../../../sys/index.ts';
import { ByteCache } from './byte-cache.ts';
import { registryFetcher } from './image-source.ts';
import { ImageResolver } from './resolver.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

let cleanup: AsyncDisposableStack;
let host: string;
let resolver: ImageResolver;
/** What the registry has, by digest and by tag. */
let documents: Map<string, { readonly type: string; readonly bytes: Buffer }>;
let requests: string[];

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  documents = new Map();
  requests = [];
  const server = createServer((req, res) => {
    requests.push(`${req.method} ${req.url}`);
    const found = documents.get(req.url?.split('/').at(-1) ?? '');
    if (found === undefined) return void res.writeHead(404).end();
    const headers = { 'content-type': found.type, 'content-length': found.bytes.length };
    res.writeHead(200, { ...headers, 'docker-content-digest': digestOf(found.bytes) });
    res.end(req.method === 'HEAD' ? undefined : found.bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => void server.close().closeAllConnections());
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = cleanup.use(new RegistryClient({ retry: { delaysMs: [] } }));
  resolver = new ImageResolver({ client, credentials: () => anonymous });
});
afterEach(() => cleanup.disposeAsync());

function put(type: string, value: object): Descriptor {
  const bytes = Buffer.from(JSON.stringify(value));
  documents.set(digestOf(bytes), { type, bytes });
  return { mediaType: type, digest: digestOf(bytes), size: bytes.length };
}

interface Image {
  readonly platform?: string;
  readonly config?: string;
  readonly layer?: string;
}

function image(name: string, { platform = 'linux/amd64', config = CONFIG, layer = LAYER }: Image = {}): Descriptor {
  const rootfs = { type: 'layers', diff_ids: [digestOf(name)] };
  const of = platform === '' ? {} : parsePlatform(platform);
  return put(MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { ...put(config, { ...of, config: { Labels: { name } }, rootfs }) },
    layers: [{ mediaType: layer, digest: digestOf(name), size: 1 }],
  });
}

const index = (...manifests: readonly object[]) => put(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests });
const labelled = (one: Descriptor, platform: Platform | string) => ({
  ...one,
  platform: typeof platform === 'string' ? parsePlatform(platform) : platform,
});

/** The name of the image that a tag of this document gives. */
async function resolve(root: Descriptor, platform = 'linux/amd64'): Promise<string> {
  documents.set('latest', documents.get(root.digest)!);
  const options = { signal: neverAborted, mode: 'default', scope: '', sessions: () => [] } as const;
  const found = await resolver.resolve(`${host}/app`, { ...options, platform: parsePlatform(platform) });
  return (JSON.parse(Buffer.from(found.config).toString()) as { config: { Labels: { name: string } } }).config.Labels
    .name;
}

describe('the image of an index', () => {
  /** What the real daemon takes; undefined where it finds none. */
  const cases: Record<string, [() => Descriptor, platform: string, string | undefined]> = {
    'an index in an index, labelled': [
      () => index(labelled(index(labelled(image('x'), 'amd64')), 'amd64')),
      'amd64',
      'x',
    ],
    'indexes without platforms': [() => index(index(index(image('x')))), 'amd64', 'x'],
    'no platforms: the configuration tells': [() => index(image('x')), 'amd64', 'x'],
    'no platforms, and another': [() => index(image('x', { platform: 'arm64' })), 'amd64', undefined],
    'no platforms, none in the configuration': [() => index(image('x', { platform: '' })), 'amd64', undefined],
    'one label that does not fit, one without': [
      () => index(image('x'), labelled(image('arm', { platform: 'arm64' }), 'arm64')),
      'amd64',
      'x',
    ],
    'labels come before those without': [() => index(image('bare'), labelled(image('x'), 'amd64')), 'amd64', 'x'],
    'the 32-bit image where there is no other': [() => index(labelled(image('x'), '386')), 'amd64', 'x'],
    'the 64-bit image where there is one': [
      () => index(labelled(image('old'), '386'), labelled(image('x'), 'amd64')),
      'amd64',
      'x',
    ],
    'no newer variant': [() => index(labelled(image('v3'), 'linux/amd64/v3')), 'amd64', undefined],
    'the best variant below': [
      () => index(labelled(image('v1'), 'amd64'), labelled(image('x'), 'linux/amd64/v2')),
      'linux/amd64/v3',
      'x',
    ],
    'arm below arm64': [() => index(labelled(image('x'), 'linux/arm/v6')), 'arm64', 'x'],
    'a label without a system': [() => index(labelled(image('x'), { os: '', architecture: 'amd64' })), 'amd64', 'x'],
    'another system': [() => index(labelled(image('x'), 'windows/amd64')), 'amd64', undefined],
    'a feature that is not there': [() => index(labelled(image('x'), 'linux(+x)/amd64')), 'amd64', undefined],
    'nothing at all': [() => index(), 'amd64', undefined],
    'one manifest, whatever it is for': [() => image('x', { platform: 'arm64' }), 'amd64', 'x'],
  };

  test.each(Object.keys(cases))('%s', async (name) => {
    const [root, platform, expected] = cases[name]!;
    const found = resolve(root(), platform);
    if (expected !== undefined) return expect(await found).toBe(expected);
    await expect(found).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(/^no match for platform in manifest sha256:/) as string,
    });
  });

  test('further than the real daemon looks: the second of those without platforms, past an artifact', async () => {
    const artifact = image('chart', { config: 'application/vnd.cncf.helm.config.v1+json' });
    const other = index(labelled(image('arm', { platform: 'arm64' }), 'arm64'));
    expect(await resolve(index(artifact, other, image('arm', { platform: 'arm64' }), image('x')))).toBe('x');
  });

  test('an index that leads on and on is left', async () => {
    let root = index();
    for (let n = 0; n < 100; n++) root = index({ ...root, annotations: { n: `${n}` } });
    await expect(resolve(root)).rejects.toMatchObject({ code: 'invalid_argument', reason: 'OCI_MALFORMED' });
    const wide = index(...Array.from({ length: 100 }, (_, n) => image(`${n}`, { platform: 'arm64' })));
    await expect(resolve(wide)).rejects.toMatchObject({ code: 'invalid_argument', reason: 'OCI_MALFORMED' });
    expect(requests.length).toBeLessThan(250);
  });
});

test.each([
  [
    'a chart',
    {
      config: 'application/vnd.cncf.helm.config.v1+json',
      layer: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
    },
  ],
  ['a configuration of another kind', { config: 'application/vnd.example+json' }],
  ['a layer of another kind', { layer: 'application/vnd.example.layer.v1.tar' }],
  ['a tar that is called no layer', { layer: 'application/x-tar' }],
  ['a layer of no kind', { layer: '' }],
])('%s is no image, and the error names its type', async (_, types: Image) => {
  const type = types.config ?? types.layer;
  await expect(resolve(image('x', types))).rejects.toMatchObject({
    code: 'invalid_argument',
    reason: 'OCI_MEDIA_TYPE',
    message: expect.stringContaining(JSON.stringify(type)) as string,
  });
});

test('what an image may be made of', async () => {
  for (const layer of [
    'application/vnd.docker.image.rootfs.diff.tar.gzip',
    'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    'application/vnd.oci.image.layer.v1.tar+zstd',
  ])
    expect(await resolve(image(layer, { layer }))).toBe(layer);
  for (const config of ['application/vnd.docker.container.image.v1+json', 'application/octet-stream'])
    expect(await resolve(image(config, { config }))).toBe(config);
});

test.each([
  ['layers of more than a tebibyte', 3, 2 ** 39],
  ['more layers than can be mounted', 501, 1],
])('%s are refused before anything of them is pulled', async (_, count, size) => {
  const rootfs = { type: 'layers', diff_ids: Array.from({ length: count }, (_, n) => digestOf(`${n}`)) };
  const root = put(MANIFEST, {
    schemaVersion: 2,
    config: put(CONFIG, { ...parsePlatform('amd64'), rootfs }),
    layers: rootfs.diff_ids.map((digest) => ({ mediaType: LAYER, digest, size })),
  });
  await expect(resolve(root)).rejects.toMatchObject({ code: 'resource_exhausted', reason: 'OCI_TOO_LARGE' });
});

describe('long documents', () => {
  let read: number;
  beforeEach(() => {
    const pool = cleanup.use(new WorkerPool({ name: 'documents', threads: 1 }));
    const client = cleanup.use(new RegistryClient({ retry: { delaysMs: [] } }));
    const counting = Object.assign(Object.create(pool) as WorkerPool, {
      run: (...args: Parameters<WorkerPool['run']>) => {
        read++;
        return pool.run(...args);
      },
    });
    read = 0;
    resolver = new ImageResolver({ client, credentials: () => anonymous, pool: counting });
  });

  const others = Array.from({ length: 1000 }, (_, n) =>
    labelled({ mediaType: MANIFEST, digest: digestOf(`${n}`), size: 1 }, 'arm64'),
  );

  test('are read by a worker, and lead to the same as short ones', async () => {
    expect(await resolve(index(image('short')))).toBe('short');
    expect(read).toBe(0);
    const root = index(...others, labelled(image('x'), 'amd64'));
    expect(await resolve(root)).toBe('x');
    expect(read).toBe(1);
    await expect(resolve(root, 'linux/s390x')).rejects.toMatchObject({
      reason: 'OCI_PLATFORM',
      hint: expect.stringContaining('linux/arm64, linux/amd64'),
    });
  });

  test('are refused as short ones are', async () => {
    const both = put(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests: others, layers: [] });
    await expect(resolve(both)).rejects.toMatchObject({ reason: 'OCI_MALFORMED' });
    const annotations = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`${n}`, '']));
    const config = put(CONFIG, { ...parsePlatform('amd64'), rootfs: { type: 'layers', diff_ids: [digestOf('x')] } });
    const layers = [{ mediaType: LAYER, digest: digestOf('x'), size: 1, annotations }];
    const labelledLayer = put(MANIFEST, { schemaVersion: 2, mediaType: MANIFEST, config, layers });
    await expect(resolve(labelledLayer)).rejects.toMatchObject({ reason: 'OCI_TOO_LARGE' });
    expect(read).toBe(2);
  });
});

test('small answers count, however many names they are kept under', () => {
  const cache = new ByteCache(10_000);
  const entry = { descriptor: { mediaType: '', digest: digestOf(''), size: 0 }, bytes: new Uint8Array() };
  for (let n = 0; n < 1000; n++) cache.add(`${n}`, digestOf(''), entry);
  const kept = Array.from({ length: 1000 }, (_, n) => cache.find(`${n}`, digestOf(''))).filter(Boolean);
  expect(kept.length).toBeLessThan(11);
  expect(kept.length).toBeGreaterThan(1);
  expect(cache.find('999', digestOf(''))).toBe(entry);
});

test('a place is read as it was asked for: without verified TLS only where that was said', async () => {
  const bytes = Buffer.from('blob');
  documents.set(digestOf(bytes), { type: LAYER, bytes });
  const client = cleanup.use(new RegistryClient({ retry: { delaysMs: [] }, hosts: { [host]: { plainHttp: false } } }));
  const fetcher = registryFetcher(new ImageResolver({ client, credentials: () => anonymous }));
  const descriptor: Descriptor = { mediaType: LAYER, digest: digestOf(bytes), size: bytes.length };
  const read = async (place: object): Promise<string> => {
    const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };
    const stream = await fetcher.open({ kind: 'registry', host, repository: 'app', ...place }, descriptor, options);
    return await new Response(stream).text();
  };
  expect(await read({ insecure: true })).toBe('blob');
  await expect(read({})).rejects.toThrow();
});

describe('a tag that was looked up a moment ago', () => {
  const asked = () => requests.filter((request) => request.endsWith('/manifests/latest')).length;

  function recentResolver(): ImageResolver {
    const client = cleanup.use(new RegistryClient({ retry: { delaysMs: [] }, tagMaxAgeMs: 30_000 }));
    return new ImageResolver({ client, credentials: () => anonymous });
  }

  test('is not asked for again by the next build, but by one that pulls', async () => {
    resolver = recentResolver();
    expect(await resolve(image('old'))).toBe('old');
    expect(await resolve(image('new'))).toBe('old');
    expect(asked()).toBe(1);
    const options = { signal: neverAborted, scope: '', sessions: () => [], platform: parsePlatform('amd64') } as const;
    const pulled = await resolver.resolve(`${host}/app`, { ...options, mode: 'pull' });
    expect(pulled.root.digest).toBe(digestOf(documents.get('latest')!.bytes));
    expect(await resolve(image('newest'))).toBe('new');
    expect(asked()).toBe(2);
  });

  test('is asked for again where what it named is gone', async () => {
    resolver = recentResolver();
    expect(await resolve(image('old'))).toBe('old');
    documents.clear();
    // Another resolver of the same client has none of the bytes.
    const client = cleanup.use(new RegistryClient({ retry: { delaysMs: [] }, tagMaxAgeMs: 30_000 }));
    for (const scope of ['a', 'b']) {
      const root = image(scope);
      documents.set('latest', documents.get(root.digest)!);
      const options = { signal: neverAborted, sessions: () => [], platform: parsePlatform('amd64') } as const;
      const images = new ImageResolver({ client, credentials: () => anonymous });
      const found = await images.resolve(`${host}/app`, { ...options, mode: 'default', scope });
      expect(found.root.digest).toBe(root.digest);
      documents.clear();
    }
  });

  test('is known when the builder itself writes it', async () => {
    const client = cleanup.use(new RegistryClient({ retry: { delaysMs: [] }, tagMaxAgeMs: 30_000 }));
    resolver = new ImageResolver({ client, credentials: () => anonymous });
    expect(await resolve(image('old'))).toBe('old');
    const written = image('new');
    const { type, bytes } = documents.get(written.digest)!;
    const [domain, path] = [host, 'app'];
    await client
      .repository({ domain, path }, anonymous, { insecure: true })
      .putManifest('latest', { mediaType: type, bytes }, { signal: neverAborted })
      .catch(() => {});
    expect(await resolve(written)).toBe('new');
  });
});
