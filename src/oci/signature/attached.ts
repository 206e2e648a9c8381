import { type AbortOptions, CodedError, type Descriptor, type Digest, digestOf } from '../../base/index.ts';
import { type DocumentOptions, readDocument, siblingModule, tasksOf } from '../../sys/index.ts';
import { MAX_MANIFEST_BYTES, MEDIA_TYPE } from '../manifest/index.ts';
import type { BlobSource, Repository } from '../registry-client/index.ts';
import { attachedLayers, MAX_ATTACHED } from './document-task.ts';
import type { LogEntry, SignedContent, Signer } from './signer.ts';

/** Sources: cosign's specs/SIGNATURE_SPEC.md and specs/COSIGN_PREDICATE_SPEC.md. */
export const SIGNATURE = 'dev.cosignproject.cosign/signature';
export const CERTIFICATE = 'dev.sigstore.cosign/certificate';
export const BUNDLE = 'dev.sigstore.cosign/bundle';
/** Ours: by whom, so that what somebody signs again takes the place of what he has signed before. */
export const SIGNER = 'build.slipway/signer';

/** Where signatures go: the image's own repository. */
export type SignatureRepository = Pick<Repository, 'getManifest' | 'pushBlob' | 'putManifest'>;

/** What a verifier finds beside a signature. */
export function signedAnnotations(
  { id, certificate, log }: Signer,
  kind: SignedContent['kind'],
  entry: LogEntry | undefined,
): Record<string, string> {
  return {
    // A key alone is known by what it has signed.
    ...(kind === 'message' && certificate === undefined && log === undefined ? {} : { [SIGNER]: id }),
    ...(certificate === undefined ? {} : { [CERTIFICATE]: certificate }),
    ...(entry === undefined ? {} : { [BUNDLE]: entry.annotation }),
  };
}

export const isOf = ({ annotations }: Descriptor, { id }: Signer) => annotations?.[SIGNER] === id;

/** The tag that signatures (`sig`) or attestations (`att`) of a manifest have in its repository. */
export const attachedTag = (digest: Digest, kind: 'sig' | 'att') => `${digest.replace(':', '-')}.${kind}`;

export type AttachedOptions = DocumentOptions;

const task = tasksOf<typeof import('./document-task.ts')>(siblingModule(import.meta.url, './document-task'));

const LAYERS = { task: task('attachedLayers'), here: attachedLayers };

/** What the manifest has attached. @throws CodedError for what is no manifest */
export async function readAttached(
  { descriptor: { mediaType }, bytes }: Awaited<ReturnType<Repository['getManifest']>>,
  options: AttachedOptions,
): Promise<readonly Descriptor[]> {
  return await readDocument(bytes.length, LAYERS, { bytes, mediaType }, options);
}

/** The layers of the manifest with this tag; none where there is none. @throws CodedError for more than are read: what is written then would lack somebody's */
export async function attachedAt(
  repository: SignatureRepository,
  tag: string,
  options: AttachedOptions,
): Promise<{ readonly descriptor?: Descriptor; readonly layers: readonly Descriptor[] }> {
  try {
    const found = await repository.getManifest(tag, {
      signal: options.signal,
      maxBytes: MAX_MANIFEST_BYTES,
      authoritative: true,
    });
    const layers = await readAttached(found, options);
    if (layers.length > MAX_ATTACHED)
      throw CodedError.of('OCI_TOO_LARGE', `${tag} has more than ${MAX_ATTACHED} entries, and nothing is added to it`, {
        hint: 'take out of it what nobody needs any more: cosign clean',
      });
    return { descriptor: found.descriptor, layers };
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof CodedError && error.code === 'not_found') return { layers: [] };
    throw error;
  }
}

/** Writes the manifest that has these layers, some of which are brought, under the tag. */
export async function attach(
  repository: SignatureRepository,
  tag: string,
  layers: readonly Descriptor[],
  blobs: readonly BlobSource[],
  options: AbortOptions,
): Promise<Descriptor> {
  if (layers.length > MAX_ATTACHED)
    throw CodedError.of('OCI_TOO_LARGE', `${tag} would have ${layers.length} entries, and has at most ${MAX_ATTACHED}`);
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
  for (const blob of [...blobs, blobOf(config)]) await repository.pushBlob(blob, options);
  return await repository.putManifest(tag, { mediaType: MEDIA_TYPE.ociManifest, bytes: manifest }, options);
}

export function blobOf(bytes: Uint8Array): BlobSource {
  return { digest: digestOf(bytes), size: bytes.length, open: async () => ReadableStream.from([bytes]) };
}
