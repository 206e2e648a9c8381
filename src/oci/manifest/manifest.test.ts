import { describe, expect, test } from 'vitest';
import { type Descriptor, digestOf, type Platform } from '../../base/index.ts';
import {
  alignHistory,
  encodeManifest,
  finishConfig,
  type ImageLayer,
  layerCompression,
  layerMediaType,
  layoutFiles,
  layoutTar,
  MEDIA_TYPE,
  manifestsFor,
  noMatch,
  parseImageConfig,
  parseManifestOrIndex,
} from './index.ts';

const descriptor = (text: string, extra: Partial<Descriptor> = {}): Descriptor => ({
  mediaType: MEDIA_TYPE.ociLayerGzip,
  digest: digestOf(text),
  size: text.length,
  ...extra,
});
const layer = (text: string, createdAt?: string, description?: string): ImageLayer => ({
  descriptor: descriptor(text),
  diffId: digestOf(`tar of ${text}`),
  createdAt,
  description,
});
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

test('every layer type names its compression and comes back from it', () => {
  for (const compression of ['gzip', 'zstd', 'uncompressed'] as const)
    for (const oci of [true, false]) expect(layerCompression(layerMediaType(compression, oci))).toBe(compression);
  expect(layerCompression(MEDIA_TYPE.dockerForeignLayerGzip)).toBe('gzip');
  expect(layerCompression('application/vnd.oci.image.layer.nondistributable.v1.tar+zstd')).toBe('zstd');
  expect(layerCompression(MEDIA_TYPE.ociConfig)).toBeUndefined();
});

test('a manifest is written as Go writes it, and read back', () => {
  const manifest = {
    schemaVersion: 2 as const,
    mediaType: MEDIA_TYPE.ociManifest,
    config: descriptor('config', { mediaType: MEDIA_TYPE.ociConfig }),
    layers: [descriptor('layer', { annotations: { 'z<': '&', a: 'b' } })],
  };
  const { bytes, descriptor: own } = encodeManifest(manifest);
  const text = Buffer.from(bytes).toString();
  expect(text).toMatch(/^\{\n {2}"schemaVersion": 2,\n {2}"mediaType": "[^"]+",\n {2}"config": \{\n {4}"mediaType"/);
  expect(text).toContain('"a": "b",\n        "z\\u003c": "\\u0026"');
  expect(own).toEqual({ mediaType: MEDIA_TYPE.ociManifest, digest: digestOf(bytes), size: bytes.length });
  expect(parseManifestOrIndex(bytes)).toEqual({ kind: 'manifest', manifest });
});

describe('hostile documents', () => {
  const config = descriptor('c');
  test.each([
    ['both kinds at once', { schemaVersion: 2, manifests: [], layers: [], config }],
    ['no digest', { schemaVersion: 2, config: { ...config, digest: 'sha256:../../etc' }, layers: [] }],
    ['a negative size', { schemaVersion: 2, config: { ...config, size: -1 }, layers: [] }],
    ['endless layers', { schemaVersion: 2, config, layers: Array.from({ length: 5000 }, () => config) }],
    ['another schema', { schemaVersion: 1, config, layers: [] }],
    ['a list', []],
  ])('%s is refused', (_, value) => {
    expect(() => parseManifestOrIndex(json(value))).toThrow(expect.objectContaining({ reason: 'OCI_MALFORMED' }));
  });

  test('an unknown type is named; a document larger than its bound is not parsed', () => {
    expect(() => parseManifestOrIndex(json({}), 'text/html')).toThrow(/text\/html/);
    expect(() => parseManifestOrIndex(Buffer.alloc(9 << 20))).toThrow(
      expect.objectContaining({ reason: 'OCI_TOO_LARGE' }),
    );
  });
});

describe('choosing a platform', () => {
  const entry = (os: string, architecture: string, variant?: string, annotations?: Record<string, string>) =>
    descriptor(`${os}/${architecture}/${variant}${JSON.stringify(annotations)}`, {
      mediaType: MEDIA_TYPE.ociManifest,
      platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
      ...(annotations === undefined ? {} : { annotations }),
    });
  const index = (...manifests: Descriptor[]) => ({
    schemaVersion: 2 as const,
    mediaType: MEDIA_TYPE.ociIndex,
    manifests,
  });

  test('exact variants win, then the highest arm variant that runs', () => {
    const [v5, v6, v7, arm64, amd64] = [
      entry('linux', 'arm', 'v5'),
      entry('linux', 'arm', 'v6'),
      entry('linux', 'arm', 'v7'),
      entry('linux', 'arm64', 'v8'),
      entry('linux', 'amd64'),
    ];
    const all = index(v5, v7, v6, arm64, amd64);
    const best = (of: typeof all, wanted: Platform) => manifestsFor(of, wanted)[0];
    expect(best(all, { os: 'linux', architecture: 'arm', variant: 'v6' })).toBe(v6);
    expect(best(index(v5, v6), { os: 'linux', architecture: 'arm', variant: 'v7' })).toBe(v6);
    expect(best(all, { os: 'linux', architecture: 'arm64' })).toBe(arm64);
    expect(best(all, { os: 'linux', architecture: 'x86_64' })).toBe(amd64);
    expect(manifestsFor(all, { os: 'linux', architecture: 'arm64' })).toEqual([arm64, v7, v6, v5]);
  });

  test('entries without a platform come last; attestations and other kinds are no images', () => {
    const { platform: _, ...unlabelled } = entry('linux', 'arm64');
    const attestation = entry('linux', 'amd64', undefined, { 'vnd.docker.reference.type': 'attestation-manifest' });
    const other = { ...entry('linux', 'amd64'), mediaType: 'application/vnd.example' };
    const [first, second] = [entry('linux', 'amd64'), entry('linux', 'amd64', 'v1')];
    const all = index(unlabelled, attestation, other, first, entry('linux', 's390x'), second);
    expect(manifestsFor(all, { os: 'linux', architecture: 'amd64' })).toEqual([first, second, unlabelled]);
  });

  test('what is missing is told with what is there', () => {
    const there = [entry('linux', 's390x'), entry('unknown', 'unknown')].map(({ platform }) => platform!);
    const error = noMatch(descriptor('x'), { os: 'linux', architecture: 'amd64' }, there);
    expect(error).toMatchObject({ code: 'not_found', hint: 'the image has linux/s390x, not linux/amd64' });
    expect(error.message).toBe(`no match for platform in manifest ${digestOf('x')}: not found`);
  });
});

describe('history and configuration', () => {
  const [t1, t2, t3] = ['2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z', '2022-01-01T00:00:00.5Z'];

  test('history is aligned with layers: missing entries added, times filled', () => {
    const image = alignHistory(
      [layer('a', t1), layer('e', t2), layer('b', t3, 'RUN b')],
      [{ created: t1, created_by: 'base' }, { created_by: 'CMD x', empty_layer: true }, { created_by: 'RUN nothing' }],
    );
    expect(image.layers.map(({ descriptor: { digest } }) => digest)).toEqual(['a', 'e', 'b'].map(digestOf));
    expect(image.history).toEqual([
      { created: t1, created_by: 'base' },
      { created: t2, created_by: 'CMD x', empty_layer: true },
      { created: t2, created_by: 'RUN nothing' },
      { created: t3, created_by: 'RUN b', comment: 'buildkit.exporter.image.v0' },
    ]);
  });

  test('more history than layers leaves no layer unaccounted', () => {
    const image = alignHistory([layer('a', t1)], [{ created_by: '1' }, { created_by: '2' }]);
    expect(image.history.filter((entry) => !entry.empty_layer)).toHaveLength(1);
  });

  test('a configuration keeps what it has, and gets rootfs, history and creation time', () => {
    const image = alignHistory([layer('a', t1)], []);
    const config = json({
      os: 'linux',
      architecture: 'amd64',
      config: { Zeta: 1, Cmd: ['a<b'] },
      unknown: { kept: true },
    });
    const text = Buffer.from(finishConfig(config, image)).toString();
    expect(text).toBe(
      `{"architecture":"amd64","config":{"Zeta":1,"Cmd":["a\\u003cb"]},"created":"${t1}","history":[{"created":"${t1}","comment":"buildkit.exporter.image.v0"}],"os":"linux","rootfs":{"type":"layers","diff_ids":["${digestOf('tar of a')}"]},"unknown":{"kept":true}}`,
    );
  });

  test.each([
    ['2022-01-01T00:00:00.740Z', '2022-01-01T00:00:00.74Z'],
    ['2022-01-01T00:00:00.000Z', '2022-01-01T00:00:00Z'],
    ['2022-01-01T00:00:00.100200+02:00', '2022-01-01T00:00:00.1002+02:00'],
    ['2022-01-01T00:00:10Z', '2022-01-01T00:00:10Z'],
    ['2022-01-01T00:00:10-10:00', '2022-01-01T00:00:10-10:00'],
  ])('the time %s is written as Go does', (created, written) => {
    const image = alignHistory([layer('a', created)], []);
    const config = parseImageConfig(finishConfig(json({ os: 'linux', architecture: 'amd64' }), image));
    expect(config).toMatchObject({ created: written, history: [{ created: written }] });
  });

  test('a source date epoch clamps times, but not those of the base', () => {
    const base = [{ created: t3, created_by: 'base' }];
    const image = alignHistory([layer('a'), layer('b', t3)], [...base, { created_by: 'RUN', created: t3 }]);
    const config = finishConfig(json({ os: 'linux', architecture: 'amd64', created: t3 }), image, {
      sourceDateEpoch: 1_600_000_000,
      baseHistory: base,
    });
    expect(parseImageConfig(config)).toMatchObject({
      created: '2020-09-13T12:26:40Z',
      history: [{ created: t3 }, { created: '2020-09-13T12:26:40Z' }],
    });
  });
});

describe('configurations as the real exporter ends them', () => {
  const bare = { os: 'linux', architecture: 'amd64' };

  test('what is empty is null, unless the frontend gave an empty list', () => {
    const nothing = alignHistory([], []);
    expect(JSON.parse(Buffer.from(finishConfig(json(bare), nothing)).toString())).toEqual({
      ...bare,
      created: null,
      history: null,
      rootfs: { type: 'layers', diff_ids: null },
    });
    expect(Buffer.from(finishConfig(json({ ...bare, history: [] }), nothing)).toString()).toContain('"history":[]');
  });

  test('an epoch in the future is the time of what has none', () => {
    const image = alignHistory([], [{ created_by: 'ENV a=b', empty_layer: true }]);
    const config = parseImageConfig(finishConfig(json(bare), image, { sourceDateEpoch: 4_000_000_000 }));
    expect(config).toMatchObject({ created: '2096-10-02T07:06:40Z', history: [{ created: '2096-10-02T07:06:40Z' }] });
  });

  test.each([
    ['{"architecture":"amd64"}', /^invalid image config for export: missing os$/],
    ['{"os":"linux"}', /^invalid image config for export: missing architecture$/],
    ['{}', /missing os/],
    ['null', /^invalid null image config for export$/],
    ['[]', /^invalid image config for export: malformed image config/],
    ['{', /^invalid image config for export: malformed image config/],
    ['{"os":"linux","architecture":"amd64","config":{"Env":"A"}}', /config\.Env/],
    ['{"os":"linux","architecture":"amd64","created":"yesterday"}', /created: expected a time/],
    ['{"os":"linux","architecture":"amd64","history":[{"created":"2020"}]}', /history\.0\.created: expected a time/],
    ['{"os":"linux","architecture":"amd64","os.features":"x"}', /os\.features/],
    ['{"os":"linux","architecture":"amd64","config":{"ArgsEscaped":"x"}}', /config\.ArgsEscaped/],
  ])('%s is none, and the fault of who gave it', (text, message) => {
    const finish = () => finishConfig(Buffer.from(text), { layers: [], history: [] });
    expect(finish).toThrow(message);
    expect(finish).toThrow(expect.objectContaining({ fault: 'user', code: 'invalid_argument' }));
  });
});

test('a layout is the same tar whatever order its files come in, and holds blobs to their sizes', async () => {
  const blob = Buffer.from('{"blob":true}');
  const root: Descriptor = {
    mediaType: MEDIA_TYPE.ociManifest,
    digest: digestOf(blob),
    size: blob.length,
    annotations: { 'org.opencontainers.image.ref.name': 'v1' },
  };
  const open = async () => ReadableStream.from([blob.subarray(0, 4), blob.subarray(4)]);
  const files = layoutFiles(
    [root],
    [
      { descriptor: root, content: open },
      { descriptor: root, content: blob },
    ],
  );
  const lying = layoutFiles([root], [{ descriptor: { ...root, size: 99 }, content: open }]);
  await expect(Array.fromAsync(layoutTar(lying))).rejects.toMatchObject({ reason: 'OCI_SIZE_MISMATCH' });
  const tars = await Promise.all(
    [files, files.toReversed().sort((a, b) => (a.path < b.path ? -1 : 1))].map(async (list) =>
      Buffer.concat(await Array.fromAsync(layoutTar(list))),
    ),
  );
  expect(tars[0]?.equals(tars[1]!)).toBe(true);
});
