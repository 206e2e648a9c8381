import type { AbortOptions, Descriptor, Digest, WorkOwner } from '../../base/index.ts';
import { RegistryError, type Repository } from '../../oci/registry-client/index.ts';
import { siblingModule, type Task, tasksOf, type WorkerPool } from '../../sys/index.ts';
import { MAX_MOUNT_CONFIG_BYTES, type SavedMount } from './artifact.ts';
import { mountManifestOf, mountOf } from './document-task.ts';

const task = tasksOf<typeof import('./document-task.ts')>(siblingModule(import.meta.url, './document-task'));

/** Registries take no larger ones, as a rule. */
const MAX_MOUNT_MANIFEST_BYTES = 4 << 20;

interface ReadOptions extends AbortOptions {
  /** Where documents are read; on this thread when absent. */
  readonly worker?: { readonly pool: WorkerPool; readonly owner: WorkOwner } | undefined;
  /** Before anything is believed of what has this digest; what it throws is thrown. */
  readonly check?: ((digest: Digest) => Promise<void>) | undefined;
}

/**
 * The saved cache mount under a name; undefined where there is nothing, or something else. Reads no chunk.
 * @throws CodedError CACHE_MALFORMED, OCI_DIGEST_MISMATCH, or as the registry refuses it
 */
export async function readMount(
  repository: Pick<Repository, 'getManifest' | 'getBlob'>,
  reference: string,
  options: ReadOptions,
): Promise<(SavedMount & { readonly manifest: Descriptor }) | undefined> {
  const { signal } = options;
  const found = await repository
    .getManifest(reference, { signal, maxBytes: MAX_MOUNT_MANIFEST_BYTES, authoritative: true })
    .catch((error: unknown) => {
      if (error instanceof RegistryError && error.status === 404) return undefined;
      throw error;
    });
  if (found === undefined) return undefined;
  const { descriptor, bytes } = found;
  const document = { bytes, mediaType: descriptor.mediaType };
  const manifest = await call(options, task('mountManifestOf'), mountManifestOf, document);
  if (manifest === undefined) return undefined;
  await options.check?.(descriptor.digest);
  const config = await repository.getBlob(manifest.config, { signal, maxBytes: MAX_MOUNT_CONFIG_BYTES });
  const said = { bytes: config, layers: manifest.layers };
  return { ...(await call(options, task('mountOf'), mountOf, said)), manifest: descriptor };
}

async function call<A, R>({ signal, worker }: ReadOptions, to: Task<A, R>, here: (args: A) => R, args: A): Promise<R> {
  return worker === undefined ? here(args) : await worker.pool.run(to, args, { signal, owner: worker.owner });
}
