import { createHash } from 'node:crypto';
import type { Descriptor, Digest, ImageReference } from '../../base/index.ts';
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
  if (signer.log === undefined)
    for (const { digest: of, annotations } of there.layers) {
      const signature = Buffer.from(annotations?.[SIGNATURE] ?? '', 'base64');
      if (of === digest && signer.key.verify(payload, signature)) return there.descriptor as Descriptor;
    }
  const signature = signer.key.sign(payload);
  const sha256 = createHash('sha256').update(payload).digest();
  const annotations = {
    [SIGNATURE]: signature.toString('base64'),
    ...signedAnnotations(signer, 'message', await signer.log?.({ kind: 'message', sha256, signature }, options)),
  };
  const others = there.layers.filter((one) => one.digest !== digest || !isOf(one, signer));
  const layers = [...others, { mediaType: PAYLOAD_TYPE, digest, size, annotations }];
  return await attach(repository, tag, layers, [blob], options);
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
