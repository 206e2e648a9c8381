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
import { type ExportOptions, pushLayer, withRow } from '../exporters/index.ts';
import { cacheFormOf, encodeOciIndex } from './oci-index.ts';
import type { CacheType } from './store.ts';
import { cacheTrust, type TrustDeps } from './trust.ts';

/** Blobs in flight to one registry; its client bounds them again. */
const PARALLEL = 8;

export interface RegistryDeps extends TrustDeps {
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
export function registryCaches({ openRepository, pool, ...trusting }: RegistryDeps): CacheType {
  return {
    type: 'registry',
    exporting: 'exporting cache to registry',
    replaceable: true,
    signed: true,
    store: (options, { as: use }) => {
      const reference = referenceOf(options, use);
      const insecure = options.boolean('registry.insecure', false, { empty: true });
      const form = use === 'exporter' ? cacheFormOf(options) : { imageManifest: true, oci: true };
      const trust = cacheTrust(reference, options, use, { ...trusting, documents: pool });
      const { domain, path } = reference;
      const name = formatImageReference(reference);
      const failed = (error: unknown) => {
        throw pushError(error, `failed to push ${familiarImageName(reference)}`);
      };
      const signFailed = (error: unknown) => {
        throw pushError(error, `failed to sign ${familiarImageName(reference)}`);
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
          read: async (access) => {
            const { signal, owner } = access;
            const reading = { signal, worker: { pool, owner } };
            if (trust.check === undefined) return await readCaches(repository, reference, reading);
            const tag = reference.digest ?? reference.tag ?? 'latest';
            const { digest } = await repository.resolve(tag, { signal });
            await trust.check(repository, { domain, path, digest }, access);
            // What has been verified, whatever the tag names by now: all that it leads to is by digest.
            return await readCaches(repository, { digest }, reading);
          },
          encode: (content, access) =>
            encodeOciIndex(
              content,
              form,
              {
                putConfig: ({ descriptor: { digest, size }, bytes }, { signal }) =>
                  repository
                    .pushBlob({ digest, size, open: async () => ReadableStream.from([bytes]) }, { signal })
                    .catch(failed),
                putManifest: async ({ descriptor: { mediaType, digest }, bytes }, context) => {
                  const put = async (as: string) =>
                    await repository.putManifest(as, { mediaType, bytes }, context).catch(failed);
                  if (trust.sign !== undefined) {
                    // Signed before it has a name, so whoever demands signatures finds it signed, and a build that ends here has taken nothing away.
                    await put(digest);
                    const image = { domain, path, digest };
                    await withRow(context, `signing cache manifest ${digest}`, () =>
                      trust.sign?.(repository, image, context).catch(signFailed),
                    );
                  }
                  await put(reference.tag ?? digest);
                },
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
