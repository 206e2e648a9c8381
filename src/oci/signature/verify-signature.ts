import { z } from 'zod';
import {
  annotate,
  CodedError,
  type Descriptor,
  type Digest,
  type ImageReference,
  parseImageReference,
} from '../../base/index.ts';
import type { Repository } from '../registry-client/index.ts';
import { type AttachedOptions, BUNDLE, CERTIFICATE, readAttached, SIGNATURE } from './attached.ts';
import { MAX_ATTACHED } from './document-task.ts';
import { MAX_SIGNATURE_LENGTH, PAYLOAD_TYPE, SIGNED_BY, type SignedImage, signatureTag } from './image-signature.ts';

/** Of the manifest that has the signatures of one image: a hundred, some with a certificate beside. */
const MAX_MANIFEST_BYTES = 1 << 20;
const MAX_PAYLOAD_BYTES = 64 << 10;

/** Of a certificate, and of an entry of a log: some 2 and 8 KB. */
const MAX_PROOF_LENGTH = 64 << 10;

/** What lies beside a signature and says whose it is. */
interface SignatureProof {
  /** In PEM form. */
  readonly certificate: string | undefined;
  /** The entry of a log. */
  readonly logged: string | undefined;
}

/** Knows what one has signed, or one of several. */
export interface SignatureVerifier {
  verify(payload: Uint8Array, signature: Uint8Array, proof: SignatureProof): Promise<boolean>;
}

const payloadSchema = z.object({
  critical: z.object({
    identity: z.object({ 'docker-reference': z.string().max(1024) }),
    image: z.object({ 'docker-manifest-digest': z.string() }),
    type: z.literal(SIGNED_BY),
  }),
});

/** Where signatures are read: the image's own repository. */
type ReadRepository = Pick<Repository, 'getManifest' | 'getBlob'>;

/**
 * Looks for one signature of a manifest or index, by one of those that are trusted and for this very digest in this very repository: what was signed elsewhere, or for another, says nothing here. All that is not signed by one of them is
 * somebody's; nothing of it is read but what verifies.
 * @throws CodedError SIGNATURE_UNTRUSTED where there is none; as the registry fails where that cannot be found out
 */
export async function verifySignature(
  repository: ReadRepository,
  image: SignedImage,
  trusted: readonly SignatureVerifier[],
  options: AttachedOptions,
): Promise<void> {
  const name = `${image.domain}/${image.path}@${image.digest}`;
  const signatures = await signaturesOf(repository, image, name, options);
  let unread: unknown;
  let misplaced: string | undefined;
  // Of one repository and digest all are, as a rule, of the same bytes.
  const payloads = new Map<Digest, Uint8Array>();
  for (const { payload: descriptor, signature, proof } of signatures) {
    let payload = payloads.get(descriptor.digest);
    try {
      payload ??= await repository.getBlob(descriptor, { signal: options.signal, maxBytes: MAX_PAYLOAD_BYTES });
      payloads.set(descriptor.digest, payload);
    } catch (error) {
      options.signal.throwIfAborted();
      unread ??= error;
      continue;
    }
    if (!(await isBy(trusted, payload, signature, proof))) continue;
    misplaced = fault(payload, image);
    if (misplaced === undefined) return;
  }
  if (misplaced !== undefined) throw untrusted(`${name}: the signature that is trusted ${misplaced}`);
  if (unread !== undefined) throw annotate(unread, `failed to read a signature of ${name}`);
  throw untrusted(`${name}: none of its ${signatures.length} signatures is by a key or identity that is trusted`);
}

interface FoundSignature {
  readonly payload: Descriptor;
  readonly signature: Buffer;
  readonly proof: SignatureProof;
}

async function signaturesOf(
  repository: ReadRepository,
  { digest }: SignedImage,
  name: string,
  options: AttachedOptions,
): Promise<readonly FoundSignature[]> {
  const found = await repository
    .getManifest(signatureTag(digest), { signal: options.signal, maxBytes: MAX_MANIFEST_BYTES })
    .catch((error: unknown) => {
      options.signal.throwIfAborted();
      if (error instanceof CodedError && error.code === 'not_found') throw untrusted(`${name} is not signed`, error);
      throw annotate(error, `failed to read the signatures of ${name}`);
    });
  const layers = await readAttached(found, options);
  const signatures = layers.slice(0, MAX_ATTACHED).flatMap(({ mediaType, digest: of, size, annotations }) => {
    const text = annotations?.[SIGNATURE] ?? '';
    const isOne =
      mediaType === PAYLOAD_TYPE && size <= MAX_PAYLOAD_BYTES && text !== '' && text.length <= MAX_SIGNATURE_LENGTH;
    // From the registry alone, wherever else it is said to be.
    const [certificate, logged] = [CERTIFICATE, BUNDLE].map((name) => bounded(annotations?.[name]));
    const signature = Buffer.from(text, 'base64');
    return isOne ? [{ payload: { mediaType, digest: of, size }, signature, proof: { certificate, logged } }] : [];
  });
  if (signatures.length === 0) throw untrusted(`${name} is not signed: what has the tag of its signatures has none`);
  return signatures;
}

const bounded = (text: string | undefined) =>
  text !== undefined && text.length <= MAX_PROOF_LENGTH ? text : undefined;

async function isBy(
  trusted: readonly SignatureVerifier[],
  payload: Uint8Array,
  signature: Uint8Array,
  proof: SignatureProof,
): Promise<boolean> {
  for (const one of trusted) if (await one.verify(payload, signature, proof)) return true;
  return false;
}

/** What is wrong with what was signed, if it is for another. */
function fault(payload: Uint8Array, { domain, path, digest }: SignedImage): string | undefined {
  let said: z.infer<typeof payloadSchema>['critical'];
  try {
    said = payloadSchema.parse(JSON.parse(Buffer.from(payload).toString('utf8'))).critical;
  } catch {
    return 'is not of an image';
  }
  const { identity, image } = said;
  if (image['docker-manifest-digest'] !== digest) return 'is for another digest';
  const reference = identity['docker-reference'];
  const signed = repositoryNamed(reference);
  if (signed?.domain === domain && signed.path === path) return undefined;
  return `is for another repository: ${JSON.stringify(reference.slice(0, 200))}`;
}

function repositoryNamed(reference: string): Pick<ImageReference, 'domain' | 'path'> | undefined {
  try {
    const { domain, path } = parseImageReference(reference);
    return { domain: domain === 'index.docker.io' ? 'docker.io' : domain, path };
  } catch {
    return undefined;
  }
}

function untrusted(why: string, cause?: unknown): CodedError {
  return CodedError.of('SIGNATURE_UNTRUSTED', why, { cause });
}
