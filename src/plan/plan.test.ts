import { describe, expect, test } from 'vitest';
import { decodeDefinition, decodeOp } from '../llb/index.ts';
import { parseBuild } from '../resources/index.ts';
import { type ClusterValues, planBuild, references, type SolvePlan, solveRequest } from './index.ts';

const build = (spec: string) =>
  parseBuild(`apiVersion: slipway.build/v1alpha1\nkind: Build\nmetadata: { name: x }\nspec: ${spec}\n`, 'build.yaml');
const plan = (spec: string, values?: ClusterValues): SolvePlan =>
  planBuild(build(spec), { defaultRegistry: 'slipway.localhost', ...(values === undefined ? {} : { values }) });

/** Paths and contents that a definition of inline files writes. */
function written(bytes: Uint8Array | undefined): string[] {
  return decodeDefinition(bytes ?? new Uint8Array())
    .ops.map(decodeOp)
    .flatMap(({ body }) => (body.kind === 'file' ? body.file.actions : []))
    .map(({ body }) =>
      body.kind === 'mkfile'
        ? `${body.mkfile.path}=${Buffer.from(body.mkfile.data)}`
        : body.kind === 'mkdir'
          ? `${body.mkdir.path}/`
          : body.kind,
    );
}

describe('planBuild', () => {
  test('inline files become the context, and the Dockerfile among them', () => {
    const planned = plan(
      '{ source: { inline: { files: { Dockerfile: "FROM scratch", "a/b/c.txt": hi } } }, outputs: [{ image: hello }] }',
    );
    expect(planned.frontend).toBe('dockerfile.v0');
    expect(written(planned.frontendInputs['context'])).toEqual([
      '/Dockerfile=FROM scratch',
      '/a/',
      '/a/b/',
      '/a/b/c.txt=hi',
    ]);
    expect(planned.frontendInputs['dockerfile']).toEqual(planned.frontendInputs['context']);
    expect(planned.exporters).toEqual([
      { type: 'image', attrs: { name: 'slipway.localhost/hello:latest', push: 'true' } },
    ]);
  });

  test('an inline Dockerfile wins over the source’s', () => {
    const planned = plan(
      '{ source: { git: { url: "https://example.com/r.git", ref: v1, subPath: app } }, dockerfile: { inline: "FROM scratch" } }',
    );
    expect(planned.frontendAttrs['context']).toBe('https://example.com/r.git#v1:app');
    expect(written(planned.frontendInputs['dockerfile'])).toEqual(['/Dockerfile=FROM scratch']);
  });

  test('what is signed, by whom and with which services is the exporter’s attributes, with reserved ids of secrets', () => {
    const signed = (sign: string) => {
      const { exporters, signing } = plan(
        `{ dockerfile: { inline: "FROM scratch" }, outputs: [{ image: a }], sign: ${sign} }`,
      );
      const attrs = Object.entries(exporters[0]?.attrs ?? {}).filter(([key]) => key.startsWith('sign-'));
      return { attrs: Object.fromEntries(attrs), signing };
    };
    expect(signed('{ secretRef: { name: s }, rekorUrl: "https://r.test" }')).toEqual({
      attrs: {
        'sign-key': 'slipway.build/signing-key',
        'sign-password': 'slipway.build/signing-password',
        'sign-rekor-url': 'https://r.test',
      },
      signing: { by: 'key', secretRef: { name: 's' }, field: 'spec.sign.secretRef' },
    });
    const keyless = '{ keyless: { tokenSecretRef: { name: t, key: k }, fulcioUrl: "https://f.test" }, tlog: false }';
    expect(signed(keyless)).toEqual({
      attrs: {
        'sign-identity-token': 'slipway.build/identity-token',
        'sign-fulcio-url': 'https://f.test',
        'sign-tlog': 'false',
      },
      signing: { by: 'token', secretRef: { name: 't', key: 'k' }, field: 'spec.sign.keyless.tokenSecretRef' },
    });
    for (const sign of ['{}', '{ secretRef: { name: s }, keyless: { tokenSecretRef: { name: t } } }'])
      expect(() => signed(sign)).toThrow(/exactly one of secretRef, keyless/);
    expect(() => signed('{ secretRef: { name: s }, rekorUrl: "file:///x" }')).toThrow(/must be an http or https URL/);
  });

  test('an inline Dockerfile needs no source', () => {
    expect(written(plan('{ dockerfile: { inline: "FROM scratch" } }').frontendInputs['context'])).toEqual(['//']);
  });

  test('args, target, platforms, contexts and secrets are the frontend’s attributes', () => {
    const planned = plan(`{
      source: { upload: {} }, dockerfile: { path: build/Dockerfile, target: final },
      args: [{ name: A, value: "1" }, { name: B }], platforms: [linux/amd64, linux/arm64],
      contexts: [{ name: base, oci: { image: debian } }, { name: lib, upload: {} }, { name: conf, inline: { files: { x: y } } }],
      secrets: [{ id: token, secretRef: { name: ci, key: token } }], sourceDateEpoch: 5, timeout: 1h30m, cache: { noCache: true } }`);
    expect(planned.frontendAttrs).toEqual({
      filename: 'build/Dockerfile',
      target: 'final',
      'build-arg:A': '1',
      'build-arg:B': '',
      'build-arg:SOURCE_DATE_EPOCH': '5',
      platform: 'linux/amd64,linux/arm64',
      'context:base': 'docker-image://debian',
      'context:lib': 'local:lib',
      'context:conf': 'input:conf',
      'no-cache': '',
    });
    expect(planned.uploads).toEqual(['context', 'dockerfile', 'lib']);
    expect(planned.secrets).toEqual([
      { id: 'token', secretRef: { name: 'ci', key: 'token' }, field: 'spec.secrets[token]' },
    ]);
    expect(planned.timeoutMs).toBe(5_400_000);
  });

  test('all that an output says is its exporter’s attributes', () => {
    const { exporters } = plan(`{
      dockerfile: { inline: "FROM scratch" }, sourceDateEpoch: 5,
      outputs: [{ image: app, compression: estargz, compressionLevel: 9, forceCompression: true, rewriteTimestamp: true,
        ociMediaTypes: true, annotations: { a: b }, indexAnnotations: { c: d } }, { image: other, ociMediaTypes: false }] }`);
    expect(exporters.map(({ attrs }) => attrs)).toEqual([
      {
        ...{ name: 'slipway.localhost/app:latest', push: 'true', 'source-date-epoch': '5' },
        ...{ compression: 'estargz', 'compression-level': '9', 'force-compression': 'true' },
        ...{ 'rewrite-timestamp': 'true', 'oci-mediatypes': 'true', 'annotation.a': 'b', 'annotation-index.c': 'd' },
      },
      {
        ...{ name: 'slipway.localhost/other:latest', push: 'true', 'source-date-epoch': '5' },
        'oci-mediatypes': 'false',
      },
    ]);
  });

  test('caches are read and written by their full names, and never fail a Build', () => {
    const { cacheImports, cacheExports, frontendAttrs } = plan(
      '{ dockerfile: { inline: "FROM scratch" }, cache: { from: [{ ref: "r.example.com/c:main" }, { ref: "team/c" }], to: [{ ref: "c", mode: max }, { ref: "d", mode: continuous, keepLast: 3, maxAge: 48h, maxSize: 2Gi }] } }',
    );
    expect(cacheImports.map(({ attrs }) => attrs)).toEqual([
      { ref: 'r.example.com/c:main' },
      { ref: 'slipway.localhost/team/c' },
    ]);
    expect(JSON.parse(frontendAttrs['cache-imports'] ?? '')).toEqual(
      cacheImports.map(({ type, attrs }) => ({ Type: type, Attrs: attrs })),
    );
    expect(cacheExports).toEqual([
      { type: 'registry', attrs: { ref: 'slipway.localhost/c', mode: 'max', 'ignore-error': 'true', merge: 'true' } },
      {
        type: 'registry',
        attrs: {
          ...{ ref: 'slipway.localhost/d', mode: 'continuous', 'ignore-error': 'true', merge: 'true' },
          ...{ 'keep-last': '3', 'max-age': '48h', 'max-size': String(2 * 2 ** 30) },
        },
      },
    ]);
    expect(() => plan('{ dockerfile: { inline: "FROM scratch" }, cache: { from: [{ ref: "UPPER" }] } }')).toThrow(
      'its path in lower case',
    );
  });

  test('cache mounts are restored and saved by their full names, and the status is to say how it went', () => {
    const { cacheImports, cacheExports } = plan(
      '{ dockerfile: { inline: "FROM scratch" }, cache: { to: [{ ref: "c" }], mounts: { from: "team/mounts", to: "r.example.com/mounts:main", ids: [go, /root/.npm], maxSize: 2Gi, maxAge: 48h } } }',
    );
    const bounds = { ids: 'go;/root/.npm', 'max-size': String(2 * 2 ** 30), 'max-age': '48h' };
    expect(cacheImports).toEqual([{ type: 'mounts', attrs: { ref: 'slipway.localhost/team/mounts', ...bounds } }]);
    expect(cacheExports.map(({ type }) => type)).toEqual(['registry', 'mounts']);
    expect(cacheExports[1]?.attrs).toEqual({
      ...{ ref: 'r.example.com/mounts:main', ...bounds },
      ...{ wait: 'true', 'ignore-error': 'true' },
    });
    const trusted = plan(
      '{ dockerfile: { inline: "FROM scratch" }, cache: { mounts: { from: "r.example.com/m", to: "r.example.com/m", timeout: 2m, sign: { secretRef: { name: k } }, verify: { secretRef: { name: k } } } } }',
    );
    const read = { ref: 'r.example.com/m', timeout: '2m', 'verify-key': 'slipway.build/cache/k/cosign.pub' };
    expect(trusted.cacheImports).toEqual([{ type: 'mounts', attrs: read }]);
    expect(trusted.cacheExports[0]?.attrs).toMatchObject({ ...read, 'sign-key': 'slipway.build/cache/k/cosign.key' });
    expect(trusted.cacheSecrets.map(({ field, optional = false }) => [field, optional])).toEqual([
      ['spec.cache.mounts.sign.secretRef', false],
      ['spec.cache.mounts.sign.secretRef', true],
      ['spec.cache.mounts.verify.secretRef', false],
    ]);
    for (const mounts of [
      ...['{ from: "c", sign: { secretRef: { name: k } } }', '{ from: "c", verify: {} }'],
      '{ ids: [go] }',
      ...['{ from: "c", ids: ["a;b"] }', '{ to: "UPPER" }'],
    ])
      expect(() => plan(`{ dockerfile: { inline: "FROM scratch" }, cache: { mounts: ${mounts} } }`)).toThrow();
  });

  test('caches in stores are attributes of the builder’s, and name their secrets', () => {
    const cache = (text: string) => plan(`{ dockerfile: { inline: "FROM scratch" }, cache: { ${text} } }`);
    const s3 =
      's3: { bucket: b, region: r, name: "a;b", blobsPrefix: x/, endpointUrl: "https://s3.example.com", usePathStyle: true, uploadParallelism: 8, secretRef: { name: aws } }';
    const { cacheImports, cacheExports, cacheSecrets, frontendAttrs } = cache(
      `from: [{ ${s3} }], to: [{ ${s3}, mode: continuous, continuousInterval: 30s, continuousBandwidth: 64Mi, compression: zstd, compressionLevel: 12 }, { inline: {} }, { gha: { secretRef: { name: job }, urlV2: "https://x/" } }]`,
    );
    const store = {
      ...{ bucket: 'b', region: 'r', name: 'a;b', blobs_prefix: 'x/', endpoint_url: 'https://s3.example.com' },
      ...{ use_path_style: 'true', upload_parallelism: '8' },
      'secret.access_key_id': 'slipway.build/cache/aws/AWS_ACCESS_KEY_ID',
      'secret.secret_access_key': 'slipway.build/cache/aws/AWS_SECRET_ACCESS_KEY',
      'secret.session_token': 'slipway.build/cache/aws/AWS_SESSION_TOKEN',
    };
    const written = { mode: 'min', 'ignore-error': 'true', merge: 'true' };
    expect(cacheImports).toEqual([{ type: 's3', attrs: store }]);
    expect(JSON.parse(frontendAttrs['cache-imports'] ?? '')).toEqual([{ Type: 's3', Attrs: store }]);
    expect(cacheExports).toEqual([
      {
        type: 's3',
        attrs: {
          ...{ ...store, ...written, mode: 'continuous', compression: 'zstd', 'compression-level': '12' },
          ...{ 'continuous-interval': '30s', 'continuous-bandwidth': String(64 << 20) },
        },
      },
      { type: 'inline', attrs: { 'ignore-error': 'true' } },
      {
        type: 'gha',
        attrs: {
          ...written,
          url_v2: 'https://x/',
          'secret.token': 'slipway.build/cache/job/ACTIONS_RUNTIME_TOKEN',
          'secret.url': 'slipway.build/cache/job/ACTIONS_CACHE_URL',
        },
      },
    ]);
    expect(cacheSecrets.filter(({ optional }) => !optional).map(({ id, field }) => [id, field])).toEqual([
      ['slipway.build/cache/aws/AWS_ACCESS_KEY_ID', 'spec.cache.from[0].s3.secretRef'],
      ['slipway.build/cache/aws/AWS_SECRET_ACCESS_KEY', 'spec.cache.from[0].s3.secretRef'],
      ['slipway.build/cache/job/ACTIONS_RUNTIME_TOKEN', 'spec.cache.to[2].gha.secretRef'],
    ]);
  });

  test('caches in registries are signed, and read with a signature, by keys that stand in no attribute', () => {
    const cache = (text: string) => plan(`{ dockerfile: { inline: "FROM scratch" }, cache: { ${text} } }`);
    const pem = '-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----';
    const { cacheImports, cacheExports, cacheSecrets } = cache(
      `from: [{ ref: r.example.com/c, verify: { publicKey: "${pem}" } }], to: [{ ref: r.example.com/c, sign: { secretRef: { name: k, key: mine } }, verify: { secretRef: { name: k, key: old.pub } } }]`,
    );
    expect(cacheImports[0]?.attrs['verify-key']).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
    expect(cacheExports[0]?.attrs).toMatchObject({
      ...{ 'sign-key': 'slipway.build/cache/k/mine', 'sign-password': 'slipway.build/cache/k/cosign.password' },
      'verify-key': 'slipway.build/cache/k/old.pub',
    });
    expect(cacheSecrets.map(({ secretRef, flag, env, optional }) => [secretRef.key, flag ?? env, optional])).toEqual([
      ['mine', 'cache-sign-key', undefined],
      ['cosign.password', 'COSIGN_PASSWORD', true],
      ['old.pub', 'cache-verify-key', undefined],
    ]);
    const keyless = cache(
      `from: [{ ref: r.example.com/c, verify: { identity: { identity: "https://ci.test/app", issuer: "https://issuer.test", trustedRootSecretRef: { name: t } } } }], to: [{ ref: r.example.com/c, sign: { keyless: { tokenSecretRef: { name: t, key: jwt }, rekorUrl: "https://rekor.test" } } }]`,
    );
    expect(keyless.cacheImports[0]?.attrs).toMatchObject({
      ...{ 'verify-identity': 'https://ci.test/app', 'verify-issuer': 'https://issuer.test' },
      'verify-trusted-root': 'slipway.build/cache/t/trusted_root.json',
    });
    expect(keyless.cacheExports[0]?.attrs).toMatchObject({
      ...{ 'sign-identity-token': 'slipway.build/cache/t/jwt', 'sign-rekor-url': 'https://rekor.test' },
    });
    expect(keyless.cacheSecrets.map(({ field, env }) => [field, env])).toEqual([
      ['spec.cache.from[0].verify.identity.trustedRootSecretRef', undefined],
      ['spec.cache.to[0].sign.keyless.tokenSecretRef', 'SIGSTORE_ID_TOKEN'],
    ]);
    const refusals = [
      [
        'from: [{ ref: r.example.com/c, verify: {} }]',
        /exactly one of publicKey, secretRef, configMapKeyRef, identity/,
      ],
      ['from: [{ ref: r.example.com/c, verify: { publicKey: mine } }]', /must be a public key in PEM form/],
      ['from: [{ ref: r.example.com/c, verify: { configMapKeyRef: { name: m, key: k } } }]', /only a cluster has/],
      ['from: [{ s3: { bucket: b, region: r }, verify: { secretRef: { name: k } } }]', /verify is for a ref alone/],
      [
        'to: [{ s3: { bucket: b, region: r }, sign: { secretRef: { name: k } } }]',
        /sign and verify are for a ref alone/,
      ],
      ['to: [{ inline: {}, sign: { secretRef: { name: k } } }]', /an inline cache is signed with its image/],
    ] as const;
    for (const [text, words] of refusals) expect(() => cache(text), text).toThrow(words);
  });

  test('is the same for the same spec in another order of keys', () => {
    const one = plan('{ source: { inline: { files: { a: "1", b: "2", Dockerfile: "FROM scratch" } } } }');
    const other = plan('{ source: { inline: { files: { Dockerfile: "FROM scratch", b: "2", a: "1" } } } }');
    expect(one).toEqual(other);
  });

  test('asks for attestations', () => {
    const asked = (attestations: string, output = '') =>
      plan(
        `{ dockerfile: { inline: "FROM scratch" }, outputs: [{ image: x${output} }], attestations: ${attestations} }`,
      ).frontendAttrs;
    expect(asked('{ provenance: {}, sbom: {} }')).toMatchObject({
      'attest:provenance': 'mode=min',
      'attest:sbom': '',
    });
    const whole =
      '{ provenance: { mode: max, version: v0.2, builderId: "https://b/?a,b", reproducible: true }, sbom: { generator: scan, parameters: { A: "x,\\"y" } } }';
    expect(asked(whole)).toMatchObject({
      'attest:provenance': 'mode=max,version=v0.2,"builder-id=https://b/?a,b",reproducible=true',
      'attest:sbom': '"A=x,""y",generator=scan',
    });
    expect(Object.keys(asked('{}')).filter((name) => name.startsWith('attest:'))).toEqual([]);
    expect(() => asked('{ sbom: {} }', ', ociMediaTypes: false')).toThrow('an image with attestations is an OCI index');
  });

  test('a definition must be base64', () => {
    expect(() => plan('{ llb: { definition: "***" } }')).toThrow('spec.llb.definition: not base64');
  });

  test('a git url hides no second ref', () => {
    for (const url of ['https://example.com/r.git#evil', 'https://example.com/r.git?ref=evil'])
      expect(() => plan(`{ source: { git: { url: "${url}" } } }`)).toThrow('fields of their own');
  });

  test.each([
    ['https://git.example.com/team/app', 'git://git.example.com/team/app#v1:sub', 'https://git.example.com/team/app'],
    ['http://git.example.com/app', 'git://git.example.com/app#v1:sub', 'http://git.example.com/app'],
    ['git.example.com/app', 'git://git.example.com/app#v1:sub', 'https://git.example.com/app'],
    [
      'https://git.example.com/app.tar.gz',
      'git://git.example.com/app.tar.gz#v1:sub',
      'https://git.example.com/app.tar.gz',
    ],
  ])('a git source is one, whatever its url looks like: %s', (url, identifier, full) => {
    const source = `git: { url: "${url}", ref: v1, subPath: sub, submodules: false }`;
    const planned = plan(
      `{ source: { ${source} }, contexts: [{ name: c, ${source} }], args: [{ name: BUILDKIT_CONTEXT_KEEP_GIT_DIR, value: "1" }] }`,
    );
    for (const input of ['context', 'dockerfile', 'c']) {
      const [op] = decodeDefinition(planned.frontendInputs[input] as Uint8Array)
        .ops.map(decodeOp)
        .flatMap(({ body }) => (body.kind === 'source' ? [body.source] : []));
      expect(op?.identifier).toBe(identifier);
      expect(op?.attrs).toMatchObject({ 'git.fullurl': full, 'git.skipsubmodules': 'true', 'git.keepgitdir': 'true' });
    }
    expect(planned.frontendAttrs['context']).toBeUndefined();
  });

  test.each([
    'git@git.example.com:app',
    'ssh://git@git.example.com/app',
    'https://git.example.com/app.git',
  ])('one that is plainly git stays an address: %s', (url) => {
    const planned = plan(`{ source: { git: { url: "${url}", ref: v1 } } }`);
    expect(planned.frontendAttrs['context']).toBe(`${url}#v1`);
  });

  test.each([
    ['{ a: x, "a/b": y }', 'spec.source.inline.files: a is a file, and others are below it'],
    ['{ "a/b/c": x, "a/b": y, "a": z }', 'is a file, and others are below it'],
    ['{ "a": x, "./a": y }', 'a is there twice'],
    ['{ "a//b": x, "a/b": y }', 'a/b is there twice'],
    ['{ "a/": x }', '"a/" is the name of a folder'],
    ['{ ".": x }', '"." is the name of a folder'],
  ])('files that cannot all be: %s', (files, message) => {
    expect(() => plan(`{ source: { inline: { files: ${files} } } }`)).toThrow(message);
  });
});

describe('what only a cluster has', () => {
  const values: ClusterValues = {
    configMaps: new Map([['conf', new Map([['a.txt', Buffer.from('A')]])]]),
    knownHosts: new Map([['key', 'git.example.com ssh-ed25519 AAAA']]),
    fluxArtifacts: new Map(),
    caBundle: undefined,
  };
  const spec = `{
    source: { git: { url: "ssh://git@git.example.com/r.git", ref: v1, subPath: app, secretRef: { name: key } } },
    contexts: [{ name: conf, configMap: { name: conf } }, { name: lib, git: { url: "https://example.com:8443/lib.git", secretRef: { name: web } } }],
    args: [{ name: A, valueFrom: { configMapKeyRef: { name: conf, key: a.txt } } }],
    secrets: [{ id: t, secretRef: { name: s } }], ssh: [{ id: default, secretRef: { name: deploy, key: id } }], registryAuth: [{ secretRef: { name: push } }] }`;

  test('ConfigMaps become arguments and files', () => {
    const planned = plan(spec, values);
    expect(planned.frontendAttrs['build-arg:A']).toBe('A');
    expect(written(planned.frontendInputs['conf'])).toEqual(['/a.txt=A']);
    expect(() => plan('{ source: { configMap: { name: other } } }', values)).toThrow('there is no ConfigMap other');
    expect(() => plan('{ source: { configMap: { name: other } } }')).toThrow('only a cluster has ConfigMaps');
  });

  test('git over ssh is an input that carries the host keys, and its key an agent', () => {
    const planned = plan(spec, values);
    const [source] = decodeDefinition(planned.frontendInputs['context'] as Uint8Array)
      .ops.map(decodeOp)
      .flatMap(({ body }) => (body.kind === 'source' ? [body.source] : []));
    expect(source?.identifier).toBe('git://git.example.com/r.git#v1:app');
    expect(source?.attrs).toMatchObject({
      'git.knownsshhosts': 'git.example.com ssh-ed25519 AAAA',
      'git.mountsshsock': 'git-key',
    });
    expect(planned.ssh.map(({ id }) => id)).toEqual(['default', 'git-key']);
    expect(() => plan(spec, { ...values, knownHosts: new Map() })).toThrow('has no known_hosts');
  });

  test('keys that cache mounts are verified with', () => {
    const text =
      '{ dockerfile: { inline: "FROM scratch" }, cache: { mounts: { from: "r.example.com/m", verify: { configMapKeyRef: { name: keys, key: pub } } } } }';
    const pem = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';
    const keys = new Map([['keys', new Map([['pub', Buffer.from(pem)]])]]);
    expect(plan(text, { ...values, configMaps: keys }).cacheImports[0]?.attrs['verify-key']).toBe(pem);
    expect(() => plan(text, values)).toThrow(
      /spec\.cache\.mounts\.verify: key pub of the ConfigMap keys has no public/,
    );
  });

  test('credentials of git over http are bound to its host', () => {
    expect(plan(spec, values).gitAuth).toEqual([
      {
        id: undefined,
        host: 'example.com:8443',
        secretRef: { name: 'web' },
        field: 'spec.contexts[lib].git.secretRef',
      },
    ]);
  });

  test('the operator and the command ask a builder for the same', () => {
    const manifest = `{
      source: { git: { url: "https://example.com/r.git", ref: v1, secretRef: { name: web } } }, args: [{ name: A, value: "1" }],
      secrets: [{ id: t, secretRef: { name: s } }], registryAuth: [{ secretRef: { name: push } }], outputs: [{ image: r.example.com/a, tags: [v1] }] }`;
    expect(solveRequest(plan(manifest, values))).toEqual(solveRequest(plan(manifest)));
  });

  test('a spec tells all that it names', () => {
    expect(references(build(spec).spec).map(({ kind, name, use, field }) => `${kind} ${name} ${use} ${field}`)).toEqual(
      [
        'Secret key git spec.source.git.secretRef',
        'ConfigMap conf files spec.contexts[conf].configMap',
        'Secret web git spec.contexts[lib].git.secretRef',
        'ConfigMap conf value spec.args[A]',
        'Secret s value spec.secrets[t]',
        'Secret deploy ssh spec.ssh[default]',
        'Secret push registry spec.registryAuth[0]',
      ],
    );
  });
});
