import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Descriptor, digestOf, neverAborted as signal } from '../../base/index.ts';
import { MEDIA_TYPE } from '../manifest/index.ts';
import { signImage } from './image-signature.ts';
import { keySigner } from './signer.ts';
import { SigningKey } from './signing-key.ts';

test('an image that others have signed ninety times is signed without keeping anybody waiting', async () => {
  const image = { domain: 'registry.test', path: 'app', digest: digestOf('the image') };
  const config = { mediaType: MEDIA_TYPE.ociConfig, digest: digestOf('{}'), size: 2 };
  let layers: readonly Descriptor[] = [];
  const described = { mediaType: MEDIA_TYPE.ociManifest, digest: digestOf('x'), size: 1 };
  const repository = {
    getManifest: async () => ({
      bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config, layers })),
      descriptor: described,
    }),
    pushBlob: async () => 'pushed' as const,
    putManifest: async (_: string, { bytes }: { readonly bytes: Uint8Array }) => {
      ({ layers } = JSON.parse(Buffer.from(bytes).toString()) as { layers: Descriptor[] });
      return described;
    },
  };
  const newSigner = () => keySigner(SigningKey.of(generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey));
  const theirs = newSigner();
  await signImage(repository as never, image, theirs, { signal });
  const [first] = layers as readonly [Descriptor];
  const payload = Buffer.from('another');
  const forged = await Promise.all(
    Array.from({ length: 90 }, async () => ({
      ...first,
      annotations: { 'dev.cosignproject.cosign/signature': (await theirs.key.sign(payload)).toString('base64') },
    })),
  );
  layers = forged;
  const ours = newSigner();
  await signImage(repository as never, image, ours, { signal });
  expect(layers).toHaveLength(91);
  const before = layers;
  let turns = 0;
  const immediate = () => {
    turns++;
    next = setImmediate(immediate);
  };
  let next = setImmediate(immediate);
  await signImage(repository as never, image, ours, { signal });
  clearImmediate(next);
  // What it has signed it knows, and each comparison has let others have their turn.
  expect(layers).toBe(before);
  expect(turns).toBeGreaterThan(90);
});
