import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBuilder } from '../../../e2e/support/builder.ts';
import { cosignVerify, slipway } from '../../../e2e/support/paths.ts';
import { run } from '../../../e2e/support/run.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { FakeSigstore } from '../../oci/signature/testing/fake-sigstore.ts';

/** `slipway build` of manifests that say how their images are signed, read by cosign's verification. */
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let registry: string;
let builder: string;
let sigstore: FakeSigstore;

beforeAll(async () => {
  folder = stack.use(tempFolder('slipway-sign')).path;
  mkdirSync(file('builder'));
  registry = stack.use(await RegistryServer.start({ root: file('registry'), durable: false })).host;
  sigstore = stack.use(await FakeSigstore.start());
  builder = stack.use(await startBuilder(file('builder'))).address;
});

const file = (name: string) => path.join(folder, name);

const ATTESTED = '{ provenance: {}, sbom: {} }';

async function build(
  name: string,
  sign: string | undefined,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
) {
  const manifest = `apiVersion: slipway.build/v1alpha1
kind: Build
metadata: { name: ${name} }
spec:
  source: { inline: { files: { Dockerfile: "FROM scratch\\nCOPY Dockerfile /\\n" } } }
  outputs: [{ image: ${registry}/${name} }]
${sign === undefined ? '' : `  attestations: ${ATTESTED}\n  sign: ${sign}\n`}`;
  writeFileSync(file(`${name}.yaml`), manifest);
  return await run(slipway, ['build', '-f', file(`${name}.yaml`), '--builder', builder, ...flags], {
    env: { ...env, DOCKER_CONFIG: folder },
  });
}

const KEYLESS = '{ keyless: { tokenSecretRef: { name: token } } }';

test('for an identity, with a token from the environment or a file', async () => {
  const services = ['--fulcio-url', sigstore.url, '--rekor-url', sigstore.url];
  const token = sigstore.token();
  writeFileSync(file('token'), token);
  const built = [
    await build('by-env', KEYLESS, services, { SIGSTORE_ID_TOKEN: token }),
    await build('by-file', KEYLESS, [...services, '--sign-identity-token', file('token')]),
  ];
  for (const { code, output } of built) {
    expect(code, output).toBe(0);
    expect(output).not.toContain(token.split('.')[1]);
  }
  const who = ['--identity', 'https://ci.test/app', '--issuer', sigstore.issuer];
  const by = [...who, '--roots', sigstore.file('ca.pem'), '--rekor', sigstore.file('rekor.pub')];
  for (const name of ['by-env', 'by-file'])
    for (const what of [[], ['--attestations']]) {
      const { code, stderr } = await run(cosignVerify, [...by, ...what, `${registry}/${name}`]);
      expect(code, stderr).toBe(0);
    }
  const none = await build('by-none', KEYLESS, services);
  expect(none.code).not.toBe(0);
  expect(none.stderr).toContain('give it with --sign-identity-token FILE, or in SIGSTORE_ID_TOKEN');
});

test('with a key, and in a log where one is named', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(file('cosign.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(file('cosign.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  const flags = ['--sign-key', file('cosign.key'), '--rekor-url', sigstore.url];
  const built = await build('by-key', '{ secretRef: { name: key } }', flags);
  expect(built.code, built.output).toBe(0);
  const by = ['--key', file('cosign.pub'), '--rekor', sigstore.file('rekor.pub')];
  for (const what of [[], ['--attestations']]) {
    const { code, stderr } = await run(cosignVerify, [...by, ...what, `${registry}/by-key`]);
    expect(code, stderr).toBe(0);
  }
});

test('by flags alone, where the manifest says nothing of signatures and attestations', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(file('flag.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(file('flag.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(file('token'), sigstore.token());
  const identity = ['--identity', 'https://ci.test/app', '--issuer', sigstore.issuer];
  const signing = [
    { name: 'flag-key', flags: ['--sign-key', file('flag.key')], by: ['--key', file('flag.pub')] },
    {
      name: 'flag-token',
      flags: ['--sign-identity-token', file('token'), '--fulcio-url', sigstore.url, '--no-tlog'],
      by: [...identity, '--roots', sigstore.file('ca.pem')],
    },
  ];
  const logged = sigstore.asked.filter((one) => one.includes('/log/')).length;
  for (const { name, flags, by } of signing) {
    const built = await build(name, undefined, [...flags, '--provenance=mode=max,builder-id=https://b.test', '--sbom']);
    expect(built.code, built.output).toBe(0);
    const signed = await run(cosignVerify, [...by, `${registry}/${name}`]);
    expect(signed.code, signed.stderr).toBe(0);
    const attested = await run(cosignVerify, [...by, '--attestations', `${registry}/${name}`]);
    expect(attested.code, attested.stderr).toBe(0);
    const statements = attested.stdout
      .trim()
      .split('\n')
      .map((line) => Buffer.from((JSON.parse(line) as { payload: string }).payload, 'base64').toString());
    expect(statements.some((one) => one.includes('https://spdx.dev/Document'))).toBe(true);
    expect(statements.some((one) => one.includes('https://b.test') && one.includes('llbDefinition'))).toBe(true);
  }
  expect(sigstore.asked.filter((one) => one.includes('/log/'))).toHaveLength(logged);
});
