import { CodedError, type Descriptor, type Digest, digestAlgorithm, digestHex, goJson } from '../../base/index.ts';
import { encodeTarHeader, tarPadding } from '../tar/index.ts';
import { descriptorJson } from './encode.ts';
import { MEDIA_TYPE } from './media-types.ts';

/** Annotations of entries in a layout's index.json. */
export const ANNOTATION_IMAGE_NAME = 'io.containerd.image.name';
export const ANNOTATION_REF_NAME = 'org.opencontainers.image.ref.name';
export const ANNOTATION_CREATED = 'org.opencontainers.image.created';

/** A file of a layout: small ones by their bytes, blobs by how to open them. */
interface LayoutFile {
  readonly path: string;
  readonly size: number;
  readonly content: Uint8Array | (() => Promise<ReadableStream<Uint8Array>>);
}

export interface LayoutBlob {
  readonly descriptor: Descriptor;
  readonly content: LayoutFile['content'];
}

/** A Docker-load entry of manifest.json. */
export interface DockerImage {
  readonly config: Digest;
  readonly repoTags: readonly string[];
  readonly layers: readonly Digest[];
}

function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/** The files of an OCI image layout (image-layout.md), sorted by path; each blob once. `docker` adds the manifest.json of `docker load`. */
export function layoutFiles(
  roots: readonly Descriptor[],
  blobs: readonly LayoutBlob[],
  docker?: readonly DockerImage[],
): LayoutFile[] {
  const files = new Map<string, LayoutFile>();
  const add = (path: string, size: number, content: LayoutFile['content']) => files.set(path, { path, size, content });
  const text = (path: string, content: string) => add(path, Buffer.byteLength(content), Buffer.from(content));
  for (const { descriptor, content } of blobs) add(blobPath(descriptor.digest), descriptor.size, content);
  text('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
  text(
    'index.json',
    goJson({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: roots.map(descriptorJson) }),
  );
  if (docker !== undefined)
    text(
      'manifest.json',
      goJson(
        docker.map(({ config, repoTags, layers }) => ({
          Config: blobPath(config),
          RepoTags: repoTags.length === 0 ? null : repoTags,
          Layers: layers.length === 0 ? null : layers.map(blobPath),
        })),
      ),
    );
  return [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Files as a tar, directories first where they are needed; bytes depend on the files alone. Contents are opened one at a time. */
export async function* layoutTar(files: readonly LayoutFile[]): AsyncGenerator<Uint8Array> {
  const made = new Set<string>();
  const header = (type: 'file' | 'directory', name: string, size: number) =>
    encodeTarHeader({
      type,
      name,
      size,
      mode: type === 'directory' ? 0o755 : name.endsWith('.json') ? 0o644 : 0o444,
      uid: 0,
      gid: 0,
      mtime: 0n,
    });
  for (const { path, size, content } of files) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const directory = parts.slice(0, depth).join('/');
      if (made.has(directory)) continue;
      made.add(directory);
      yield header('directory', directory, 0);
    }
    yield header('file', path, size);
    if (content instanceof Uint8Array) yield content;
    else {
      let left = size;
      for await (const chunk of await content()) {
        left -= chunk.length;
        if (left < 0) break;
        yield chunk;
      }
      if (left !== 0)
        throw CodedError.of(
          'OCI_SIZE_MISMATCH',
          `the content of ${path} does not have the ${size} bytes that its descriptor says`,
        );
    }
    if (tarPadding(size) > 0) yield new Uint8Array(tarPadding(size));
  }
  yield new Uint8Array(1024);
}
