import { createHash } from 'node:crypto';
import type { AbortOptions, Descriptor, Digest, ImageReference } from '../../base/index.ts';
import {
  type AttachedOptions,
  attach,
  attachedAt,
  attachedTag,
  blobOf,
  isOf,
  SIGNATURE,
  type SignatureRepository,
  signedAnnotations,
} from './attached.ts';
import type { Signer } from './signer.ts';

/** Sources: cosign's specs/SIGNATURE_SPEC.md, containers-signature(5) for the payload. */
export const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const SIGNED_BY = 'cosign container image signature';
/** In base64: of an RSA key of 8192 bits it has 1368 characters. */
export const MAX_SIGNATURE_LENGTH = 4096;

/** A manifest or index, and the repository that it is signed in. */
export interface SignedImage extends Pick<ImageReference, 'domain' | 'path'> {
  readonly digest: Digest;
}

/** The tag that an image's signatures have in its repository. */
export const signatureTag = (digest: Digest) => attachedTag(digest, 'sig');

/**
 * Signs a manifest or index as `cosign sign` does: one more layer in the manifest that is tagged with the digest, which names the repository and the
 * digest. What has been signed with this key already is left as it is, and what this identity has signed is replaced, so building again adds nothing.
 * @returns the descriptor of the signatures' manifest
 */
export async function signImage(
  repository: SignatureRepository,
  image: SignedImage,
  signer: Signer,
  options: AttachedOptions,
): Promise<Descriptor> {
  const tag = signatureTag(image.digest);
  const payload = signingPayload(image);
  const there = await attachedAt(repository, tag, options);
  const blob = blobOf(payload);
  const { digest, size } = blob;
  // What is to be logged may not be yet.
  if (
    signer.log === undefined &&
    (await isSigned(
      payload,
      there.layers.filter((one) => one.digest === digest),
      signer,
      options,
    ))
  )
    return there.descriptor as Descriptor;
  const signature = await signer.key.sign(payload);
  const sha256 = createHash('sha256').update(payload).digest();
  const annotations = {
    [SIGNATURE]: signature.toString('base64'),
    ...signedAnnotations(signer, 'message', await signer.log?.({ kind: 'message', sha256, signature }, options)),
  };
  const others = there.layers.filter((one) => one.digest !== digest || !isOf(one, signer));
  const layers = [...others, { mediaType: PAYLOAD_TYPE, digest, size, annotations }];
  return await attach(repository, tag, layers, [blob], options);
}

/** Whether one of these, at most a hundred, is the signature of the key. Who can push chooses them, so each is verified but once and none by this thread. */
async function isSigned(
  payload: Uint8Array,
  entries: readonly Descriptor[],
  { key: { verifying } }: Signer,
  { signal }: AbortOptions,
): Promise<boolean> {
  const signatures = new Set(entries.map(({ annotations }) => annotations?.[SIGNATURE] ?? ''));
  for (const text of signatures) {
    signal.throwIfAborted();
    if (text.length > MAX_SIGNATURE_LENGTH) continue;
    if (await verifying.verify(payload, Buffer.from(text, 'base64'))) return true;
  }
  return false;
}

/** What is signed, byte for byte as cosign writes it. */
function signingPayload({ domain, path, digest }: SignedImage): Buffer {
  const critical = {
    identity: { 'docker-reference': `${domain === 'docker.io' ? 'index.docker.io' : domain}/${path}` },
    image: { 'docker-manifest-digest': digest },
    type: SIGNED_BY,
  };
  return Buffer.from(JSON.stringify({ critical, optional: null }));
}
