import { CodedError, type Descriptor } from '../../../base/index.ts';
import type { ContentStore, ImmutableRef, RefManager } from '../../../cache/ports.ts';
import { extractArchive, type UnpackLimits, unpackLimitsFor } from '../../../oci/layers/index.ts';
import type { Repository } from '../../../oci/registry-client/index.ts';
import type { OpContext } from '../../../solver/ports.ts';
import type { WorkerPool } from '../../../sys/index.ts';

interface ArtifactUnpackerOptions {
  readonly refs: RefManager;
  /** Verifies what comes, and keeps it until it is unpacked. */
  readonly content: ContentStore;
  readonly pool: WorkerPool;
  readonly tempDirectory: string;
  readonly unpackLimits: UnpackLimits | undefined;
}

interface Artifact {
  /** With its digest. */
  readonly name: string;
  readonly blobs: readonly Descriptor[];
  readonly repository: Pick<Repository, 'openBlob'>;
}

/** Makes the files of artifacts: tar archives in a registry that are no layers of an image, so that nothing says what they are unpacked. */
export class ArtifactUnpacker {
  readonly #options: ArtifactUnpackerOptions;

  constructor(options: ArtifactUnpackerOptions) {
    this.#options = options;
  }

  /** All of its archives, each over those before it; deletions mean nothing in them. @throws CodedError OCI_MEDIA_TYPE for a blob that is no archive */
  async unpack({ name, blobs, repository }: Artifact, context: OpContext): Promise<ImmutableRef> {
    const { refs, content, pool, tempDirectory, unpackLimits } = this.#options;
    const { signal, owner, scope } = context;
    const limits = unpackLimitsFor(context.limits(), unpackLimits);
    const target = await refs.create(undefined, { signal, owner, scope, description: `unpacked from ${name}` });
    try {
      {
        await using mounted = await target.mount(context);
        for (const blob of blobs) {
          const { digest, size } = blob;
          const started = Date.now();
          const told = (row: object) =>
            context.progress.status({ id: `extracting ${digest}`, total: size, started, ...row });
          told({ current: 0 });
          await content.ingest(await repository.openBlob(blob, { signal }), { digest, size }, { signal });
          const isArchive = await extractArchive(pool, {
            ...{ archive: content.path(digest), limits, tempDirectory, signal, owner },
            target: async () => ({ directory: mounted.root }),
          });
          if (!isArchive)
            throw CodedError.of('OCI_MEDIA_TYPE', `${name}: ${digest} (${blob.mediaType}) is no tar archive`, {
              hint: 'an artifact is a context only if all of its layers are tar archives',
            });
          told({ current: size, completed: Date.now() });
        }
      }
      return await target.commit(context);
    } catch (error) {
      await target.release();
      throw error;
    }
  }
}
