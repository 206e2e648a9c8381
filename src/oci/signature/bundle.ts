import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { type AbortOptions, type Descriptor, type Digest, digestHex } from '../../base/index.ts';
import { MEDIA_TYPE, parseManifestOrIndex } from '../manifest/index.ts';
import type { BlobSource, Repository } from '../registry-client/index.ts';
import { type AttachedOptions, blobOf, isOf, SIGNER } from './attached.ts';
import { MAX_ATTACHED } from './document-task.ts';
import { encodedForSigning, STATEMENT_TYPE } from './envelope-task.ts';
import type { LogEntry, Signer } from './signer.ts';

/** Sources: cosign's specs/BUNDLE_SPEC.md, sigstore's sigstore_bundle.proto. */
const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const CONTENT = 'dev.sigstore.bundle.content';
const PREDICATE_TYPE = 'dev.sigstore.bundle.predicateType';
/** What cosign states of an image that it signs. */
export const SIGNED_IMAGE = 'https://sigstore.dev/cosign/sign/v1';
const EMPTY = blobOf(Buffer.from('{}'));
/** Of the bundle of an image's signature, and of its manifest: some 10 KB, with a long proof. */
const MAX_SIGNATURE_BYTES = 64 << 10;
export const BUNDLE_TAIL = Buffer.from('}');

/** A signed envelope with all that it is verified by, in one JSON text. */
export interface Bundle {
  readonly predicateType: string;
  /** What precedes the envelope, byte for byte; {@link BUNDLE_TAIL} follows it. */
  readonly head: Uint8Array;
  readonly digest: Digest;
  readonly size: number;
}

/** Where bundles go: the image's own repository. */
export type BundleRepository = Pick<
  Repository,
  'getManifest' | 'getBlob' | 'pushBlob' | 'putReferrer' | 'referrers' | 'deleteManifest'
>;

/** That an image is signed, as cosign states it. */
export function imageStatement(digest: Digest): Buffer {
  const subject = [{ digest: { sha256: digestHex(digest) } }];
  const head = { _type: 'https://in-toto.io/Statement/v1', subject, predicateType: SIGNED_IMAGE };
  return Buffer.from(JSON.stringify({ ...head, predicate: {} }));
}

/** What a bundle has before its envelope. */
export function bundleHead({ id, certificate }: Signer, entry: LogEntry | undefined): Buffer {
  const verifier =
    certificate === undefined
      ? { publicKey: { hint: Buffer.from(id, 'hex').toString('base64') } }
      : { certificate: { rawBytes: new X509Certificate(certificate).raw.toString('base64') } };
  const material = { ...verifier, tlogEntries: entry === undefined ? [] : [entry.bundled] };
  const head = JSON.stringify({ mediaType: BUNDLE_TYPE, verificationMaterial: material });
  return Buffer.from(`${head.slice(0, -1)},"dsseEnvelope":`);
}

/** @param envelope that the bundle was made of */
export function bundleBlob({ head, digest, size }: Bundle, envelope: BlobSource): BlobSource {
  async function* parts(options: AbortOptions) {
    yield head;
    yield* await envelope.open(options);
    yield BUNDLE_TAIL;
  }
  return { digest, size, open: async (options) => ReadableStream.from(parts(options)) };
}

/**
 * Attaches bundles to a manifest or index, as what refers to it. They take the place of what the same signer has said of the same kinds before, where the registry lets that go; and a key's signature of an image that is there stays.
 */
export async function attachBundles(
  repository: BundleRepository,
  subject: Descriptor,
  bundles: readonly { readonly bundle: Bundle; readonly blob: BlobSource }[],
  signer: Signer,
  options: AttachedOptions,
): Promise<void> {
  const there = await repository.referrers(subject.digest, { ...options, artifactType: BUNDLE_TYPE });
  const kept = new Set<Digest>();
  for (const { bundle, blob } of bundles) {
    const { predicateType } = bundle;
    const before = there.filter((one) => isOf(one, signer) && one.annotations?.[PREDICATE_TYPE] === predicateType);
    const known = await signatureOf(repository, subject.digest, { predicateType, before }, signer, options);
    if (known !== undefined) {
      kept.add(known.digest);
      continue;
    }
    for (const one of [blob, EMPTY]) await repository.pushBlob(one, options);
    const replaced = before.map(({ digest }) => digest).filter((digest) => !kept.has(digest));
    const manifest = manifestOf(subject, bundle, signer);
    kept.add((await repository.putReferrer(manifest, { ...options, replaced })).digest);
    for (const digest of replaced.filter((one) => !kept.has(one)))
      await repository.deleteManifest(digest, options).catch(() => {
        // Many registries let nobody delete: the older one is as true as it was.
        options.signal.throwIfAborted();
      });
  }
}

function manifestOf(subject: Descriptor, { predicateType, digest, size }: Bundle, { id }: Signer) {
  return {
    ...({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, artifactType: BUNDLE_TYPE } as const),
    config: { mediaType: MEDIA_TYPE.ociEmpty, digest: EMPTY.digest, size: EMPTY.size },
    layers: [{ mediaType: BUNDLE_TYPE, digest, size }],
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    annotations: { [CONTENT]: 'dsse-envelope', [PREDICATE_TYPE]: predicateType, [SIGNER]: id },
  };
}

/** That of an image by the same key, which need not be made again. */
async function signatureOf(
  repository: BundleRepository,
  digest: Digest,
  { predicateType, before }: { readonly predicateType: string; readonly before: readonly Descriptor[] },
  signer: Signer,
  options: AbortOptions,
): Promise<Descriptor | undefined> {
  // What is to be logged may not be yet.
  if (predicateType !== SIGNED_IMAGE || signer.certificate !== undefined || signer.log !== undefined) return undefined;
  for (const one of before.slice(0, MAX_ATTACHED))
    if (await signs(repository, one, digest, signer, options)) return one;
  return undefined;
}

const signatureSchema = z.object({
  dsseEnvelope: z.object({ payload: z.string(), signatures: z.tuple([z.object({ sig: z.string() })]) }),
});

/** Whether what refers to it is this key's signature of it. */
async function signs(
  repository: BundleRepository,
  referrer: Descriptor,
  digest: Digest,
  { key }: Signer,
  options: AbortOptions,
): Promise<boolean> {
  try {
    const { bytes, descriptor } = await repository.getManifest(referrer.digest, {
      ...options,
      maxBytes: MAX_SIGNATURE_BYTES,
      authoritative: true,
    });
    const parsed = parseManifestOrIndex(bytes, descriptor.mediaType);
    const [layer] = parsed.kind === 'manifest' ? parsed.manifest.layers : [];
    if (layer === undefined) return false;
    const { mediaType, size } = layer;
    const bundle = await repository.getBlob(
      { mediaType, digest: layer.digest, size },
      { ...options, maxBytes: MAX_SIGNATURE_BYTES },
    );
    const { dsseEnvelope } = signatureSchema.parse(JSON.parse(Buffer.from(bundle).toString('utf8')));
    const statement = imageStatement(digest);
    const { payload, signatures } = dsseEnvelope;
    return (
      statement.equals(Buffer.from(payload, 'base64')) &&
      (await key.verifying.verify(
        encodedForSigning(STATEMENT_TYPE, statement),
        Buffer.from(signatures[0].sig, 'base64'),
      ))
    );
  } catch {
    // Whatever it is, it is none; a registry that fails is met again by what is written.
    options.signal.throwIfAborted();
    return false;
  }
}
