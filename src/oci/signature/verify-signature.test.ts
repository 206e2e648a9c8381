import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { CodedError, type Descriptor, type Digest, digestOf, HOUSE, neverAborted } from '../../base/index.ts';
import { WorkerPool } from '../../sys/index.ts';
import { signatureTag, signImage } from './image-signature.ts';
import { keySigner } from './signer.ts';
import { SigningKey } from './signing-key.ts';
import { verifySignature } from './verify-signature.ts';
import { VerifyingKey } from './verifying-key.ts';

const options = { signal: neverAborted };
const pem = (key: KeyObject) => Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }));
const publicPem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
const newPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ours = newPair();
const theirs = newPair();
const trusted = VerifyingKey.parse(publicPem(ours.publicKey));
const IMAGE = { domain: 'registry.test', path: 'team/cache', digest: digestOf('the cache') };
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** A repository in memory; what is read of it can be made to fail. */
class FakeRepository {
  readonly manifests = new Map<string, Buffer>();
  readonly blobs = new Map<string, Buffer>();
  readonly asked: string[] = [];
  refuse: (what: string) => CodedError | undefined = () => undefined;

  async getManifest(reference: string, { maxBytes = Infinity }: { readonly maxBytes?: number }) {
    this.#ask(reference);
    const bytes = this.manifests.get(reference);
    if (bytes === undefined) throw new CodedError('not_found', `${reference}: not found`);
    if (bytes.length > maxBytes) throw CodedError.of('REGISTRY_TOO_LARGE', 'the manifest is too large');
    return { bytes, descriptor: { mediaType: MANIFEST, digest: digestOf(bytes), size: bytes.length } };
  }

  async getBlob({ digest, size }: Descriptor, { maxBytes }: { readonly maxBytes: number }) {
    this.#ask(digest);
    if (size > maxBytes) throw CodedError.of('REGISTRY_TOO_LARGE', 'the blob is too large');
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) throw new CodedError('not_found', `${digest}: not found`);
    if (digestOf(bytes) !== digest) throw CodedError.of('OCI_DIGEST_MISMATCH', 'the blob is not what it says');
    return bytes;
  }

  async pushBlob({
    digest,
    open,
  }: {
    readonly digest: Digest;
    readonly open: (at: number, options: { readonly signal: AbortSignal }) => Promise<ReadableStream<Uint8Array>>;
  }) {
    this.blobs.set(digest, Buffer.concat(await Array.fromAsync(await open(0, options))));
    return 'pushed' as const;
  }

  async putManifest(reference: string, { bytes }: { readonly bytes: Uint8Array }) {
    this.manifests.set(reference, Buffer.from(bytes));
    return { mediaType: MANIFEST, digest: digestOf(bytes), size: bytes.length };
  }

  #ask(what: string): void {
    this.asked.push(what);
    const refused = this.refuse(what);
    if (refused !== undefined) throw refused;
  }
}

let repository: FakeRepository;
beforeEach(() => {
  repository = new FakeRepository();
});

const TAG = signatureTag(IMAGE.digest);
const sign = async (key: KeyObject, image: typeof IMAGE = IMAGE) =>
  await signImage(repository as never, image, keySigner(await SigningKey.parse(pem(key), undefined)), options);
const check = (keys = trusted, image = IMAGE) => verifySignature(repository, image, keys, options);

type Layer = Descriptor & { readonly annotations: Record<string, string> };
/** Rewrites the manifest of the signatures. */
function change(by: (layers: Layer[]) => readonly object[]): void {
  const manifest = JSON.parse(repository.manifests.get(TAG)!.toString()) as { layers: Layer[] };
  repository.manifests.set(TAG, Buffer.from(JSON.stringify({ ...manifest, layers: by(manifest.layers) })));
}
/** What was signed by a key that is trusted, whatever it says, as the one signature of the image. */
async function signedPayload(payload: object | string): Promise<void> {
  await sign(ours.privateKey);
  const bytes = Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload));
  const key = await SigningKey.parse(pem(ours.privateKey), undefined);
  const digest = digestOf(bytes);
  repository.blobs.set(digest, bytes);
  const signature = (await key.sign(bytes)).toString('base64');
  const annotations = { 'dev.cosignproject.cosign/signature': signature };
  change((layers) => layers.map((layer) => ({ ...layer, digest, size: bytes.length, annotations })));
}
const saying = (reference: string, digest: string = IMAGE.digest, type = 'cosign container image signature') => ({
  critical: {
    identity: { 'docker-reference': reference },
    image: { 'docker-manifest-digest': digest },
    type,
  },
  optional: null,
});

test.each([
  ['ECDSA', newPair()],
  ['ECDSA on P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ['Ed25519', generateKeyPairSync('ed25519')],
])('what a key of the type %s has signed is verified with its public key', async (_, { privateKey, publicKey }) => {
  await sign(privateKey);
  await check(VerifyingKey.parse(publicPem(publicKey)));
  await expect(check()).rejects.toMatchObject({ reason: 'SIGNATURE_UNTRUSTED' });
});

test('one good signature among those of others is enough, and so is one of several keys', async () => {
  for (const { privateKey } of [newPair(), theirs, ours, newPair()]) await sign(privateKey);
  await check();
  await check(VerifyingKey.parse([newPair(), ours].map(({ publicKey }) => publicPem(publicKey)).join('\n')));
  await expect(check(VerifyingKey.parse(publicPem(newPair().publicKey)))).rejects.toThrow(/none of its 4 signatures/);
});

test('one whose payload is away or damaged costs none of the others', async () => {
  await sign(theirs.privateKey);
  const [junk, gone] = [Buffer.from('junk'), digestOf('gone')];
  repository.blobs.set(digestOf('another'), junk);
  const annotations = { 'dev.cosignproject.cosign/signature': 'AAAA' };
  const mediaType = 'application/vnd.dev.cosign.simplesigning.v1+json';
  await sign(ours.privateKey);
  change((layers) => [
    { mediaType, digest: gone, size: 10, annotations },
    { mediaType, digest: digestOf('another'), size: junk.length, annotations },
    ...layers,
  ]);
  await check();
});

const REFUSED: readonly (readonly [string, () => Promise<void> | void, RegExp])[] = [
  ['not signed', () => {}, /is not signed/],
  ['signed by another', () => sign(theirs.privateKey).then(() => {}), /none of its 1 signatures/],
  [
    'signed elsewhere, its signature copied here',
    () => sign(ours.privateKey, { ...IMAGE, path: 'attacker/cache' }).then(() => {}),
    /another repository: "registry\.test\/attacker\/cache"/,
  ],
  [
    'signed in another registry',
    () => sign(ours.privateKey, { ...IMAGE, domain: 'elsewhere.test' }).then(() => {}),
    /another repository/,
  ],
  [
    'given the signature of another digest',
    () => signedPayload(saying('registry.test/team/cache', digestOf('x'))),
    /another digest/,
  ],
  ['named by the beginning of its repository', () => signedPayload(saying('registry.test/team')), /another repository/],
  ['named by no repository', () => signedPayload(saying('../..')), /another repository/],
  [
    'signed as something else',
    () => signedPayload(saying('registry.test/team/cache', IMAGE.digest, 'git commit')),
    /is not of an image/,
  ],
  ['signed in a payload that says nothing', () => signedPayload({}), /is not of an image/],
  ['signed in a payload that is no JSON', () => signedPayload('\u0000'), /is not of an image/],
  ['signed in a payload that is nested deeply', () => signedPayload('['.repeat(30_000)), /is not of an image/],
  [
    'signed, and the payload is another now',
    async () => {
      await sign(ours.privateKey);
      const forged = Buffer.from(JSON.stringify(saying('registry.test/team/cache')).replace('null', '{}'));
      repository.blobs.set(digestOf(forged), forged);
      change((layers) => layers.map((layer) => ({ ...layer, digest: digestOf(forged), size: forged.length })));
    },
    /none of its 1 signatures/,
  ],
  [
    'signed in an annotation without end',
    async () => {
      await sign(ours.privateKey);
      const annotations = { 'dev.cosignproject.cosign/signature': 'A'.repeat(100_000) };
      change((layers) => layers.map((layer) => ({ ...layer, annotations })));
    },
    /has none/,
  ],
  [
    'signed by nothing',
    async () => {
      await sign(ours.privateKey);
      change((layers) => layers.map((layer) => ({ ...layer, annotations: {} })));
    },
    /has none/,
  ],
  [
    'signed in a payload that is said to be huge',
    async () => {
      await sign(ours.privateKey);
      change((layers) => layers.map((layer) => ({ ...layer, size: 2 ** 40 })));
    },
    /has none/,
  ],
];

test.each(REFUSED)('one is refused that is %s', async (_, arrange, words) => {
  await arrange();
  // Wherever its signature comes from.
  const [first] = repository.manifests.values();
  if (!repository.manifests.has(TAG) && first !== undefined) repository.manifests.set(TAG, first);
  await expect(check()).rejects.toMatchObject({
    reason: 'SIGNATURE_UNTRUSTED',
    message: expect.stringMatching(words) as string,
  });
});

test('of a thousand signatures a hundred are looked at, and what they share is read once', async () => {
  await sign(theirs.privateKey);
  change(([layer]) => Array.from({ length: 1000 }, () => layer!));
  repository.asked.length = 0;
  await expect(check()).rejects.toThrow(/none of its 100 signatures/);
  expect(repository.asked).toHaveLength(2);
});

test('a manifest of signatures beyond measure is not read', async () => {
  await sign(ours.privateKey);
  change((layers) => [...layers, { ...layers[0]!, annotations: { padding: 'x'.repeat(2 << 20) } }]);
  await expect(check()).rejects.toMatchObject({ reason: 'REGISTRY_TOO_LARGE' });
});

test.each([
  'manifest',
  'payload',
])('what the registry does not give for now (%s) is never taken for signed', async (what) => {
  await sign(ours.privateKey);
  const failure = new CodedError('unavailable', 'status 500');
  repository.refuse = (asked) => ((asked === TAG) === (what === 'manifest') ? failure : undefined);
  await expect(check()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('500') as string,
  });
});

test('names of Docker Hub are one, however they are written', async () => {
  const image = { ...IMAGE, domain: 'docker.io', path: 'library/cache' };
  for (const name of ['index.docker.io/library/cache', 'docker.io/library/cache', 'cache']) {
    await signedPayload(saying(name));
    await check(trusted, image);
  }
});

test.each([
  ['nothing', '', /no public key/],
  ['a private key', pem(ours.privateKey).toString(), /private key/],
  ['both of a pair', `${publicPem(ours.publicKey)}${pem(ours.privateKey).toString()}`, /private key/],
  ['a damaged key', publicPem(ours.publicKey).replace(/\n.{20}/, '\nAAAA'), /malformed/],
  ['a short RSA key', publicPem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), /1024 bits/],
  ['an unusual curve', publicPem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey), /secp256k1/],
  ['a key that signs nothing', publicPem(generateKeyPairSync('x25519').publicKey), /x25519/],
  ['too many keys', publicPem(ours.publicKey).repeat(17), /17 keys/],
  ['a novel', 'x'.repeat(70_000), /bytes/],
])('public keys are refused that are %s', (_, text, words) => {
  let refused: unknown;
  try {
    VerifyingKey.parse(text);
  } catch (error) {
    refused = error;
  }
  expect(refused).toMatchObject({ reason: 'VERIFYING_KEY', message: expect.stringMatching(words) as string });
  if (text.length > 100) expect(String(refused)).not.toContain(text.slice(40, 80));
});

test('a long manifest of signatures is read by a worker, for who signs and for who verifies', async () => {
  await using pool = new WorkerPool({ name: 'documents', threads: 1 });
  const reading = { ...options, worker: { pool, owner: HOUSE } };
  await sign(theirs.privateKey);
  const long = (name: string) => ({
    mediaType: 'application/x',
    digest: digestOf(name),
    size: 1,
    annotations: { name: name.repeat(1000) },
  });
  change((layers) => [...layers, ...Array.from({ length: 40 }, (_, n) => long(`of another ${n}`))]);
  const key = keySigner(await SigningKey.parse(pem(ours.privateKey), undefined));
  await signImage(repository as never, IMAGE, key, reading);
  await verifySignature(repository, IMAGE, trusted, reading);
  await verifySignature(repository, IMAGE, VerifyingKey.parse(publicPem(theirs.publicKey)), reading);
  const { layers } = JSON.parse(repository.manifests.get(TAG)!.toString()) as { layers: Layer[] };
  expect(layers).toHaveLength(42);
  change(() => [
    { ...long('x'), annotations: Object.fromEntries(Array.from({ length: 6000 }, (_, n) => [`${n}`, ''])) },
  ]);
  await expect(verifySignature(repository, IMAGE, trusted, reading)).rejects.toMatchObject({ reason: 'OCI_TOO_LARGE' });
});
