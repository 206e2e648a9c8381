import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CodedError, type Digest, formatPlatform, HOUSE, hostPlatform, neverAborted } from '../../base/index.ts';
import { parseImageConfig, parseManifestOrIndex } from '../../oci/manifest/index.ts';
import { anonymous, RegistryClient } from '../../oci/registry-client/index.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { TarReader } from '../../oci/tar/index.ts';
import { createPools } from '../../sys/index.ts';
import { type ExporterDeps, type ExportSource, openExporter, readLongConfig } from './index.ts';
import { type FakeRef, FakeSender, fakeContent, fakeContext, fakeDeps, fakeRef, unsigned } from './testing/fakes.ts';

function parseManifest(bytes: Uint8Array, mediaType?: string) {
  const parsed = parseManifestOrIndex(bytes, mediaType);
  if (parsed.kind !== 'manifest') throw new Error('an index');
  return parsed.manifest;
}

function parseIndex(bytes: Uint8Array) {
  const parsed = parseManifestOrIndex(bytes);
  if (parsed.kind !== 'index') throw new Error('a manifest');
  return parsed.index;
}

const signal = neverAborted;
let cleanup: AsyncDisposableStack;
let temp: string;
beforeEach(() => {
  cleanup = new AsyncDisposableStack();
  temp = mkdtempSync(join(tmpdir(), 'slipway-export-'));
  cleanup.defer(() => rmSync(temp, { recursive: true, force: true }));
});
afterEach(() => cleanup.disposeAsync());

const hostPrefix = formatPlatform(hostPlatform()).replaceAll('/', '_');
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const amd64 = json({ architecture: 'amd64', os: 'linux', config: { Cmd: ['sh'] }, history: [] });
const single = (ref = fakeRef([{ files: { a: 'first' } }, { files: { b: 'second' }, description: 'RUN b' }])) => ({
  ref,
  metadata: new Map([['containerimage.config', amd64]]),
});
const multi = (): ExportSource => ({
  refs: new Map([
    ['linux/amd64', fakeRef([{ files: { a: 'amd64' } }])],
    ['linux/arm64', fakeRef([{ files: { a: 'arm64' } }])],
  ]),
  metadata: new Map([
    ['containerimage.config/linux/amd64', amd64],
    ['containerimage.config/linux/arm64', json({ architecture: 'arm64', os: 'linux' })],
    [
      'refs.platforms',
      json({
        Platforms: [
          { ID: 'linux/amd64', Platform: { architecture: 'amd64', os: 'linux' } },
          { ID: 'linux/arm64', Platform: { architecture: 'arm64', os: 'linux' } },
        ],
      }),
    ],
  ]),
});

const platforms = (...all: readonly (readonly [string, string, string])[]) =>
  JSON.stringify({ Platforms: all.map(([ID, os, architecture]) => ({ ID, Platform: { os, architecture } })) });

const { bulk, streams, ...pools } = createPools({ short: 1, bulk: 1 });
afterAll(() => pools[Symbol.asyncDispose]());

async function registry() {
  const server = cleanup.use(await RegistryServer.start({ root: join(temp, 'registry'), durable: false }));
  const client = cleanup.use(new RegistryClient({ retry: { delaysMs: [1] } }));
  const openRepository: ExporterDeps['openRepository'] = (reference) => client.repository(reference, anonymous);
  const at = (path: string) => client.repository({ domain: server.host, path }, anonymous);
  return { server, openRepository, at };
}

describe('image', () => {
  test('is pushed under each name, and pulled back it is what the client was told', async () => {
    const { server, openRepository, at } = await registry();
    const { store, blobs } = fakeContent();
    const name = `${server.host}/team/app:v1,${server.host}/team/app:v2,${server.host}/other`;
    const context = fakeContext();
    const source = single();
    const exporter = openExporter('image', { name, push: 'true' }, fakeDeps({ content: store, openRepository }));
    expect(exporter.name).toBe('exporting to image');
    const { response, descriptor } = await exporter.export(source, context);
    for (const [path, tag] of [
      ['team/app', 'v1'],
      ['team/app', 'v2'],
      ['other', 'latest'],
    ] as const) {
      const { bytes, descriptor: pulled } = await at(path).getManifest(tag, { signal });
      expect(pulled.digest).toBe(response['containerimage.digest']);
      const manifest = parseManifest(bytes, pulled.mediaType);
      expect(manifest.config.digest).toBe(response['containerimage.config.digest']);
      for (const { digest } of manifest.layers) expect(await at(path).hasBlob(digest, { signal })).toBeDefined();
      // What is the builder's own business stays with it.
      expect(manifest.layers.every(({ annotations }) => annotations === undefined)).toBe(true);
      const config = parseImageConfig(await at(path).getBlob(manifest.config, { signal, maxBytes: 1e6 }));
      expect(config.rootfs.diff_ids).toHaveLength(2);
      expect(config.history).toMatchObject([{}, { created_by: 'RUN b' }]);
      expect(config.config).toEqual({ Cmd: ['sh'] });
    }
    expect(blobs.has(descriptor?.digest as Digest)).toBe(true);
    expect(JSON.parse(Buffer.from(response['containerimage.descriptor'] ?? '', 'base64').toString())).toMatchObject({
      digest: descriptor?.digest,
      platform: { architecture: 'amd64', os: 'linux' },
    });
    expect(response['image.name']).toBe(name);
    const digest = response['containerimage.digest'];
    expect(context.rows).toEqual([
      'exporting layers',
      `exporting manifest ${digest}`,
      `exporting config ${response['containerimage.config.digest']}`,
      `naming to ${server.host}/team/app:v1`,
      `naming to ${server.host}/team/app:v2`,
      `naming to ${server.host}/other:latest`,
      'pushing layers',
      `pushing manifest for ${server.host}/team/app:v1@${digest}`,
      `pushing manifest for ${server.host}/team/app:v2@${digest}`,
      'pushing layers',
      `pushing manifest for ${server.host}/other:latest@${digest}`,
    ]);
    expect(context.open.size).toBe(0);
  });

  test('long configurations are read and finished by a worker, and are as the frontend gave them', async () => {
    const { openRepository, server, at } = await registry();
    const { store } = fakeContent();
    const Labels = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`label ${n}`, 'with its value']));
    const deps = fakeDeps({ content: store, bulk, openRepository });
    const pushed = async (platform: object) => {
      const metadata = new Map([['containerimage.config', json({ ...platform, config: { Labels } })]]);
      await readLongConfig({ metadata }, { pool: bulk, signal, owner: HOUSE });
      const exporter = openExporter('image', { name: `${server.host}/long`, push: 'true' }, deps);
      return await exporter.export({ ...single(), metadata }, fakeContext());
    };
    const { response, image } = await pushed({ architecture: 's390x', os: 'linux' });
    expect(image?.platforms).toEqual(['linux/s390x']);
    const digest = response['containerimage.config.digest'] as Digest;
    const { size } = (await at('long').hasBlob(digest, { signal }))!;
    const bytes = await at('long').getBlob({ mediaType: '', digest, size }, { signal, maxBytes: 1e6 });
    const { config, rootfs } = parseImageConfig(bytes);
    expect([config, rootfs.diff_ids.length]).toEqual([{ Labels }, 2]);
    await expect(pushed({ os: 'linux' })).rejects.toMatchObject({ reason: 'EXPORT_PLATFORM' });
    const platforms = new Map([['refs.platforms', json({ Platforms: Object.entries(Labels) })]]);
    const exporter = openExporter('image', {}, deps);
    await expect(exporter.export({ ...single(), metadata: platforms }, fakeContext())).rejects.toMatchObject({
      message: expect.stringContaining('refs.platforms has'),
    });
  });

  test('present blobs are not read again, and those of a sister repository are mounted', async () => {
    const { server, openRepository } = await registry();
    const deps = fakeDeps({ openRepository });
    const layers = [
      { files: { a: 'base' }, annotations: { [`containerd.io/distribution.source.${server.host}`]: 'base' } },
    ];
    const base = fakeRef(layers);
    await openExporter('image', { name: `${server.host}/base`, push: '' }, deps).export(single(base), fakeContext());
    expect(base.opened).toHaveLength(1);
    const mounted = fakeRef(layers);
    await openExporter('image', { name: `${server.host}/app`, push: '' }, deps).export(single(mounted), fakeContext());
    const again = fakeRef(layers);
    await openExporter('image', { name: `${server.host}/app:two`, push: '' }, deps).export(
      single(again),
      fakeContext(),
    );
    expect([...mounted.opened, ...again.opened]).toEqual([]);
  });

  test('an annotation for a platform wins over one for all, in whatever order a client sends them', async () => {
    const { server, openRepository, at } = await registry();
    const attributes = Object.entries({
      ...{ name: `${server.host}/app`, push: 'true' },
      ...{ 'annotation[linux/arm64].a': 'arm', 'annotation.a': 'all', 'annotation.c': 'all' },
      // One platform by two names.
      ...{ 'annotation[linux/arm64].b': 'arm64', 'annotation[linux/arm64/v8].b': 'arm64/v8' },
    });
    const source = multi();
    const metadata = new Map([
      ...source.metadata,
      ['annotation[linux/arm64].c', Buffer.from('of the result')] as const,
    ]);
    for (const sent of [attributes, attributes.toReversed()]) {
      const exporter = openExporter('image', Object.fromEntries(sent), fakeDeps({ openRepository }));
      await exporter.export({ ...source, metadata }, fakeContext());
      const { bytes } = await at('app').getManifest('latest', { signal });
      const manifests = parseIndex(bytes).manifests.map(({ digest }) => at('app').getManifest(digest, { signal }));
      const [amd, arm] = (await Promise.all(manifests)).map((one) => parseManifest(one.bytes).annotations);
      expect(amd).toEqual({ a: 'all', c: 'all' });
      expect(arm).toEqual({ a: 'arm', b: 'arm64', c: 'of the result' });
    }
  });

  test('several platforms become an index, with annotations where they were asked for', async () => {
    const { server, openRepository, at } = await registry();
    const attributes = {
      name: `${server.host}/app`,
      push: 'true',
      'annotation.all': '1',
      'annotation[linux/arm64].arm': '2',
      'annotation-index.top': '3',
      'annotation-manifest-descriptor[linux/amd64].entry': '4',
    };
    const { response } = await openExporter('image', attributes, fakeDeps({ openRepository })).export(
      multi(),
      fakeContext(),
    );
    const { bytes } = await at('app').getManifest('latest', { signal });
    const index = parseIndex(bytes);
    expect(index.annotations).toEqual({ top: '3' });
    expect(index.manifests).toMatchObject([
      { platform: { architecture: 'amd64', os: 'linux' }, annotations: { entry: '4' } },
      { platform: { architecture: 'arm64', os: 'linux' } },
    ]);
    const arm = await at('app').getManifest(index.manifests[1]?.digest ?? '', { signal });
    expect(parseManifest(arm.bytes).annotations).toEqual({ all: '1', arm: '2' });
    expect(response).not.toHaveProperty('containerimage.config.digest');
  });

  test('by digest no tag is written; with an epoch the same build has the same digest', async () => {
    const { server, openRepository, at } = await registry();
    const attributes = {
      name: `${server.host}/app`,
      push: 'true',
      'push-by-digest': 'true',
      'source-date-epoch': '1000',
    };
    const exporter = openExporter('image', attributes, fakeDeps({ openRepository }));
    const first = await exporter.export(single(), fakeContext());
    await expect(at('app').tags({ signal })).resolves.toEqual([]);
    const digest = first.response['containerimage.digest'] as Digest;
    const { bytes } = await at('app').getManifest(digest, { signal });
    expect(bytes.length).toBeGreaterThan(0);
    const second = await exporter.export(single(), fakeContext());
    expect(second.response).toEqual(first.response);
  });

  test('Docker media types where asked for; an image without layers and configuration too', async () => {
    const { server, openRepository, at } = await registry();
    const attributes = { name: `${server.host}/app`, push: 'true', 'oci-mediatypes': 'false' };
    const exporter = openExporter('image', attributes, fakeDeps({ openRepository }));
    await exporter.export(single(), fakeContext());
    const docker = await at('app').getManifest('latest', { signal });
    expect(docker.descriptor.mediaType).toBe('application/vnd.docker.distribution.manifest.v2+json');
    expect(parseManifest(docker.bytes).layers[0]?.mediaType).toBe('application/vnd.docker.image.rootfs.diff.tar.gzip');
    await exporter.export({ metadata: new Map() }, fakeContext());
    expect(parseManifest((await at('app').getManifest('latest', { signal })).bytes).layers).toEqual([]);
  });

  test('registry.insecure reaches a registry without TLS, and only that output does', async () => {
    const server = cleanup.use(await RegistryServer.start({ root: join(temp, 'plain'), durable: false }));
    // Told to speak TLS with it, the client alone cannot.
    const clientOptions = { retry: { delaysMs: [] }, hosts: { [server.host]: { plainHttp: false } } };
    const client = cleanup.use(new RegistryClient(clientOptions));
    const openRepository: ExporterDeps['openRepository'] = (reference, { insecure }) =>
      client.repository(reference, anonymous, { insecure });
    const deps = fakeDeps({ openRepository });
    const attributes = { name: `${server.host}/app`, push: 'true' };
    await expect(openExporter('image', attributes, deps).export(single(), fakeContext())).rejects.toMatchObject({
      code: 'unavailable',
    });
    const insecure = { ...attributes, 'registry.insecure': 'true' };
    await openExporter('image', insecure, deps).export(single(), fakeContext());
    const plain = cleanup.use(new RegistryClient());
    const pushed = plain.repository({ domain: server.host, path: 'app' }, anonymous);
    expect(await pushed.tags({ signal })).toEqual(['latest']);
  });

  test('an abort ends a push with its reason', async () => {
    const controller = new AbortController();
    const reason = new CodedError('cancelled', 'superseded');
    const openRepository: ExporterDeps['openRepository'] = () => ({
      pushBlob: (_source, { signal: stop }) => {
        setTimeout(() => controller.abort(reason), 5);
        return new Promise((_, reject) => stop.addEventListener('abort', () => reject(stop.reason)));
      },
      ...unsigned,
      putManifest: async () => {
        throw new Error('too early');
      },
    });
    const exporter = openExporter('image', { name: 'r.example/app', push: '' }, fakeDeps({ openRepository }));
    await expect(exporter.export(single(), fakeContext(controller.signal))).rejects.toBe(reason);
  });

  test('a failing blob stops the push before any manifest, all uploads ended', async () => {
    const puts: string[] = [];
    let running = 0;
    const ref = fakeRef(Array.from({ length: 12 }, (_, i) => ({ files: { [`f${i}`]: `${i}` } })));
    const openRepository: ExporterDeps['openRepository'] = () => ({
      pushBlob: async ({ digest }, { signal: stop }) => {
        running++;
        try {
          if (digest === (await ref.layers({ signal, owner: HOUSE, sessions: () => [] }))[3]?.descriptor.digest)
            throw new CodedError('unavailable', 'the registry is on fire');
          await new Promise((_, reject) =>
            stop.addEventListener('abort', () => setTimeout(() => reject(stop.reason), 5)),
          );
          return 'uploaded';
        } finally {
          running--;
        }
      },
      ...unsigned,
      putManifest: async (reference) => {
        puts.push(reference);
        throw new Error('too early');
      },
    });
    const pushing = openExporter('image', { name: 'r.example/app', push: '' }, fakeDeps({ openRepository })).export(
      single(ref),
      fakeContext(),
    );
    await expect(pushing).rejects.toMatchObject({
      code: 'unavailable',
      message: /failed to push .*r\.example\/app.*: .*on fire/,
    });
    expect(puts).toEqual([]);
    expect(running).toBe(0);
  });

  test.each([
    [{ push: 'true' }, /no name/],
    [{ push: 'maybe' }, /non-bool value specified for push: .*"maybe"/],
    [
      { name: 'team/UPPER' },
      /^failed to parse team\/UPPER: invalid reference format: repository name \(team\/UPPER\) must be lowercase$/,
    ],
    [{ name: 'a:b:c', push: 'true' }, /^failed to push a:b:c: invalid reference format$/],
    [{ unpack: 'x' }, /^non-bool value specified for unpack: /],
    [{ name: 'a:1,a:1' }, /given twice/],
    [{ name: 'a:1', 'push-by-digest': 'true' }, /can't push tagged ref/],
    [{ compression: 'lzma' }, /^unsupported compression type lzma$/],
    [{ compression: 'nydus' }, /^unsupported compression type nydus$/],
    [{ 'compression-level': '10' }, /^gzip: invalid compression level: 10$/],
    [{ 'source-date-epoch': 'yesterday' }, /^invalid source-date-epoch: /],
    [{ 'source-date-epoch': '253402300800' }, /^invalid source-date-epoch: /],
    [{ 'oci-mediatypes': '' }, /^non-bool value specified for oci-mediatypes: /],
    [{ 'force-compression': 'x' }, /^non-bool value x specified for force-compression: /],
    [{ 'compression-level': 'x' }, /^non-integer value x specified for compression-level: /],
    [
      { compression: 'estargz', 'oci-mediatypes': 'false' },
      /"compression=estargz" conflicts with "oci-mediatypes=false"/,
    ],
    [{ 'annotation-foo.a': 'b' }, /^unrecognized annotation type foo$/],
    [{ 'annotation[foo/].a': 'b' }, /^"" is an invalid component of "foo\/"/],
    [{ 'prefer-nondist-layers': 'x' }, /^non-bool value specified for prefer-nondist-layers: /],
    [{ 'rewrite-timestamp': 'x' }, /^non-bool value specified for rewrite-timestamp: /],
  ])('attributes %j are refused before the build', (attributes, message) => {
    expect(() => openExporter('image', attributes as Record<string, string>, fakeDeps({}))).toThrow(message);
  });

  test('what an option does not do is told; unknown types are refused', async () => {
    const attributes = { 'prefer-image-digest': 'x', store: 'true', unpack: '', 'oci-mediatypes': 'true' };
    const context = fakeContext();
    await openExporter('image', attributes, fakeDeps({})).export(single(), context);
    expect(context.warnings).toEqual([
      expect.stringContaining('option prefer-image-digest of the image output is not known'),
      expect.stringContaining('option store of the image output does nothing'),
      expect.stringContaining('option unpack of the image output does nothing'),
    ]);
    expect(() => openExporter('zip', {}, fakeDeps({}))).toThrow(/exporter "zip" could not be found/);
  });

  test.each([
    [{ 'annotation-index.a': 'b' }, /^index annotations not supported for single platform export$/],
    [{ 'annotation-index-descriptor.a': 'b' }, /^index annotations not supported/],
    [{ 'annotation[linux/s390x].a': 'b' }, /^invalid annotation: no platform linux\/s390x found in source$/],
    [{ 'annotation-manifest-descriptor.a': 'b', 'oci-mediatypes': 'false' }, /with "oci-mediatypes=false"$/],
    [
      { 'containerimage.config': '{"os":"linux"}' },
      /^invalid image config: os and architecture must be specified together$/,
    ],
    [{ 'refs.platforms': '{}' }, /^invalid empty platforms index for exporter$/],
    [{ 'refs.platforms': platforms(['', 'linux', 'amd64']) }, /^invalid empty platform key for exporter$/],
    [{ 'refs.platforms': platforms(['x', '', 'amd64']) }, /^invalid platform value \{amd64 {3}\[\] \} for exporter$/],
    [
      { 'refs.platforms': platforms(['x', 'linux', 'amd64'], ['y', 'linux', 'arm64']) },
      /^cannot export multiple platforms without multi-platform enabled$/,
    ],
  ])('a single image with %j is no image', async (attributes, message) => {
    const exporter = openExporter('image', attributes as Record<string, string>, fakeDeps({}));
    const failed = exporter.export(single(), fakeContext());
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toMatchObject({ fault: 'user' });
  });

  test('several refs need the list of their platforms, and a ref for each on it', async () => {
    const { refs, metadata } = multi();
    const exporter = openExporter('image', {}, fakeDeps({}));
    await expect(exporter.export({ refs, metadata: new Map() }, fakeContext())).rejects.toThrow(
      'unable to export multiple refs, missing platforms mapping',
    );
    const listed = { 'refs.platforms': platforms(['linux/amd64', 'linux', 'amd64'], ['x', 'linux', 'arm64']) };
    await expect(openExporter('image', listed, fakeDeps({})).export({ refs, metadata }, fakeContext())).rejects.toThrow(
      'failed to find ref for ID x',
    );
  });

  test('each platform has its own epoch from the frontend, unless the output names one', async () => {
    const source = multi();
    const metadata = new Map(source.metadata);
    metadata.set('source.date.epoch/linux/amd64', Buffer.from('1000'));
    metadata.set('source.date.epoch/linux/arm64', Buffer.from('2000'));
    const created = async (attributes: Record<string, string>) => {
      const { store, blobs } = fakeContent();
      await openExporter('image', attributes, fakeDeps({ content: store })).export(
        { ...source, metadata },
        fakeContext(),
      );
      const configs = [...blobs.values()].map((bytes) => JSON.parse(Buffer.from(bytes).toString()));
      return configs.flatMap(({ rootfs, created: time }) => (rootfs === undefined ? [] : [time])).sort();
    };
    expect(await created({})).toEqual(['1970-01-01T00:16:40Z', '1970-01-01T00:33:20Z']);
    expect(await created({ 'source-date-epoch': '-5' })).toEqual(['1969-12-31T23:59:55Z', '1969-12-31T23:59:55Z']);
    expect(await created({ 'source-date-epoch': '' })).toEqual([null, null]);
  });
});

describe('layouts', () => {
  function entries(tar: Buffer): Map<string, Buffer> {
    const found = new Map<string, Buffer>();
    let last = '';
    const reader = new TarReader({
      entry: ({ name }) => {
        last = name;
        found.set(name, Buffer.alloc(0));
      },
      data: (chunk) => void found.set(last, Buffer.concat([found.get(last) as Buffer, chunk])),
    });
    reader.push(tar);
    reader.close();
    return found;
  }

  test.each(['oci', 'docker'] as const)('%s: a tar that names the image and holds its blobs', async (type) => {
    const sender = new FakeSender();
    const deps = fakeDeps({ fileSender: () => sender });
    const exporter = openExporter(type, { name: 'example.org/app:v1' }, deps);
    const { response } = await exporter.export(single(), fakeContext());
    const [sent] = sender.files;
    expect(sent?.target).toEqual({ exporterId: 0, response });
    const files = entries(sent?.bytes as Buffer);
    const index = parseIndex(files.get('index.json') as Buffer);
    expect(index.manifests).toMatchObject([
      {
        digest: response['containerimage.digest'],
        annotations: { 'io.containerd.image.name': 'example.org/app:v1', 'org.opencontainers.image.ref.name': 'v1' },
      },
    ]);
    expect(files.has('manifest.json')).toBe(type === 'docker');
    if (type === 'docker')
      expect(JSON.parse((files.get('manifest.json') as Buffer).toString())).toMatchObject([
        { RepoTags: ['example.org/app:v1'] },
      ]);
    expect(index.manifests[0]).toMatchObject({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      platform: { architecture: 'amd64', os: 'linux' },
      annotations: { 'org.opencontainers.image.created': expect.stringMatching(/^\d{4}-.*Z$/) },
    });
  });

  test('names for docker load are as people write them; a time that the user gives stays', async () => {
    const sender = new FakeSender();
    const deps = fakeDeps({ fileSender: () => sender });
    const created = { 'annotation-manifest-descriptor.org.opencontainers.image.created': '2011-01-01T00:00:00Z' };
    await openExporter('docker', { name: 'x/y:z,busybox', ...created }, deps).export(single(), fakeContext());
    const files = entries(sender.files[0]?.bytes as Buffer);
    expect(JSON.parse((files.get('manifest.json') as Buffer).toString())).toMatchObject([
      { RepoTags: ['x/y:z', 'busybox:latest'] },
    ]);
    for (const { annotations } of parseIndex(files.get('index.json') as Buffer).manifests)
      expect(annotations).toMatchObject(
        Object.fromEntries([['org.opencontainers.image.created', '2011-01-01T00:00:00Z']]),
      );
  });

  test('docker takes no index; a client without files is told so', async () => {
    const deps = fakeDeps({ fileSender: () => new FakeSender() });
    await expect(openExporter('docker', {}, deps).export(multi(), fakeContext())).rejects.toThrow(/manifest lists/);
    await expect(openExporter('oci', {}, fakeDeps({})).export(single(), fakeContext())).rejects.toMatchObject({
      code: 'failed_precondition',
      hint: expect.stringContaining('dest='),
    });
  });

  test('tar=false writes each blob that the client lacks, referrers last', async () => {
    const written: string[] = [];
    const contentSink = () => ({
      has: async () => written.length === 0 && false,
      write: async ({ digest }: { digest: string }, content: ReadableStream<Uint8Array>) => {
        await Array.fromAsync(content);
        written.push(digest);
      },
    });
    const { response } = await openExporter('oci', { tar: 'false' }, fakeDeps({ contentSink })).export(
      multi(),
      fakeContext(),
    );
    expect(written).toHaveLength(7);
    expect(written.at(-1)).toBe(response['containerimage.digest']);
  });
});

describe('files', () => {
  const trees = () => {
    const [a, b] = [join(temp, 'a'), join(temp, 'b')];
    for (const [directory, name] of [
      [a, 'one'],
      [b, 'two'],
    ] as const) {
      mkdirSync(join(directory, 'sub'), { recursive: true });
      writeFileSync(join(directory, 'sub', name), name);
    }
    const refs = [fakeRef([], a), fakeRef([], b)] as const;
    return { refs, directories: [a, b] as const };
  };
  const mapOf = (...refs: readonly (readonly [string, FakeRef])[]): ExportSource => ({
    refs: new Map(refs),
    metadata: new Map([
      [
        'refs.platforms',
        json({ Platforms: refs.map(([ID]) => ({ ID, Platform: { os: 'linux', architecture: ID.split('/')[1] } })) }),
      ],
    ]),
  });

  test('local: an epoch is the time of everything; a directory of the result alone, links resolved inside it', async () => {
    const { refs, directories } = trees();
    symlinkSync('/sub', join(directories[0], 'link'));
    const sender = new FakeSender();
    const deps = fakeDeps({ fileSender: () => sender, tempDirectory: temp, bulk });
    const source = { ref: refs[0], metadata: new Map() };
    await openExporter('local', { 'source-date-epoch': '7', src: 'link', 'platform-split': 'true' }, deps).export(
      source,
      fakeContext(),
    );
    expect(sender.trees).toMatchObject([
      { directory: join(directories[0], 'sub'), prefix: hostPrefix, mtimeNs: 7_000_000_000n },
    ]);
    for (const [src, message] of [
      ['/nope', 'src=/nope: no such file or directory'],
      ['sub/one', 'src=sub/one: not a directory'],
    ] as const)
      await expect(openExporter('local', { src }, deps).export(source, fakeContext())).rejects.toMatchObject({
        message,
        fault: 'user',
      });
    expect(() => openExporter('local', { src: '' }, deps)).toThrow('empty value for src');
    expect(refs.map((ref) => ref.mounted())).toEqual([0, 0]);
  });

  test('local: several platforms in one directory must not write over each other', async () => {
    const { refs, directories } = trees();
    const sender = new FakeSender();
    const deps = fakeDeps({ fileSender: () => sender, tempDirectory: temp, bulk });
    const map = mapOf(['linux/amd64', refs[0]], ['linux/arm64', refs[1]]);
    const exporter = openExporter('local', { 'platform-split': 'false' }, deps);
    await exporter.export(map, fakeContext());
    expect(sender.trees.map(({ prefix }) => prefix)).toEqual([undefined, undefined]);
    writeFileSync(join(directories[1], 'sub', 'one'), '');
    await expect(exporter.export(map, fakeContext())).rejects.toMatchObject({
      message: 'cannot overwrite sub/one from linux/amd64 with linux/arm64 when split option is disabled',
      fault: 'user',
    });
    expect(sender.trees).toHaveLength(2);
  });

  test('local: one tree, or one for each platform in its directory; nothing stays mounted', async () => {
    const { refs, directories } = trees();
    const sender = new FakeSender();
    const deps = fakeDeps({ fileSender: () => sender, tempDirectory: temp, bulk });
    const context = fakeContext();
    await openExporter('local', {}, deps).export({ ref: refs[0], metadata: new Map() }, context);
    const map = mapOf(['linux/amd64', refs[0]], ['linux/arm/v7', refs[1]]);
    await openExporter('local', {}, deps).export(map, context);
    expect(sender.trees.map(({ directory, prefix }) => [directory, prefix])).toEqual([
      [directories[0], undefined],
      [directories[0], 'linux_amd64'],
      [directories[1], 'linux_arm_v7'],
    ]);
    expect(context.rows).toEqual(['copying files', 'copying files linux/amd64', 'copying files linux/arm/v7']);
    expect(refs.map((ref) => ref.mounted())).toEqual([0, 0]);
    expect(sender.transfers).toBe(3);
    expect(sender.trees.every(({ target }) => target.multiPlatform === undefined)).toBe(true);
    // In one transfer, so that the client knows what is not in it.
    await openExporter('local', { mode: 'delete' }, deps).export(map, context);
    expect(sender.transfers).toBe(4);
    expect(sender.trees.slice(3).map(({ prefix, target }) => [prefix, target.multiPlatform])).toEqual([
      ['linux_arm_v7', true],
      ['linux_amd64', true],
    ]);
    expect(() => openExporter('local', { mode: 'mirror' }, deps)).toThrow('invalid local exporter mode "mirror"');
  });

  test('tar: the files of the result in one archive; scratch is an empty one', async () => {
    const { refs } = trees();
    const sender = new FakeSender();
    const deps = fakeDeps({ fileSender: () => sender, tempDirectory: temp, bulk, streams });
    const map = mapOf(['linux/amd64', refs[0]], ['linux/arm64', refs[1]]);
    const exporter = openExporter('tar', { 'source-date-epoch': '1' }, deps);
    await exporter.export(map, fakeContext());
    await exporter.export({ metadata: new Map() }, fakeContext());
    const names: string[] = [];
    const times = new Set<bigint>();
    const reader = new TarReader({
      entry: ({ name, mtime }) => {
        names.push(name);
        times.add(mtime);
      },
    });
    reader.push(sender.files[0]?.bytes as Buffer);
    expect([...times]).toEqual([1_000_000_000n]);
    expect(names).toEqual([
      'linux_amd64',
      'linux_amd64/sub',
      'linux_amd64/sub/one',
      'linux_arm64',
      'linux_arm64/sub',
      'linux_arm64/sub/two',
    ]);
    expect(sender.files[1]?.bytes.equals(Buffer.alloc(1024))).toBe(true);
    expect(refs.map((ref) => ref.mounted())).toEqual([0, 0]);
  });

  test('tar: a client that goes away in the middle ends the worker and unmounts', async () => {
    const directory = join(temp, 'big');
    mkdirSync(directory);
    for (let i = 0; i < 40; i++) writeFileSync(join(directory, `${i}`), Buffer.alloc(1 << 20, i));
    const ref = fakeRef([], directory);
    const sender = new FakeSender();
    sender.sendFile = async (_target, source) => {
      for await (const _ of source) throw new CodedError('unavailable', 'the client went away');
      return true;
    };
    const exportTo = (to: FakeSender) =>
      openExporter('tar', {}, fakeDeps({ fileSender: () => to, tempDirectory: temp, streams })).export(
        { ref, metadata: new Map() },
        fakeContext(),
      );
    await expect(exportTo(sender)).rejects.toThrow('the client went away');
    expect(ref.mounted()).toBe(0);
    // Nothing of it is left in the worker.
    const next = new FakeSender();
    await exportTo(next);
    expect(next.files[0]?.bytes.length).toBeGreaterThan(40 << 20);
  });

  test('tar: clients that stop reading keep nobody else waiting', async () => {
    const directory = join(temp, 'large');
    mkdirSync(directory);
    for (let i = 0; i < 10; i++) writeFileSync(join(directory, `${i}`), Buffer.alloc(1 << 20, i));
    const ref = fakeRef([], directory);
    const gone = Promise.withResolvers<void>();
    const stalled = new FakeSender();
    stalled.sendFile = async (_target, source) => {
      for await (const _ of source) await gone.promise;
      return true;
    };
    const exportTo = (sender: FakeSender) =>
      openExporter('tar', {}, fakeDeps({ fileSender: () => sender, tempDirectory: temp, streams })).export(
        { ref, metadata: new Map() },
        fakeContext(),
      );
    const waiting = Array.from({ length: 8 }, () => exportTo(stalled));
    const reading = new FakeSender();
    await exportTo(reading);
    expect(reading.files[0]?.bytes.length).toBeGreaterThan(10 << 20);
    gone.resolve();
    await Promise.all(waiting);
    expect(ref.mounted()).toBe(0);
  });
});
