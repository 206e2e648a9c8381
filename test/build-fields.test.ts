import { describe, expect, test } from 'vitest';
import { inlineCache } from '../src/builder-pod/caches/inline.ts';
import { MountCaches } from '../src/builder-pod/caches/mounts/mount-caches.ts';
import { mountsOptions } from '../src/builder-pod/caches/mounts/options.ts';
import { azureOptions } from '../src/builder-pod/caches/objects/azblob-options.ts';
import { ghaOptions } from '../src/builder-pod/caches/objects/gha-options.ts';
import { s3Options } from '../src/builder-pod/caches/objects/s3-options.ts';
import { registryCaches } from '../src/builder-pod/caches/registry.ts';
import { ghaToken } from '../src/builder-pod/caches/testing/gha-server.ts';
import { cacheExporter } from '../src/builder-pod/caches/write.ts';
import { provenanceOptions } from '../src/builder-pod/engine/provenance/options.ts';
import { ExportOptions, openExporter } from '../src/builder-pod/exporters/index.ts';
import { attestationRequests } from '../src/dockerfile/attestation-requests.ts';
import { planBuild, type SolvePlan } from '../src/plan/index.ts';
import { parseBuild } from '../src/resources/index.ts';

const NO_TLOG = 'what an identity signs is verified by its log alone, and a key needs none';
/** Every attribute that the engine asks for is one that some Build sends, or stands here with the reason for which none does. */
const NO_FIELD: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  image: {
    'push-by-digest': 'an output has tags; the operator pushes by digest first, and status tells it',
    'dangling-name-prefix': 'an output has a name',
    'danging-name-empty-only': 'an output has a name',
    unpack: 'does nothing here',
    store: 'does nothing here',
    'name-canonical': 'does nothing here',
    'unsafe-internal-store-allow-incomplete': 'does nothing here',
    'attestation-inline': 'attestations make an index always: nobody reads them from a single manifest',
  },
  provenance: {
    'inline-only': 'of exported files, which a Build has none of',
    filename: 'of exported files, which a Build has none of',
  },
  registry: { 'sign-tlog': NO_TLOG },
  s3: { disable_accept_encoding: 'does nothing here' },
  gha: { repository: 'does nothing here', ghtoken: 'does nothing here' },
  azblob: {},
  inline: { mode: 'an image carries a cache of its own layers only' },
  mounts: { 'sign-tlog': NO_TLOG },
};
/** Refused by name with a reason where nothing can be signed. */
const TRUST = [
  ...['sign-key', 'sign-password', 'verify-key'],
  ...['sign-identity-token', 'sign-fulcio-url', 'sign-rekor-url', 'sign-tlog'],
  ...['verify-identity', 'verify-issuer', 'verify-trusted-root'],
];

const build = (spec: object) =>
  planBuild(
    parseBuild(
      JSON.stringify({ apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name: 'x' }, spec }),
      'build.json',
    ),
    { defaultRegistry: 'r.example.com' },
  );

/** With every field of an output, of attestations and of each kind of cache. */
const whole = (
  sign: object = { secretRef: { name: 's' }, tlog: false },
  trust: object = { sign: { secretRef: { name: 's' } }, verify: { secretRef: { name: 's' } } },
) => {
  const secretRef = { name: 's' };
  const written = {
    ...{ mode: 'continuous', keepLast: 1, maxAge: '1h', maxSize: '1Gi', continuousInterval: '1s' },
    ...{ continuousBandwidth: '1Mi', compression: 'zstd', compressionLevel: 3, forceCompression: true },
  };
  const common = { name: 'a', prefix: 'p', blobsPrefix: 'b', manifestsPrefix: 'm', secretRef };
  const caches = {
    registry: {
      ...{ ref: 'c', insecure: true, imageManifest: true, ociMediaTypes: true },
      ...trust,
    },
    s3: {
      ociMediaTypes: true,
      s3: {
        ...{ ...common, bucket: 'b', region: 'r', endpointUrl: 'https://x', usePathStyle: true },
        ...{ uploadParallelism: 2, touchRefresh: '1h', retryMode: 'adaptive', retryMaxAttempts: 3 },
      },
    },
    gha: {
      ociMediaTypes: true,
      gha: { scope: 's', url: 'https://x', urlV2: 'https://y', version: 2, timeout: '1m', secretRef },
    },
    inline: { inline: {} },
    azblob: { ociMediaTypes: true, azblob: { ...common, accountUrl: 'https://x', accountName: 'a', container: 'abc' } },
  };
  return build({
    dockerfile: { inline: 'FROM scratch' },
    sourceDateEpoch: 1,
    sign,
    attestations: {
      sbom: { generator: 'scan.example.com/scanner:1', parameters: { SCAN: 'a,b', EXTRA: '"x"' } },
      provenance: { mode: 'max', version: 'v1', builderId: 'b', reproducible: true, completeMaterials: true },
    },
    outputs: [
      {
        ...{ image: 'i', compression: 'gzip', compressionLevel: 1, forceCompression: true, rewriteTimestamp: true },
        ...{ ociMediaTypes: true, preferNondistLayers: true, ociArtifact: true, insecure: true },
      },
    ],
    cache: {
      to: Object.values(caches).map((cache) => ('inline' in cache ? cache : { ...cache, ...written })),
      mounts: {
        ...{ from: 'm', to: 'm', insecure: true, ids: ['a', 'b'], maxSize: '1Gi', maxAge: '1h', timeout: '1m' },
        ...trust,
      },
    },
  });
};

/** The same, caches signed by who has no key. */
const byIdentity = () =>
  whole(undefined, {
    sign: { keyless: { tokenSecretRef: { name: 't' }, fulcioUrl: 'https://f.test', rekorUrl: 'https://r.test' } },
    verify: { identity: { identity: 'a', issuer: 'b', trustedRootSecretRef: { name: 't' } } },
  });

/** Keys that are asked for of attributes that have these values. */
function askedOf(values: Readonly<Record<string, string>>, use: (attrs: Record<string, string>) => unknown): string[] {
  const asked = new Set<string>();
  use(
    new Proxy(values as Record<string, string>, {
      get: (all, key) => {
        asked.add(String(key));
        return all[String(key)];
      },
    }),
  );
  return [...asked];
}

const sent = (attrs: Readonly<Record<string, string>>) => Object.keys(attrs).map((key) => key.replace(/^secret\./, ''));
/** Nothing is written. */
const deps = { outflow: { part: () => undefined } } as never;
const attrsOf = (caches: SolvePlan['cacheExports'], of: string) => caches.find(({ type }) => type === of)?.attrs ?? {};

describe('every attribute of the engine is a field of a Build, or has a reason', () => {
  const { exporters, cacheExports, cacheImports, frontendAttrs } = whole();
  const other = byIdentity();
  const both = (attrs: Readonly<Record<string, string>>, more: Readonly<Record<string, string>>) => [
    ...new Set([...sent(attrs), ...sent(more)]),
  ];
  const check = (kind: string, asked: readonly string[], given: readonly string[]) => {
    const known = new Set([...given, ...Object.keys(NO_FIELD[kind] ?? {})]);
    expect(asked.filter((key) => !known.has(key))).toEqual([]);
    // Nor is there a reason for what has a field, or for what nothing asks for.
    expect(Object.keys(NO_FIELD[kind] ?? {}).filter((key) => given.includes(key) || !asked.includes(key))).toEqual([]);
    // What is sent is known.
    expect(given.filter((key) => !asked.includes(key))).toEqual([]);
  };

  test('of an image', () => {
    const keyless = { tokenSecretRef: { name: 't' }, fulcioUrl: 'https://fulcio.example.com' };
    const all = [exporters, whole({ keyless, rekorUrl: 'https://rekor.example.com' }).exporters].map(
      ([exporter]) => exporter?.attrs ?? {},
    );
    const asked = all.flatMap((attrs) => askedOf(attrs, (watched) => openExporter('image', watched, deps, {})));
    check('image', [...new Set(asked)], [...new Set(all.flatMap(sent))]);
  });

  test('of annotations, in every place', () => {
    const [exporter] = build({
      dockerfile: { inline: 'FROM scratch' },
      outputs: [
        {
          ...{ image: 'i', annotations: { k: 'v' }, indexAnnotations: { k: 'v' } },
          ...{ manifestDescriptorAnnotations: { k: 'v' }, indexDescriptorAnnotations: { k: 'v' } },
          platformAnnotations: [
            { platform: 'linux/arm64', annotations: { k: 'p' }, descriptorAnnotations: { k: 'p' } },
          ],
        },
      ],
    }).exporters;
    const found = new ExportOptions('image', exporter?.attrs ?? {}).annotations();
    expect(found.map(({ target, platform, value }) => `${target} ${platform ?? ''} ${value}`).sort()).toEqual(
      [
        ...['manifest  v', 'index  v', 'manifest-descriptor  v', 'index-descriptor  v'],
        ...['manifest linux/arm64 p', 'manifest-descriptor linux/arm64 p'],
      ].sort(),
    );
  });

  test('of provenance', () => {
    const parameters = new Map(
      (frontendAttrs['attest:provenance'] ?? '').split(',').map((one) => one.split('=') as [string, string]),
    );
    const asked = new Set<string>();
    const watch = (key: string) => {
      asked.add(key);
      return key;
    };
    provenanceOptions({
      get: (key: string) => parameters.get(watch(key)),
      has: (key: string) => parameters.has(watch(key)),
    } as ReadonlyMap<string, string>);
    check('provenance', [...asked], [...parameters.keys()]);
  });

  test('of an SBOM', () => {
    const { sbom } = attestationRequests(new Map([['attest:sbom', frontendAttrs['attest:sbom'] ?? '']]));
    expect(sbom).toEqual({
      generator: 'scan.example.com/scanner:1',
      parameters: new Map([
        ['SCAN', 'a,b'],
        ['EXTRA', '"x"'],
      ]),
    });
  });

  test('of cache mounts that are saved, and restored', async () => {
    await using caches = new MountCaches({ trusted: [] } as never);
    const saved = attrsOf(cacheExports, 'mounts');
    check(
      'mounts',
      askedOf(saved, (all) => caches.exporter(all)),
      both(saved, attrsOf(other.cacheExports, 'mounts')),
    );
    const restored = attrsOf(cacheImports, 'mounts');
    const asked = askedOf(restored, (all) =>
      mountsOptions(new ExportOptions('mounts cache', all), 'importer', { trusted: [] } as never),
    );
    // What is read is not signed.
    check(
      'mounts, restored',
      asked.filter((key) => !key.startsWith('sign-')),
      both(restored, attrsOf(other.cacheImports, 'mounts')),
    );
  });

  test('of a cache in the image', () => {
    const attrs = attrsOf(cacheExports, 'inline');
    const asked = askedOf(attrs, (all) => inlineCache(all, deps));
    check(
      'inline',
      asked.filter((key) => !TRUST.includes(key)),
      sent(attrs),
    );
  });

  test.each(['registry', 's3', 'gha', 'azblob'])('of a cache of type %s', (type) => {
    const attrs = attrsOf(cacheExports, type);
    const secrets = { access_key_id: 'k', secret_access_key: 'aGk=', session_token: 't', token: ghaToken() };
    const named = sent(attrs);
    const values: Record<string, string> = {
      ...Object.fromEntries(Object.entries(attrs).filter(([key]) => !key.startsWith('secret.'))),
      ...Object.fromEntries(Object.entries(secrets).filter(([key]) => named.includes(key))),
    };
    const optionsOf = { s3: s3Options, gha: ghaOptions, azblob: azureOptions }[type];
    const registry = registryCaches({ trusted: [] } as never);
    const asked = askedOf(values, (all) =>
      cacheExporter(
        optionsOf === undefined
          ? registry
          : {
              ...{ type, exporting: '', replaceable: true },
              store: (options) => {
                optionsOf(options, {});
                return deps;
              },
            },
        all,
        { direct: false },
        { outflow: { part: () => undefined } } as never,
      ),
    );
    const trust = type === 'registry' ? [] : TRUST;
    check(
      type,
      asked.filter((key) => !trust.includes(key)),
      both(attrs, attrsOf(other.cacheExports, type)),
    );
  });
});
