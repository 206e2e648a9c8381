import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type AbortOptions, CodedError, type Descriptor, digestOf } from '../../base/index.ts';
import { ANNOTATION_IMAGE_NAME, ANNOTATION_REF_NAME, blobPath, type LayoutFile } from './layout.ts';
import { MAX_MANIFEST_BYTES, parseIndex } from './parse.ts';
import type { ImageIndex } from './types.ts';

/** Reads an OCI image layout directory of ours. */
export async function readLayoutIndex(directory: string): Promise<ImageIndex> {
  return parseIndex(await readBounded(join(directory, 'index.json'), MAX_MANIFEST_BYTES));
}

/** The entry of a layout's index with this tag or full name; the only one when no name is given. @throws CodedError not_found */
export function findInLayout(index: ImageIndex, name?: string): Descriptor {
  const found =
    name === undefined
      ? index.manifests.length === 1
        ? index.manifests[0]
        : undefined
      : index.manifests.find(
          ({ digest, annotations }) =>
            digest === name ||
            annotations?.[ANNOTATION_IMAGE_NAME] === name ||
            annotations?.[ANNOTATION_REF_NAME] === name,
        );
  if (found !== undefined) return found;
  throw new CodedError(
    'not_found',
    name === undefined
      ? 'the layout holds several images: name one'
      : `the layout has no image ${JSON.stringify(name)}`,
    {
      fault: 'user',
      reason: 'OCI_LAYOUT_NAME',
    },
  );
}

/** A small blob of a layout directory, verified. */
export async function readLayoutBlob(directory: string, descriptor: Descriptor): Promise<Uint8Array> {
  const bytes = await readBounded(join(directory, blobPath(descriptor.digest)), MAX_MANIFEST_BYTES);
  if (digestOf(bytes) !== descriptor.digest)
    throw new CodedError('data_loss', `blob ${descriptor.digest} of the layout is damaged`, {
      reason: 'OCI_DIGEST_MISMATCH',
    });
  return bytes;
}

/** Streams a blob of a layout directory; not verified here. */
export function openLayoutBlob(directory: string, descriptor: Descriptor): ReadableStream<Uint8Array> {
  const file = createReadStream(join(directory, blobPath(descriptor.digest)));
  return Readable.toWeb(file) as ReadableStream<Uint8Array>;
}

/** Writes files of a layout below a directory; blobs that are there with the right size stay. index.json comes last. */
export async function writeLayoutDirectory(
  directory: string,
  files: readonly LayoutFile[],
  { signal }: AbortOptions,
): Promise<void> {
  const order = [...files].sort((a, b) => Number(a.path === 'index.json') - Number(b.path === 'index.json'));
  for (const { path, size, content } of order) {
    signal.throwIfAborted();
    const target = join(directory, path);
    if (path.startsWith('blobs/') && (await sizeOf(target)) === size) continue;
    await mkdir(dirname(target), { recursive: true });
    const temp = `${target}.tmp`;
    try {
      await writeContent(temp, content, { signal });
      await rename(temp, target);
    } catch (error) {
      await rm(temp, { force: true });
      throw error;
    }
  }
}

async function writeContent(path: string, content: LayoutFile['content'], { signal }: AbortOptions): Promise<void> {
  if (content instanceof Uint8Array) await writeFile(path, content, { signal });
  else await pipeline(await content(), createWriteStream(path), { signal });
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch {
    // Not there yet.
    return undefined;
  }
}

async function readBounded(path: string, maxBytes: number): Promise<Uint8Array> {
  const { size } = await stat(path);
  if (size > maxBytes)
    throw new CodedError('resource_exhausted', `${path} has more than ${maxBytes} bytes`, { fault: 'user' });
  return readFile(path);
}
