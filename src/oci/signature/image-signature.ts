import {
  type AbortOptions,
  CodedError,
  type Descriptor,
  type Digest,
  digestOf,
  type ImageReference,
} from '../../base/index.ts';
import { MAX_MANIFEST_BYTES, MEDIA_TYPE, parseManifestOrIndex } from '../manifest/index.ts';
import type { Repository } from '../registry-client/index.ts';
import type { SigningKey } from './signing-key.ts';

/** Sources: cosign's specs/SIGNATURE_SPEC.md, containers-signature(5) for the payload. */
export const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const SIGNATURE = 'dev.cosignproject.cosign/signature';
export const SIGNED_BY = 'cosign container image signature';
/** Signatures of one image; also those of others count. */
export const MAX_SIGNATURES = 100;

/** Where signatures go: the image's own repository. */
type SignatureRepository = Pick<Repository, 'getManifest' | 'pushBlob' | 'putManifest'>;

/** A manifest or index, and the repository that it is signed in. */
export interface SignedImage extends Pick<ImageReference, 'domain' | 'path'> {
  readonly digest: Digest;
}

/** The tag that an image's signatures have in its repository. */
export function signatureTag(digest: Digest): string {
  return `${digest.replace(':', '-')}.sig`;
}

/**
 * Signs a manifest or index as `cosign sign --key` does: one more layer in the manifest that is tagged with the digest, which names the repository and the
 * digest. What has been signed with this key already is left as it is, so building again adds nothing.
 * @returns the descriptor of the signatures' manifest
 */
export async function signImage(
  repository: SignatureRepository,
  image: SignedImage,
  key: SigningKey,
  options: AbortOptions,
): Promise<Descriptor> {
  const { digest } = image;
  const tag = signatureTag(digest);
  const payload = signingPayload(image);
  const there = await signaturesAt(repository, tag, options);
  const layer = { mediaType: PAYLOAD_TYPE, digest: digestOf(payload), size: payload.length };
  for (const { digest: of, annotations } of there.layers) {
    const signature = Buffer.from(annotations?.[SIGNATURE] ?? '', 'base64');
    if (of === layer.digest && key.verify(payload, signature)) return there.descriptor as Descriptor;
  }
  if (there.layers.length >= MAX_SIGNATURES)
    throw CodedError.of(
      'OCI_TOO_LARGE',
      `${digest} has ${there.layers.length} signatures, and at most ${MAX_SIGNATURES} are kept`,
    );
  const signature = key.sign(payload).toString('base64');
  const layers = [...there.layers, { ...layer, annotations: { [SIGNATURE]: signature } }];
  const config = Buffer.from(
    JSON.stringify({
      architecture: '',
      created: '0001-01-01T00:00:00Z',
      history: layers.map(() => ({ created: '0001-01-01T00:00:00Z' })),
      os: '',
      rootfs: { type: 'layers', diff_ids: layers.map((one) => one.digest) },
      config: {},
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: { mediaType: MEDIA_TYPE.ociConfig, size: config.length, digest: digestOf(config) },
      layers,
    }),
  );
  for (const bytes of [payload, config])
    await repository.pushBlob(
      { digest: digestOf(bytes), size: bytes.length, open: async () => ReadableStream.from([bytes]) },
      options,
    );
  return await repository.putManifest(tag, { mediaType: MEDIA_TYPE.ociManifest, bytes: manifest }, options);
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

async function signaturesAt(
  repository: SignatureRepository,
  tag: string,
  options: AbortOptions,
): Promise<{ readonly descriptor?: Descriptor; readonly layers: readonly Descriptor[] }> {
  try {
    const { descriptor, bytes } = await repository.getManifest(tag, {
      ...options,
      maxBytes: MAX_MANIFEST_BYTES,
      authoritative: true,
    });
    const parsed = parseManifestOrIndex(bytes, descriptor.mediaType);
    return parsed.kind === 'manifest' ? { descriptor, layers: parsed.manifest.layers } : { layers: [] };
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof CodedError && error.code === 'not_found') return { layers: [] };
    throw error;
  }
}
