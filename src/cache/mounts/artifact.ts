import { z } from 'zod';
import { CodedError, type Descriptor, type Digest, digestHex, digestOf, isDigest } from '../../base/index.ts';
import type { LayerChunk, RootMetadata } from '../../oci/layers/index.ts';
import { describeDocument, type EncodedDocument, encodeManifest, MEDIA_TYPE } from '../../oci/manifest/index.ts';

/** What the manifest of a saved cache mount says that it is. */
const MOUNT_ARTIFACT_TYPE = 'application/vnd.slipway.cachemount.v1';
export const MOUNT_CONFIG_TYPE = 'application/vnd.slipway.cachemount.config.v1+json';
/** A zstd frame; those that the config lists, in its order, are a tar as layers have it. */
const CHUNK_TYPE = 'application/vnd.slipway.cachemount.chunk.v1.tar+zstd';

/** Different chunks of one artifact: as many layers as readers of manifests take. */
export const MAX_MOUNT_CHUNKS = 4096;
/** Chunks that are the same are listed each time. */
const MAX_LISTED = 8 * MAX_MOUNT_CHUNKS;
export const MAX_MOUNT_CONFIG_BYTES = 4 << 20;
const MAX_CHUNK = 8 << 20;

/** Which mount something is of: whoever asks for another finds nothing. */
export interface MountIdentity {
  /** Who has written it: builds of other scopes have other mounts of the same id. */
  readonly scope: string;
  readonly id: string;
  /** Of the content that it lies on (`from=`, or a directory with an owner and mode of its own); undefined where it begins empty. */
  readonly seed?: Digest | undefined;
}

/** A tree as chunks that lie in a registry. */
export interface SavedMount {
  readonly id: string;
  /** {@link mountKey}. */
  readonly key: string;
  /** When it was saved, in ms since the epoch. */
  readonly savedAt: number;
  readonly diffId: Digest;
  /** Bytes of the tar. */
  readonly diffSize: number;
  readonly root: RootMetadata;
  /** In order, each with the blob that it is in. */
  readonly chunks: readonly (LayerChunk & { readonly blob: Descriptor })[];
}

/** Names a mount without telling whose it is. */
export function mountKey({ scope, id, seed = '' as Digest }: MountIdentity): string {
  return digestHex(digestOf(JSON.stringify(['slipway cache mount', 1, scope, id, seed])));
}

/** As whoever wrote the Dockerfile knows it: frontends put a namespace before it, which is empty as a rule, and a slash. */
export function mountName(id: string): string {
  return id.startsWith('/') ? id.slice(1) : id;
}

/** A name in a repository for each mount, below the one that was given. */
export function mountTag(prefix: string | undefined, key: string): string {
  return `${prefix ?? 'mount'}-${key}`;
}

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'expected a digest');
const count = (most: number) => z.number().int().min(0).max(most);

const configSchema = z.object({
  version: z.literal(1),
  id: z.string().max(4096),
  key: z.string().regex(/^[0-9a-f]{64}$/),
  savedAt: z.iso.datetime(),
  diffId: digest,
  diffSize: count(Number.MAX_SAFE_INTEGER),
  root: z.object({ mode: count(0o7777), uid: count(0xfffffffe), gid: count(0xfffffffe) }),
  /** Digest, size, and place among the manifest's layers. */
  chunks: z.array(z.tuple([digest, count(MAX_CHUNK), count(MAX_MOUNT_CHUNKS)])).max(MAX_LISTED),
});

/** The documents of an artifact: its config, and what names that and the chunks. */
export function encodeMount(mount: SavedMount): {
  readonly config: EncodedDocument;
  readonly manifest: EncodedDocument;
} {
  const { id, key, savedAt, diffId, diffSize, root } = mount;
  const layers: Descriptor[] = [];
  const places = new Map<Digest, number>();
  const chunks = mount.chunks.map(({ digest: chunk, size, blob }) => {
    const place = places.get(blob.digest) ?? layers.push({ ...blob, mediaType: CHUNK_TYPE }) - 1;
    places.set(blob.digest, place);
    return [chunk, size, place] as const;
  });
  const said = { version: 1, id, key, savedAt: new Date(savedAt).toISOString(), diffId, diffSize, root, chunks };
  const config = describeDocument(MOUNT_CONFIG_TYPE, Buffer.from(JSON.stringify(said)));
  const manifest = encodeManifest({
    schemaVersion: 2,
    ...{ mediaType: MEDIA_TYPE.ociManifest, artifactType: MOUNT_ARTIFACT_TYPE },
    ...{ config: config.descriptor, layers },
  });
  return { config, manifest };
}

/** What a config says, by the layers of its manifest. @throws CodedError CACHE_MALFORMED */
export function decodeMount(bytes: Uint8Array, layers: readonly Descriptor[]): SavedMount {
  const { chunks: listed, savedAt, version: _version, ...said } = parse(bytes);
  const chunks = listed.map(([chunk, size, place]) => {
    const blob = layers[place];
    if (blob === undefined) throw malformed('it names a chunk that its manifest does not have');
    if (blob.size > mostPacked(size)) throw malformed(`a chunk of ${size} bytes is in a blob of ${blob.size}`);
    return { digest: chunk, size, blob: { mediaType: CHUNK_TYPE, digest: blob.digest, size: blob.size } };
  });
  const sum = chunks.reduce((total, { size }) => total + size, 0);
  if (sum !== said.diffSize) throw malformed(`its chunks have ${sum} bytes and not ${said.diffSize}`);
  return { ...said, chunks, savedAt: Date.parse(savedAt) };
}

/** What zstd makes of so many bytes that it cannot compress: whoever bounds these bounds what is pulled for them. */
function mostPacked(size: number): number {
  return size + (size >> 7) + 1024;
}

function parse(bytes: Uint8Array): z.output<typeof configSchema> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw malformed('it is no JSON', cause);
  }
  const result = configSchema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw malformed(`${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'invalid'}`);
}

function malformed(why: string, cause?: unknown): CodedError {
  return CodedError.of('CACHE_MALFORMED', `the saved cache mount says what cannot be: ${why}`, { cause });
}
