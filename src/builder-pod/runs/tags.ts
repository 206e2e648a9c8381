import { type AbortOptions, type Digest, digestOf, parseImageReference } from '../../base/index.ts';
import type { ContentStore } from '../../cache/ports.ts';
import { MAX_MANIFEST_BYTES } from '../../oci/manifest/index.ts';
import { pushError } from '../../oci/registry-client/index.ts';
import type { Builder } from '../builder/index.ts';

/** An image that lies in its repositories by digest, and the names that it is to have there. */
interface TaggedImage {
  readonly names: readonly string[];
  readonly digest: Digest;
  readonly mediaType: string;
  readonly insecure: boolean;
}

interface TagOptions extends AbortOptions {
  /** Sessions whose credentials may be used. */
  readonly sessions: () => readonly string[];
}

export type WriteTags = (images: readonly TaggedImage[], options: TagOptions) => Promise<void>;

type OpenRepository = Builder['openRepository'];

/** Writes tags: the manifest is the builder's own copy, else what the repository has under the digest. The client retries what can be retried. */
export function tagWriter(content: ContentStore, openRepository: OpenRepository): WriteTags {
  return async (images, { signal, sessions }) => {
    for (const { names, digest, mediaType, insecure } of images) {
      let bytes = names.length === 0 ? undefined : await localManifest(content, digest, signal);
      for (const name of names) {
        const reference = parseImageReference(name);
        if (reference.tag === undefined) continue;
        const repository = openRepository(reference, { insecure, sessions });
        try {
          bytes ??= (await repository.getManifest(digest, { signal, maxBytes: MAX_MANIFEST_BYTES })).bytes;
          await repository.putManifest(reference.tag, { mediaType, bytes }, { signal });
        } catch (error) {
          signal.throwIfAborted();
          throw pushError(error, `failed to tag ${name}`);
        }
      }
    }
  };
}

/** Undefined when it is gone or damaged. */
async function localManifest(
  content: ContentStore,
  digest: Digest,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const size = content.info(digest)?.size;
  if (size === undefined || size > MAX_MANIFEST_BYTES) return undefined;
  try {
    const stream = await content.open({ digest, size, mediaType: 'application/octet-stream' }, { signal });
    const bytes = await new Response(stream).bytes();
    return digestOf(bytes) === digest ? bytes : undefined;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}
