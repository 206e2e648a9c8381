import { describe, expect, test } from 'vitest';
import { CodedError, neverAborted } from '../../base/index.ts';
import type { BuildRun } from '../../resources/index.ts';
import type { KubeClient, KubeObject } from '../runtime/index.ts';
import { prepareRun } from './prepare.ts';

const signal = neverAborted;
const base64 = (data: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));

/** A cluster that has these objects, by `plural/name`. */
async function prepare(
  spec: object,
  objects: Readonly<Record<string, object>> = {},
  pool?: Parameters<typeof prepareRun>[1]['pool'],
) {
  const asked: string[] = [];
  const client = {
    get: async (type: { plural: string }, key: { namespace?: string; name: string }) => {
      const id = `${type.plural}/${key.name}`;
      asked.push(`${key.namespace} ${id}`);
      const found = objects[id];
      if (found instanceof CodedError) throw found;
      if (found === undefined) throw new CodedError('not_found', id, { fault: 'infrastructure' });
      return found as KubeObject;
    },
  } as unknown as KubeClient;
  const run = {
    metadata: { name: 'r', namespace: 'team' },
    spec: { buildSpec: { dockerfile: { inline: 'FROM scratch' }, ...spec } },
  } as unknown as BuildRun;
  const prepared = await prepareRun(run, {
    client,
    defaultRegistry: undefined,
    ownNamespace: 'slipway-system',
    pool,
    signal,
  });
  return { prepared, asked };
}

async function sourcesOf(spec: object, objects: Readonly<Record<string, object>>) {
  const { prepared } = await prepare(spec, objects);
  if (prepared.kind !== 'ready') throw new Error(JSON.stringify(prepared));
  return {
    ...prepared,
    secrets: Object.fromEntries(
      [...prepared.sources.secrets].map(([id, value]) => [id, Buffer.from(value).toString()]),
    ),
    credentials: async (host: string) => await prepared.sources.credentials?.(host, { signal }),
  };
}

const secret = (data: Readonly<Record<string, string>>) => ({ data: base64(data) });
const git = (url: string, key?: string) => ({
  source: { git: { url, secretRef: { name: 'git', ...(key === undefined ? {} : { key }) } } },
});
const dockerConfig = (host: string, auth: string) =>
  secret({
    '.dockerconfigjson': JSON.stringify({ auths: { [host]: { auth: Buffer.from(auth).toString('base64') } } }),
  });

describe('what a run refers to', () => {
  test('what signs: a key with its password, or a token', async () => {
    const output = { outputs: [{ image: 'r.test/a' }] };
    const key = { ...output, sign: { secretRef: { name: 'k' } } };
    const keys = secret({ 'cosign.key': 'KEY', 'cosign.password': 'P', 'cosign.pub': 'PUB' });
    expect((await sourcesOf(key, { 'secrets/k': keys })).secrets).toEqual({
      'slipway.build/signing-key': 'KEY',
      'slipway.build/signing-password': 'P',
    });
    const token = { ...output, sign: { keyless: { tokenSecretRef: { name: 't' } } } };
    expect((await sourcesOf(token, { 'secrets/t': secret({ token: 'JWT' }) })).secrets).toEqual({
      'slipway.build/identity-token': 'JWT',
    });
    const { prepared } = await prepare(token, {});
    expect(JSON.stringify(prepared)).toMatch(/spec\.sign\.keyless\.tokenSecretRef: there is no Secret t/);
  });

  test('secrets: the key, or the only one', async () => {
    const spec = {
      secrets: [
        { id: 'a', secretRef: { name: 's', key: 'x' } },
        { id: 'b', secretRef: { name: 'one' } },
      ],
    };
    const objects = { 'secrets/s': secret({ x: 'X', y: 'Y' }), 'secrets/one': secret({ z: 'Z' }) };
    expect((await sourcesOf(spec, objects)).secrets).toEqual({ a: 'X', b: 'Z' });
  });

  test('caches: the keys of a store by their names, where each must be there but those that need not be', async () => {
    const s3 = { bucket: 'b', region: 'r', secretRef: { name: 'aws' } };
    const spec = { cache: { from: [{ s3 }], to: [{ s3 }] } };
    const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key' };
    const ready = await sourcesOf(spec, { 'secrets/aws': secret(keys) });
    const id = (key: string) => `slipway.build/cache/aws/${key}`;
    expect(ready.secrets).toEqual({
      [id('AWS_ACCESS_KEY_ID')]: 'id',
      [id('AWS_SECRET_ACCESS_KEY')]: 'key',
      [id('AWS_SESSION_TOKEN')]: '',
    });
    expect(JSON.stringify(ready.plan.cacheImports)).not.toContain('"key"');
    const waits = async (objects: Readonly<Record<string, object>>) => (await prepare(spec, objects)).prepared;
    expect(await waits({})).toEqual({
      ...{ kind: 'waiting', reason: 'SecretNotFound' },
      message: 'spec.cache.from[0].s3.secretRef: there is no Secret aws in namespace team',
    });
    expect(await waits({ 'secrets/aws': secret({ AWS_ACCESS_KEY_ID: 'id' }) })).toEqual({
      ...{ kind: 'waiting', reason: 'SecretKeyNotFound' },
      message: 'spec.cache.from[0].s3.secretRef: the Secret aws has no key AWS_SECRET_ACCESS_KEY',
    });
  });

  test('caches: keys to sign with go as secrets, public ones as they are or by their names', async () => {
    const pem = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';
    const spec = {
      cache: {
        from: [
          { ref: 'r.example.com/c:main', verify: { secretRef: { name: 'signing' } } },
          { ref: 'r.example.com/c:old', verify: { configMapKeyRef: { name: 'keys', key: 'old.pub' } } },
        ],
        to: [{ ref: 'r.example.com/c:main', sign: { secretRef: { name: 'signing' } } }],
      },
    };
    const keys = { 'cosign.key': 'private', 'cosign.password': 'sesame', 'cosign.pub': pem };
    const objects = { 'secrets/signing': secret(keys), 'configmaps/keys': { data: { 'old.pub': pem } } };
    const id = (key: string) => `slipway.build/cache/signing/${key}`;
    const { plan, secrets } = await sourcesOf(spec, objects);
    expect(secrets).toEqual(Object.fromEntries(Object.entries(keys).map(([key, value]) => [id(key), value])));
    expect(plan.cacheImports.map(({ attrs }) => attrs['verify-key'])).toEqual([id('cosign.pub'), pem]);
    expect(plan.cacheExports).toMatchObject([
      { attrs: { 'sign-key': id('cosign.key'), 'sign-password': id('cosign.password') } },
    ]);
    expect(JSON.stringify(plan)).not.toMatch(/private"|sesame/);

    const prepared = async (others: Readonly<Record<string, object>>) =>
      (await prepare(spec, { ...objects, ...others })).prepared;
    expect(await prepared({ 'secrets/signing': secret({ 'cosign.pub': pem }) })).toMatchObject({
      ...{ kind: 'waiting', reason: 'SecretKeyNotFound' },
      message: 'spec.cache.to[0].sign.secretRef: the Secret signing has no key cosign.key',
    });
    expect(await prepared({ 'configmaps/keys': { data: {} } })).toMatchObject({
      ...{ kind: 'waiting', reason: 'ConfigMapKeyNotFound' },
      message: 'spec.cache.from[1].verify.configMapKeyRef: the ConfigMap keys has no key old.pub',
    });
    expect(await prepared({ 'configmaps/keys': { data: { 'old.pub': 'slipway.build/x' } } })).toMatchObject({
      kind: 'refused',
      failure: { message: expect.stringContaining('has no public key in PEM form') as string },
    });
  });

  test('git over http: basic authentication as a header, a token by its key, for its host alone', async () => {
    const basic = await sourcesOf(git('https://example.com:8443/r.git'), {
      'secrets/git': secret({ username: 'u', password: 'p' }),
    });
    expect(basic.secrets).toEqual({
      'GIT_AUTH_HEADER.example.com:8443': `Basic ${Buffer.from('u:p').toString('base64')}`,
    });
    const token = await sourcesOf(git('https://example.com/r.git', 'pat'), {
      'secrets/git': secret({ pat: 't', x: 'y' }),
    });
    expect(token.secrets).toEqual({ 'GIT_AUTH_TOKEN.example.com': 't' });
  });

  test('two Secrets for one host: the first for all of it, the second for its repository alone', async () => {
    const git = (name: string) => ({ url: 'https://example.com/r.git', secretRef: { name } });
    const contexts = [
      { name: 'a', git: git('a') },
      { name: 'b', git: git('b') },
      { name: 'c', git: git('b') },
    ];
    const found = await sourcesOf(
      { contexts },
      { 'secrets/a': secret({ token: 'A' }), 'secrets/b': secret({ username: 'u', password: 'B' }) },
    );
    expect(found.secrets).toEqual({ 'GIT_AUTH_TOKEN.example.com': 'A', 'git-b.header': 'Basic dTpC' });
    expect(found.plan.frontendAttrs).toMatchObject({
      'context:a': 'https://example.com/r.git',
      'context:b': 'input:b',
    });
  });

  test('archives over http: basic authentication, a token, or a whole header', async () => {
    const http = (name: string, secretRef: object) => ({ name, http: { url: `https://x.test/${name}`, secretRef } });
    const { secrets } = await sourcesOf(
      {
        contexts: [
          http('a', { name: 'basic' }),
          http('b', { name: 'token' }),
          http('c', { name: 'more', key: 'header' }),
        ],
      },
      {
        'secrets/basic': secret({ username: 'u', password: 'p' }),
        'secrets/token': secret({ pat: 'T\n' }),
        'secrets/more': secret({ header: 'Negotiate xyz', password: 'p' }),
      },
    );
    expect(secrets).toEqual({
      'http-basic': `Basic ${Buffer.from('u:p').toString('base64')}`,
      'http-token': 'Bearer T',
      'http-more-header': 'Negotiate xyz',
    });
  });

  describe('a source of Flux', () => {
    const artifact = { url: 'http://flux.test/a.tar.gz', digest: `sha256:${'a'.repeat(64)}`, revision: 'main@sha1:1' };
    const object = (status: object) => ({ metadata: { generation: 2 }, status: { observedGeneration: 2, ...status } });
    const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
    const spec = { source: { flux: { kind: 'GitRepository', name: 'app', subPath: 'web' } } };
    const at = async (status: object) => (await prepare(spec, { 'gitrepositories/app': object(status) })).prepared;

    test('is the archive that it has, by its digest', async () => {
      const { plan } = await sourcesOf(spec, { 'gitrepositories/app': object({ ...ready, artifact }) });
      const text = Buffer.from(plan.frontendInputs['context'] ?? []).toString('latin1');
      for (const part of [artifact.url, artifact.digest, '/web']) expect(text).toContain(part);
    });

    test.each<readonly [string, object, string, RegExp]>([
      ['has nothing yet', ready, 'FluxSourceNotReady', /spec\.source\.flux: the GitRepository app is not ready/],
      [
        'is of an older generation',
        { ...ready, artifact, observedGeneration: 1 },
        'FluxSourceNotReady',
        /being fetched/,
      ],
      [
        'cannot be fetched',
        { artifact, conditions: [{ type: 'Ready', status: 'False', message: 'no such branch' }] },
        ...(['FluxSourceNotReady', /no such branch/] as const),
      ],
      ['has no digest', { ...ready, artifact: { ...artifact, digest: 'x' } }, 'FluxArtifactUnusable', /digest/],
      [
        'names a file of the builder',
        { ...ready, artifact: { ...artifact, url: 'file:///etc/passwd' } },
        ...(['FluxArtifactUnusable', /url/] as const),
      ],
    ])('that %s is waited for', async (_name, status, reason, message) => {
      expect(await at(status)).toEqual({ kind: 'waiting', reason, message: expect.stringMatching(message) as string });
    });

    test('that is not there is waited for, in the namespace of the Build alone', async () => {
      const { prepared, asked } = await prepare(spec);
      expect(prepared).toMatchObject({ kind: 'waiting', reason: 'FluxSourceNotFound' });
      expect(new Set(asked)).toEqual(new Set(['team gitrepositories/app']));
    });
  });

  test('registries: the first that knows the host, then those of the ServiceAccount', async () => {
    const found = await sourcesOf(
      {
        registryAuth: [{ secretRef: { name: 'one' } }, { secretRef: { name: 'two' } }],
        serviceAccountName: 'builder',
      },
      {
        'secrets/one': dockerConfig('a.example.com', 'ada:1'),
        'secrets/two': dockerConfig('a.example.com', 'bob:2'),
        'secrets/pull': dockerConfig('b.example.com', 'eve:3'),
        'serviceaccounts/builder': { imagePullSecrets: [{ name: 'gone' }, { name: 'pull' }] },
      },
    );
    expect(await found.credentials('a.example.com')).toMatchObject({ username: 'ada' });
    expect(await found.credentials('b.example.com')).toMatchObject({ username: 'eve' });
    expect(await found.credentials('c.example.com')).toEqual({ kind: 'anonymous' });
  });

  test('ConfigMaps as arguments and files', async () => {
    const { plan } = await sourcesOf(
      {
        args: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'conf', key: 'a' } } }],
        contexts: [{ name: 'files', configMap: { name: 'conf' } }],
      },
      { 'configmaps/conf': { data: { a: 'text' }, binaryData: base64({ b: '\0' }) } },
    );
    expect(plan.frontendAttrs).toMatchObject({ 'build-arg:A': 'text', 'context:files': 'input:files' });
  });

  test('each object is got once, by name, in the run’s own namespace', async () => {
    const spec = { secrets: ['a', 'b'].map((id) => ({ id, secretRef: { name: 's', key: 'x' } })) };
    expect((await prepare(spec, { 'secrets/s': secret({ x: 'X' }) })).asked).toEqual(['team secrets/s']);
  });
});

describe('what is missing is named', () => {
  const one = { secrets: [{ id: 'a', secretRef: { name: 's' } }] };
  test.each<readonly [string, object, Readonly<Record<string, object>>, string, RegExp]>([
    ['a Secret', one, {}, 'SecretNotFound', /spec\.secrets\[a\]: there is no Secret s in namespace team/],
    [
      'a key',
      { secrets: [{ id: 'a', secretRef: { name: 's', key: 'k' } }] },
      { 'secrets/s': secret({ other: '' }) },
      'SecretKeyNotFound',
      /has no key k/,
    ],
    ['which of several', one, { 'secrets/s': secret({ a: '', b: '' }) }, 'SecretKeyNotFound', /2 keys: name one/],
    [
      'the right to read it',
      one,
      { 'secrets/s': new CodedError('permission_denied', 'forbidden') },
      'SecretForbidden',
      /may not read/,
    ],
    [
      'a docker config',
      { registryAuth: [{ secretRef: { name: 's' } }] },
      { 'secrets/s': secret({ '.dockerconfigjson': 'hunter2' }) },
      'SecretUnusable',
      /^(?!.*hunter2)/,
    ],
    [
      'a private key',
      { ssh: [{ id: 'default', secretRef: { name: 's' } }] },
      { 'secrets/s': secret({ 'ssh-privatekey': 'hunter2' }) },
      'SecretUnusable',
      /spec\.ssh\[default\].*not a private ssh key(?!.*hunter2)/,
    ],
    ['a ConfigMap', { source: { configMap: { name: 'c' } } }, {}, 'ConfigMapNotFound', /spec\.source\.configMap/],
    ['whoever uploads', { source: { upload: {} } }, {}, 'WaitingForUpload', /slipway build DIR --namespace/],
    ['a ServiceAccount', { serviceAccountName: 'x' }, {}, 'ServiceAccountNotFound', /no ServiceAccount x/],
  ])('%s', async (_, spec, objects, reason, message) => {
    const { prepared } = await prepare(spec, objects);
    expect(prepared).toMatchObject({ kind: 'waiting', reason });
    expect((prepared as { message: string }).message).toMatch(message);
  });
});

describe('what cannot be built is refused at once', () => {
  test.each<readonly [string, object, object]>([
    ['a name without a host and no default', { outputs: [{ image: 'app' }] }, { class: 'user' }],
    [
      'a Dockerfile that does not parse',
      { dockerfile: { inline: 'FROM scratch\nCOPPY a b\n' } },
      {
        class: 'user',
        dockerfile: {
          path: 'Dockerfile',
          startLine: 2,
          endLine: 2,
          snippet: '   1 |     FROM scratch\n   2 | >>> COPPY a b\n   3 |     ',
        },
      },
    ],
    [
      'certificates that are none',
      { trust: { caBundle: 'x' } },
      { class: 'user', message: expect.stringContaining('spec.trust.caBundle') as string },
    ],
  ])('%s', async (_, spec, failure) => {
    expect((await prepare(spec)).prepared).toMatchObject({ kind: 'refused', failure });
  });

  test('git over ssh without host keys', async () => {
    const { prepared } = await prepare(git('ssh://git@example.com/r.git'), {
      'secrets/git': secret({ 'ssh-privatekey': 'x' }),
    });
    expect(prepared).toMatchObject({ kind: 'refused', failure: { class: 'user', reason: 'KnownHostsMissing' } });
  });

  test('an API server that does not answer refuses nothing', async () => {
    const away = new CodedError('unavailable', 'away');
    const spec = { secrets: [{ id: 'a', secretRef: { name: 's' } }] };
    await expect(prepare(spec, { 'secrets/s': away })).rejects.toBe(away);
  });
});

test('entitlements that a pool does not allow are refused before a builder is asked', async () => {
  const asked = { entitlements: ['network.host', 'device'] };
  const pool = (entitlements?: ('network.host' | 'device')[]) => ({
    metadata: { name: 'ci' },
    spec: { endpoints: [], ...(entitlements === undefined ? {} : { entitlements }) },
  });
  expect((await prepare(asked, {}, pool(['network.host']))).prepared).toMatchObject({
    kind: 'refused',
    failure: {
      ...{ class: 'policy', reason: 'EntitlementNotAllowed' },
      message: expect.stringContaining('spec.entitlements: the BuilderPool ci does not allow device') as string,
    },
  });
  expect((await prepare(asked, {}, pool(['network.host', 'device']))).prepared).toMatchObject({ kind: 'ready' });
  // What its builders grant is theirs to say.
  expect((await prepare(asked, {}, pool())).prepared).toMatchObject({ kind: 'ready' });
});
