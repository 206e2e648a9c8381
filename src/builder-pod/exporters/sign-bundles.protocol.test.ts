import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBuilder, type TestBuilder } from '../../../e2e/support/builder.ts';
import { cosignVerify } from '../../../e2e/support/paths.ts';
import { run } from '../../../e2e/support/run.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { dockerRegistry } from '../../oci/registry-client/testing/docker-registry.ts';
import { FaultProxy } from '../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { FakeSigstore } from '../../oci/signature/testing/fake-sigstore.ts';

/** Signatures and attestations as bundles that refer to the image, where cosign looks from version 3 on: in a registry that lists them, and in one that does not. */
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let builder: TestBuilder;
const hosts = { embedded: '', debian: '' };
let sigstore: FakeSigstore;

const file = (name: string) => path.join(folder, name);

beforeAll(async () => {
  folder = stack.use(tempFolder('sign-bundles')).path;
  for (const name of ['builder', 'context', 'debian']) mkdirSync(file(name));
  hosts.embedded = stack.use(await RegistryServer.start({ root: file('registry'), durable: false })).host;
  hosts.debian = stack.use(await dockerRegistry(file('debian'))).host;
  sigstore = stack.use(await FakeSigstore.start());
  builder = stack.use(await startBuilder(file('builder')));
  writeFileSync(file('context/Dockerfile'), 'FROM scratch\nARG N\nLABEL n=$N\nCOPY Dockerfile /\n');
  for (const name of ['key', 'other']) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(file(`${name}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(file(`${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
  }
});

async function build(image: string, signing: string, options: readonly string[] = []) {
  writeFileSync(file('token'), sigstore.token());
  const built = await builder.buildctl([
    ...['build', '--frontend', 'dockerfile.v0', '--opt', `build-arg:N=${path.basename(image)}`, '--progress', 'plain'],
    ...['--local', `context=${file('context')}`, '--local', `dockerfile=${file('context')}`],
    ...['--output', `type=image,name=${image},push=true,${signing}`],
    ...['key', 'other'].flatMap((key) => ['--secret', `id=${key},src=${file(`${key}.pem`)}`]),
    ...['--secret', `id=token,src=${file('token')}`],
    ...options.flatMap((option) => ['--opt', option]),
  ]);
  expect(built.code, built.stderr).toBe(0);
  return built;
}

const ATTESTED = ['attest:provenance=mode=max', 'attest:sbom='];
const SIGNED = 'https://sigstore.dev/cosign/sign/v1';
const [PROVENANCE, SBOM] = ['https://slsa.dev/provenance/v1', 'https://spdx.dev/Document'];
const byKey = (name = 'key') => ['--key', file(`${name}.pub`)];
const withLog = () => ['--rekor', sigstore.file('rekor.pub')];
const byIdentity = (identity = 'https://ci.test/app') => [
  ...['--roots', sigstore.file('ca.pem'), ...withLog()],
  ...['--identity', identity, '--issuer', sigstore.issuer],
];

/** What refers to an image and is signed so, by cosign. */
async function verified(by: readonly string[], ref: string): Promise<readonly string[]> {
  const { code, stdout, stderr } = await run(cosignVerify, ['--bundles', ...by, ref]);
  if (code !== 0) return [stderr];
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly payload: string })
    .map(({ payload }) => JSON.parse(Buffer.from(payload, 'base64').toString()) as { readonly predicateType: string })
    .map(({ predicateType }) => predicateType)
    .sort();
}

async function get(image: string, what: string): Promise<Response> {
  const [host, ...rest] = image.split('/');
  const accept = ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', ');
  return await fetch(`http://${host}/v2/${rest.join('/')}/${what}`, { headers: { accept } });
}

interface Index {
  readonly manifests: readonly {
    readonly digest: string;
    readonly platform?: { readonly os: string };
    readonly artifactType?: string;
  }[];
}

type By = () => readonly string[];
test.each<['embedded' | 'debian', string, () => string, By, By]>([
  ['embedded', 'a key', () => 'sign-key=key', () => byKey(), () => byKey('other')],
  ['debian', 'a key', () => 'sign-key=key', () => byKey(), () => byKey('other')],
  [
    'debian',
    'a key, logged',
    () => `sign-key=key,sign-rekor-url=${sigstore.url}`,
    () => [...byKey(), ...withLog()],
    () => [...byKey('other'), ...withLog()],
  ],
  [
    'embedded',
    'an identity',
    () => `sign-identity-token=token,sign-fulcio-url=${sigstore.url},sign-rekor-url=${sigstore.url}`,
    () => byIdentity(),
    () => byIdentity('https://ci.test/other'),
  ],
  [
    'debian',
    'an identity',
    () => `sign-identity-token=token,sign-fulcio-url=${sigstore.url},sign-rekor-url=${sigstore.url}`,
    () => byIdentity(),
    () => byIdentity('https://ci.test/other'),
  ],
])('in the %s registry image and attestations are signed by %s, and cosign finds both by referrers', async (registry, who, signing, by, byOther) => {
  const image = `${hosts[registry]}/app/${who.replaceAll(/\W+/g, '-')}`;
  const options = [...ATTESTED, 'platform=linux/amd64,linux/arm64'];
  await build(image, signing(), options);
  expect(await verified(by(), image)).toEqual([SIGNED, PROVENANCE, PROVENANCE, SBOM, SBOM]);
  const { manifests } = (await (await get(image, 'manifests/latest')).json()) as Index;
  const images = manifests.filter(({ platform }) => platform?.os === 'linux');
  expect(images).toHaveLength(2);
  for (const { digest } of images) expect(await verified(by(), `${image}@${digest}`)).toEqual([PROVENANCE, SBOM]);
  expect(await verified(byOther(), image)).toEqual([expect.stringContaining('no matching attestations')]);
  // Those that look under tags find them there, as ever.
  expect(await run(cosignVerify, [...by(), image])).toMatchObject({ code: 0 });
  expect(await run(cosignVerify, [...by(), '--attestations', image])).toMatchObject({ code: 0 });
  // Again: what was said before is replaced, not added to.
  await build(image, signing(), options);
  expect(await verified(by(), image)).toHaveLength(5);
});

test.each(['embedded', 'debian'] as const)('in the %s registry what others attach stays', async (registry) => {
  const image = `${hosts[registry]}/app/others`;
  for (const key of ['key', 'other']) await build(image, `sign-key=${key}`);
  for (const key of ['key', 'other']) expect(await verified(byKey(key), image)).toEqual([SIGNED]);
  // A key's signature that is there is not made again.
  const digest = (await get(image, 'manifests/latest')).headers.get('docker-content-digest')!;
  const list = async () => {
    const listed: Response = await get(image, `referrers/${digest}`);
    const answer: Response = listed.ok ? listed : await get(image, `manifests/${digest.replace(':', '-')}`);
    return ((await answer.json()) as Index).manifests.map((one) => one.digest);
  };
  const before = await list();
  expect(before).toHaveLength(2);
  await build(image, 'sign-key=key');
  expect(await list()).toEqual(before);
});

test('a registry that takes no bundles has the signatures of the older form, and the build says so', async () => {
  const proxy = stack.use(await FaultProxy.start(`http://${hosts.debian}`));
  let isSigned = false;
  proxy.fault = ({ method, url = '' }, res) => {
    if (method !== 'PUT' || !url.includes('/manifests/')) return false;
    if (isSigned) {
      res.writeHead(400, { 'content-type': 'application/json' });
      res.end('{"errors":[{"code":"MANIFEST_INVALID","message":"unknown config"}]}');
      return true;
    }
    isSigned = url.endsWith('.sig');
    return false;
  };
  const image = `${proxy.host}/app/refused`;
  const { stderr } = await build(image, 'sign-key=key');
  expect(stderr).toMatch(/takes no bundles of signatures.*unknown config/);
  expect(await verified(byKey(), image)).toEqual([expect.stringContaining('no valid bundles')]);
  expect(await run(cosignVerify, [...byKey(), image])).toMatchObject({ code: 0 });
});
