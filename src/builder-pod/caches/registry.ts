import {
  annotate,
  CodedError,
  familiarImageName,
  formatImageReference,
  type ImageReference,
  parseImageReference,
  withDefaultTag,
} from '../../base/index.ts';
import { readCaches } from '../../cache/remote/index.ts';
import { pushError, type Repository } from '../../oci/registry-client/index.ts';
import type { WorkerPool } from '../../sys/index.ts';
import { type ExportOptions, pushLayer } from '../exporters/index.ts';
import { cacheFormOf, encodeOciIndex } from './oci-index.ts';
import type { CacheType } from './store.ts';

/** Blobs in flight to one registry; its client bounds them again. */
const PARALLEL = 8;

export interface RegistryDeps {
  readonly openRepository: (
    reference: ImageReference,
    options: { readonly insecure: boolean; readonly sessions: () => readonly string[] },
  ) => Repository;
  /** Reads what registries say of caches. */
  readonly pool: WorkerPool;
}

function referenceOf(options: ExportOptions, what: string): ImageReference {
  const ref = options.text('ref') ?? '';
  if (ref === '')
    throw CodedError.of('CACHE_ATTRIBUTE', `ref required for registry cache ${what}`, {
      hint: 'add ref=<registry>/<repository>:<tag>',
    });
  try {
    return withDefaultTag(parseImageReference(ref));
  } catch (error) {
    throw annotate(error, `failed to parse ${ref}`);
  }
}

/** Caches in registries, and those that images there carry. */
export function registryCaches({ openRepository, pool }: RegistryDeps): CacheType {
  return {
    type: 'registry',
    exporting: 'exporting cache to registry',
    replaceable: true,
    store: (options, use) => {
      const reference = referenceOf(options, use);
      const insecure = options.boolean('registry.insecure', false, { empty: true });
      const form = use === 'exporter' ? cacheFormOf(options) : { imageManifest: true, oci: true };
      const { domain, path } = reference;
      const name = formatImageReference(reference);
      const failed = (error: unknown) => {
        throw pushError(error, `failed to push ${familiarImageName(reference)}`);
      };
      return (sessions) => {
        const repository = openRepository(reference, { insecure, sessions });
        return {
          name,
          id: `${name} ${insecure}`,
          place: { kind: 'registry', host: domain, repository: path, ...(insecure ? { insecure } : {}) },
          parallel: PARALLEL,
          verifies: true,
          // What a manifest names stays, as a rule.
          forgets: false,
          keepBlob: async ({ digest }, access) => (await repository.hasBlob(digest, access)) !== undefined,
          read: ({ signal, owner }) => readCaches(repository, reference, { signal, worker: { pool, owner } }),
          encode: (content, access) =>
            encodeOciIndex(
              content,
              form,
              {
                putConfig: ({ descriptor: { digest, size }, bytes }, { signal }) =>
                  repository
                    .pushBlob({ digest, size, open: async () => ReadableStream.from([bytes]) }, { signal })
                    .catch(failed),
                putManifest: ({ descriptor: { mediaType, digest }, bytes }, { signal }) =>
                  repository.putManifest(reference.tag ?? digest, { mediaType, bytes }, { signal }).catch(failed),
              },
              access,
            ),
          putBlob: (layer, context, onProgress) =>
            pushLayer(layer, reference, { repository, insecure, onProgress }, context).catch(failed),
          openBlob: (descriptor, access) =>
            openRepository(reference, { insecure, sessions: access.sessions }).openBlob(descriptor, access),
        };
      };
    },
  };
}
