import { createPublicKey, generateKeyPairSync, randomBytes, scryptSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBuilder } from '../../../e2e/support/builder.ts';
import { buildctl } from '../../../e2e/support/paths.ts';
import { run } from '../../../e2e/support/run.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';

/** Images that are signed as they are pushed, verified by cosign's specification with openssl. */
const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let address: string;
let registry: string;

beforeAll(async () => {
  folder = stack.use(tempFolder('sign')).path;
  mkdirSync(path.join(folder, 'builder'));
  const server = stack.use(await RegistryServer.start({ root: path.join(folder, 'registry'), durable: false }));
  registry = server.host;
  address = stack.use(await startBuilder(path.join(folder, 'builder'))).address;
  const context = path.join(folder, 'context');
  mkdirSync(context);
  writeFileSync(path.join(context, 'Dockerfile'), 'FROM scratch\nARG N\nLABEL n=$N\nCOPY Dockerfile /\n');
  writeFileSync(path.join(folder, 'password'), 'sesame');
});

interface Key {
  /** File of the private key. */
  readonly file: string;
  readonly publicFile: string;
}

/** A key for ECDSA on P-256, in the open or sealed as `cosign generate-key-pair` seals one. */
function newKey(name: string, password?: string): Key {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [file, publicFile] = [path.join(folder, `${name}.key`), path.join(folder, `${name}.pub`)];
  writeFileSync(publicFile, createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }));
  if (password === undefined) {
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    return { file, publicFile };
  }
  const [salt, nonce] = [randomBytes(32), randomBytes(24)];
  const params = { N: 65_536, r: 8, p: 1 };
  const box = xsalsa20poly1305(scryptSync(password, salt, 32, { ...params, maxmem: 128 << 20 }), nonce);
  const sealed = {
    kdf: { name: 'scrypt', params, salt: salt.toString('base64') },
    cipher: { name: 'nacl/secretbox', nonce: nonce.toString('base64') },
    ciphertext: Buffer.from(box.encrypt(privateKey.export({ type: 'pkcs8', format: 'der' }))).toString('base64'),
  };
  const body = Buffer.from(JSON.stringify(sealed)).toString('base64').replace(/.{64}/g, '$&\n');
  const kind = 'ENCRYPTED SIGSTORE PRIVATE KEY';
  writeFileSync(file, `-----BEGIN ${kind}-----\n${body}\n-----END ${kind}-----\n`);
  return { file, publicFile };
}

async function build(name: string, output: string, secrets: readonly string[], context = 'context') {
  const at = path.join(folder, context);
  return await run(buildctl, [
    ...['--addr', address, 'build', '--frontend', 'dockerfile.v0', '--opt', `build-arg:N=${name}`],
    ...['--local', `context=${at}`, '--local', `dockerfile=${at}`],
    ...['--output', `type=image,name=${registry}/${name},push=true${output}`],
    ...secrets.flatMap((secret) => ['--secret', secret]),
  ]);
}

interface Signatures {
  readonly config: { readonly digest: string };
  readonly layers: readonly {
    readonly mediaType: string;
    readonly digest: string;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

async function get(name: string, what: string): Promise<Response> {
  const accept = ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', ');
  return await fetch(`http://${registry}/v2/${name}/${what}`, { headers: { accept } });
}

async function signaturesOf(name: string): Promise<{ readonly digest: string; readonly signatures: Signatures }> {
  const digest = (await get(name, 'manifests/latest')).headers.get('docker-content-digest')!;
  const answer = await get(name, `manifests/${digest.replace(':', '-')}.sig`);
  return { digest, signatures: (await answer.json()) as Signatures };
}

/** Whether one of the signatures is of this key, by cosign's specification and with openssl. */
async function isSigned(name: string, { publicFile }: Key): Promise<boolean> {
  const { digest, signatures } = await signaturesOf(name);
  const config = (await (await get(name, `blobs/${signatures.config.digest}`)).json()) as {
    rootfs: { diff_ids: string[] };
  };
  expect(config.rootfs.diff_ids).toEqual(signatures.layers.map((layer) => layer.digest));
  for (const { mediaType, digest: of, annotations } of signatures.layers) {
    expect(mediaType).toBe('application/vnd.dev.cosign.simplesigning.v1+json');
    const payload = Buffer.from(await (await get(name, `blobs/${of}`)).arrayBuffer());
    expect(JSON.parse(payload.toString())).toEqual({
      critical: {
        identity: { 'docker-reference': `${registry}/${name}` },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: null,
    });
    const [file, signature] = [path.join(folder, 'payload'), path.join(folder, 'signature')];
    writeFileSync(file, payload);
    writeFileSync(signature, Buffer.from(annotations['dev.cosignproject.cosign/signature']!, 'base64'));
    const args = ['dgst', '-sha256', '-verify', publicFile, '-signature', signature, file];
    if ((await run('openssl', args)).code === 0) return true;
  }
  return false;
}

test.each([
  ['in the open', undefined],
  ['sealed with a password', 'sesame'],
])('an image is signed with a key that is %s: once, and by others beside it', async (kind, password) => {
  const name = password === undefined ? 'app/open' : 'app/sealed';
  const key = newKey(name.replace('/', '-'), password);
  const built = await build(name, ',sign-key=cosign,sign-password=pass', [
    `id=cosign,src=${key.file}`,
    ...(password === undefined ? [] : [`id=pass,src=${path.join(folder, 'password')}`]),
  ]);
  expect(built.stderr, kind).toContain(`signing ${registry}/${name}@sha256:`);
  expect(await isSigned(name, key)).toBe(true);
  expect(await isSigned(name, newKey('other'))).toBe(false);
  // The same again adds no second signature; another key adds its own.
  const second = newKey('second');
  const secret = `id=pass,src=${path.join(folder, 'password')}`;
  await build(name, ',sign-key=cosign,sign-password=pass', [`id=cosign,src=${key.file}`, secret]);
  await build(name, ',sign-key=cosign', [`id=cosign,src=${second.file}`]);
  for (const one of [key, second]) expect(await isSigned(name, one)).toBe(true);
  expect((await signaturesOf(name)).signatures.layers).toHaveLength(2);
});

test('what cannot sign fails before anything would pass for signed', async () => {
  const key = newKey('wrong-password', 'other');
  const failures: readonly (readonly [string, readonly string[], RegExp])[] = [
    [',sign-key=cosign', [], /signing key, secret cosign: not found/],
    [',sign-key=cosign', [`id=cosign,src=${path.join(folder, 'password')}`], /holds no private key/],
    [
      ',sign-key=cosign,sign-password=pass',
      [`id=cosign,src=${key.file}`, `id=pass,src=${path.join(folder, 'password')}`],
      /does not open with the password/,
    ],
    [',sign-password=pass', [], /sign-password is given without sign-key/],
  ];
  for (const [output, secrets, words] of failures) {
    const built = await build('app/none', output, secrets);
    expect(built.code).not.toBe(0);
    expect(built.stderr).toMatch(words);
  }
});

test('no step gets a secret that is reserved for the builder', async () => {
  const at = path.join(folder, 'thief');
  mkdirSync(at);
  writeFileSync(
    path.join(at, 'Dockerfile'),
    'FROM scratch\nCOPY Dockerfile /\nRUN --mount=type=secret,id=slipway.build/signing-key,required=true ["/x"]\n',
  );
  const key = newKey('stolen');
  const built = await build('app/thief', '', [`id=slipway.build/signing-key,src=${key.file}`], 'thief');
  expect(built.code).not.toBe(0);
  expect(built.stderr).toContain('secret slipway.build/signing-key: not found');
});
