import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBuilder, type TestBuilder } from '../../../e2e/support/builder.ts';
import { cosignVerify } from '../../../e2e/support/paths.ts';
import { run } from '../../../e2e/support/run.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { FakeSigstore } from '../../oci/signature/testing/fake-sigstore.ts';

/** Images and attestations that are signed as they are pushed, with a key and for an identity, read by cosign's own verification. */
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let builder: TestBuilder;
let registry: string;
let sigstore: FakeSigstore;
const KEYLESS = 'sign-identity-token=token';

beforeAll(async () => {
  folder = stack.use(tempFolder('sign-att')).path;
  for (const name of ['builder', 'context']) mkdirSync(path.join(folder, name));
  const server = stack.use(await RegistryServer.start({ root: path.join(folder, 'registry'), durable: false }));
  registry = server.host;
  sigstore = stack.use(await FakeSigstore.start());
  builder = stack.use(await startBuilder(path.join(folder, 'builder')));
  writeFileSync(path.join(folder, 'context/Dockerfile'), 'FROM scratch\nARG N\nLABEL n=$N\nCOPY Dockerfile /\n');
  for (const name of ['key', 'other']) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(file(`${name}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(file(`${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
  }
});
afterEach(() => {
  sigstore.faults.fulcio = undefined;
  sigstore.faults.rekor = undefined;
});

const file = (name: string) => path.join(folder, name);

async function build(name: string, signing: string, options: readonly string[] = [], token = sigstore.token()) {
  writeFileSync(file('token'), `${token}\n`);
  const services = signing === KEYLESS ? `,sign-fulcio-url=${sigstore.url},sign-rekor-url=${sigstore.url}/` : '';
  return await builder.buildctl([
    ...['build', '--frontend', 'dockerfile.v0', '--opt', `build-arg:N=${name}`, '--progress', 'plain'],
    ...['--local', `context=${file('context')}`, '--local', `dockerfile=${file('context')}`],
    ...['--output', `type=image,name=${registry}/${name},push=true,${signing}${services}`],
    ...['--secret', `id=key,src=${file('key.pem')}`, '--secret', `id=token,src=${file('token')}`],
    ...options.flatMap((option) => ['--opt', option]),
  ]);
}

const ATTESTED = ['attest:provenance=mode=max', 'attest:sbom='];
const byKey = (name = 'key') => ['--key', file(`${name}.pub`)];
const byIdentity = (identity = 'https://ci.test/app') => [
  ...['--roots', sigstore.file('ca.pem'), '--rekor', sigstore.file('rekor.pub')],
  ...['--identity', identity, '--issuer', sigstore.issuer],
];

const verify = (by: readonly string[], ref: string, ...flags: readonly string[]) =>
  run(cosignVerify, [...by, ...flags, `${registry}/${ref}`]);

interface Index {
  readonly manifests: readonly {
    readonly digest: string;
    readonly platform: { readonly os: string };
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}

async function manifest<T>(name: string, reference: string): Promise<T> {
  const accept = ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', ');
  return (await (
    await fetch(`http://${registry}/v2/${name}/manifests/${reference}`, { headers: { accept } })
  ).json()) as T;
}

/** What is attested of an image, as cosign has verified it. */
async function attested(by: readonly string[], ref: string) {
  const { code, stdout, stderr } = await verify(by, ref, '--attestations');
  expect(code, stderr).toBe(0);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly payload: string })
    .map(
      ({ payload }) =>
        JSON.parse(Buffer.from(payload, 'base64').toString()) as { predicateType: string; predicate: unknown },
    )
    .sort((one, other) => one.predicateType.localeCompare(other.predicateType));
}

test.each([
  ['a key', 'sign-key=key', () => byKey(), () => byKey('other')],
  ['an identity', KEYLESS, () => byIdentity(), () => byIdentity('https://ci.test/other')],
])('image, SBOM and provenance are signed by %s, so that cosign verifies each on index and platforms', async (who, signing, by, byOther) => {
  const name = `app/${who.replace(' ', '-')}`;
  const platforms = 'platform=linux/amd64,linux/arm64';
  const built = await build(name, signing, [...ATTESTED, platforms]);
  expect(built.code, built.stderr).toBe(0);
  expect(built.stderr).toMatch(/signing attestations of sha256:/);
  const verified = await verify(by(), name);
  expect(verified.code, verified.stderr).toBe(0);
  expect((await verify(byOther(), name)).code).not.toBe(0);
  expect((await verify(byOther(), name, '--attestations')).code).not.toBe(0);
  const { manifests } = await manifest<Index>(name, 'latest');
  const images = manifests.filter(({ platform }) => platform.os === 'linux');
  expect(images).toHaveLength(2);
  for (const { digest } of images) {
    const own = await attested(by(), `${name}@${digest}`);
    expect(own.map(({ predicateType }) => predicateType)).toEqual([
      'https://slsa.dev/provenance/v1',
      'https://spdx.dev/Document',
    ]);
    // They say what lies beside the image.
    const beside = manifests.find((one) => one.annotations?.['vnd.docker.reference.digest'] === digest)!;
    const { layers } = await manifest<{ layers: { digest: string; annotations: Record<string, string> }[] }>(
      name,
      beside.digest,
    );
    for (const layer of layers) {
      const statement = (await (await fetch(`http://${registry}/v2/${name}/blobs/${layer.digest}`)).json()) as never;
      const { predicateType, predicate } = statement as (typeof own)[number];
      expect(own.find((one) => one.predicateType === predicateType)?.predicate).toEqual(predicate);
    }
  }
  expect(await attested(by(), name)).toHaveLength(4);
  // Again: what he has signed before is replaced.
  await build(name, signing, [...ATTESTED, platforms]);
  expect(await attested(by(), name)).toHaveLength(4);
  const { stdout } = await verify(by(), name);
  expect(stdout.trim().split('\n')).toHaveLength(1);
});

test('attestations of others stay, and what is large is signed as well', async () => {
  const large = 'A'.repeat(200);
  const lines = Array.from(
    { length: 12_000 },
    (_, at) => `Package: p${at}\nStatus: install ok installed\nVersion: ${large}\nArchitecture: all\n`,
  );
  mkdirSync(file('large'));
  writeFileSync(file('large/status'), lines.join('\n'));
  writeFileSync(file('large/Dockerfile'), 'FROM scratch\nCOPY status /var/lib/dpkg/status\n');
  const at = ['--local', `context=${file('large')}`, '--local', `dockerfile=${file('large')}`];
  for (const key of ['key', 'other']) {
    const built = await builder.buildctl([
      ...['build', '--frontend', 'dockerfile.v0', ...at, '--opt', 'attest:sbom='],
      ...['--opt', 'build-arg:SOURCE_DATE_EPOCH=1'],
      ...['--output', `type=image,name=${registry}/app/large,push=true,sign-key=k`],
      ...['--secret', `id=k,src=${file(`${key}.pem`)}`],
    ]);
    expect(built.code, built.stderr).toBe(0);
  }
  for (const key of ['key', 'other']) {
    const [sbom] = await attested(byKey(key), 'app/large');
    expect((sbom?.predicate as { packages: unknown[] }).packages.length).toBeGreaterThan(12_000);
  }
});

test('where an identity cannot be had or logged, the build says that the image is pushed and not signed', async () => {
  const token = sigstore.token({ aud: 'somebody' });
  const refused = await build('app/refused', KEYLESS, ATTESTED, token);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(/pushed, but not signed: Fulcio \(http:\S+\): \(401\)/);
  expect(refused.stderr).not.toContain(token.split('.')[1]);
  expect(builder.log()).not.toContain(token.split('.')[1]);
  expect((await verify(byIdentity(), 'app/refused')).stderr).toMatch(/no signatures found/);
  expect((await manifest<Index>('app/refused', 'latest')).manifests).not.toHaveLength(0);

  sigstore.faults.rekor = { status: 400, body: 'closed' };
  const unlogged = await build('app/unlogged', KEYLESS);
  expect(unlogged.code).not.toBe(0);
  expect(unlogged.stderr).toMatch(/Rekor \(http:\S+\): \(400\) closed/);
  sigstore.faults.rekor = undefined;
  expect((await build('app/unlogged', KEYLESS)).code).toBe(0);
  const { stderr } = await verify(byIdentity(), 'app/unlogged');
  expect(stderr).toBe('');
});

test('no provenance, no history and no attestation of a signed build tells the token', async () => {
  const token = sigstore.token({ sub: 'https://ci.test/secret' });
  const built = await build('app/quiet', KEYLESS, ATTESTED, token);
  expect(built.code, built.stderr).toBe(0);
  const told = [
    built.stderr,
    builder.log(),
    JSON.stringify(await attested(byIdentity('https://ci.test/secret'), 'app/quiet')),
  ];
  const history = await builder.buildctl(['debug', 'histories', '--format', '{{json .}}']);
  for (const text of [...told, history.stdout, readFileSync(path.join(builder.root, 'slipway.db'), 'latin1')])
    expect(text).not.toContain(token.split('.')[1]);
});

test('options that do not fit each other are refused before anything is built', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['sign-key=key,sign-identity-token=token', /are both given/],
    ['sign-fulcio-url=https://a', /sign-fulcio-url is given without sign-identity-token/],
    ['sign-rekor-url=https://a', /sign-rekor-url is given without/],
    ['sign-identity-token=token,sign-fulcio-url=file:///etc', /sign-fulcio-url is no address/],
    ['sign-identity-token=token,sign-rekor-url=https://u:p@a', /sign-rekor-url is no address/],
    ['sign-identity-token=token,sign-tlog=perhaps', /sign-tlog/],
  ];
  for (const [signing, words] of cases) {
    const built = await build('app/refused', signing);
    expect(built.code).not.toBe(0);
    expect(built.stderr).toMatch(words);
  }
});
