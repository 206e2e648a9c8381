import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Descriptor, digestOf, neverAborted as signal } from '../../base/index.ts';
import { MEDIA_TYPE } from '../manifest/index.ts';
import { blobOf } from './attached.ts';
import { attachEnvelopes } from './envelope.ts';
import { signImage } from './image-signature.ts';
import { keySigner, type Signer } from './signer.ts';
import { SigningKey } from './signing-key.ts';

const IMAGE = { domain: 'registry.test', path: 'app', digest: digestOf('the image') };
const key = SigningKey.of(generateKeyPairSync('ed25519').privateKey);
// Known by its identity, as who signs without a key.
const signer: Signer = { ...keySigner(key), certificate: 'of somebody' };
const SIGNER = { 'build.slipway/signer': signer.id };

/** A repository that has one manifest, under whatever tag, with these entries. */
function repositoryOf(layers: readonly Descriptor[]) {
  const config = { mediaType: MEDIA_TYPE.ociConfig, digest: digestOf('{}'), size: 2 };
  let bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config, layers }));
  const describe = () => ({ mediaType: MEDIA_TYPE.ociManifest, digest: digestOf(bytes), size: bytes.length });
  return {
    getManifest: async () => ({ bytes, descriptor: describe() }),
    pushBlob: async () => 'pushed' as const,
    putManifest: async (_: string, manifest: { readonly bytes: Uint8Array }) => {
      bytes = Buffer.from(manifest.bytes);
      return describe();
    },
    layers: () => (JSON.parse(bytes.toString()) as { layers: Descriptor[] }).layers,
  };
}

const entry = (name: string, annotations: Readonly<Record<string, string>> = {}): Descriptor => ({
  mediaType: 'application/x',
  digest: digestOf(name),
  size: 1,
  annotations,
});
const foreign = (count: number) => Array.from({ length: count }, (_, n) => entry(`of another ${n}`));

async function payloadDigest() {
  const empty = repositoryOf([]);
  await signImage(empty as never, IMAGE, signer, { signal });
  return empty.layers()[0]!.digest;
}
const attested = { ...entry('envelope', { ...SIGNER, predicateType: 'p' }), mediaType: 'application/y' };

test.each([
  [
    'a signature',
    async () => ({ ...entry(''), digest: await payloadDigest(), annotations: SIGNER }),
    (to: object) => signImage(to as never, IMAGE, signer, { signal }),
  ],
  [
    'an attestation',
    async () => attested,
    (to: object) =>
      attachEnvelopes(to as never, IMAGE.digest, [{ layer: attested, blob: blobOf(Buffer.of(1)) }], signer, { signal }),
  ],
])('%s takes the place of its signer’s own alone, or is refused', async (_, own, attach) => {
  const mine = await own();
  const few = repositoryOf([mine, mine, ...foreign(98)]);
  await attach(few);
  expect(few.layers().slice(0, 98)).toEqual(foreign(98));
  expect(few.layers()).toHaveLength(99);
  const many = repositoryOf([mine, mine, ...foreign(148)]);
  await expect(attach(many)).rejects.toMatchObject({
    reason: 'OCI_TOO_LARGE',
    message: expect.stringContaining(`${IMAGE.digest.replace(':', '-')}.`) as string,
  });
  expect(many.layers()).toHaveLength(150);
});
