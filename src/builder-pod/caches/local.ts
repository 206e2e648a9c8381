import { type AbortOptions, CodedError, type Descriptor, type Digest, digestOf, isDigest } from '../../base/index.ts';
import { MAX_CACHE_CONFIG_BYTES, readCaches } from '../../cache/remote/index.ts';
import type { EncodedDocument } from '../../oci/manifest/index.ts';
import type { WorkerPool } from '../../sys/index.ts';
import type { ExportContext } from '../exporters/index.ts';
import { cacheFormOf, encodeOciIndex } from './oci-index.ts';
import type { CacheStore, CacheType, StoreAccess } from './store.ts';
import type { CacheStores } from './stores.ts';

/** A content store of a build's client. */
interface ClientContent {
  has(descriptor: Descriptor, options: AbortOptions): Promise<boolean>;
  size(digest: Digest, options: AbortOptions): Promise<number | undefined>;
  open(descriptor: Descriptor, options: AbortOptions): Promise<ReadableStream<Uint8Array>>;
  write(descriptor: Descriptor, content: ReadableStream<Uint8Array>, options: AbortOptions): Promise<void>;
}

export interface LocalDeps {
  /** Of the client of these sessions; undefined when it is away or offers none. */
  readonly clientContent: (
    sessions: readonly string[],
    store: string,
    options: AbortOptions,
  ) => Promise<ClientContent | undefined>;
  readonly stores: CacheStores;
  /** Reads what clients' stores say of caches. */
  readonly pool: WorkerPool;
}

/** One client takes them one after another anyway. */
const PARALLEL = 4;

/** Caches in directories of the client, as OCI layouts: it serves their blobs over its session, knows which manifest a tag stands for, and writes down which one it was given. */
export function localCaches({ clientContent, stores, pool }: LocalDeps): CacheType {
  return {
    type: 'local',
    exporting: 'exporting cache to client directory',
    store: (options, { as: use }) => {
      // Both are known to clients, who have dealt with a tag before.
      const digest = options.text('digest') ?? '';
      options.text('tag');
      if (use === 'importer' && digest === '')
        throw missing('local cache importer requires explicit digest', 'the directory has no cache of this tag yet');
      if (use === 'importer' && !isDigest(digest))
        throw CodedError.of('CACHE_ATTRIBUTE', `invalid digest ${JSON.stringify(digest)} of a local cache`);
      const key = use === 'importer' ? 'src' : 'dest';
      const directory = options.text(key) ?? '';
      if (directory === '') throw missing(`local cache ${use} requires ${key}`, `add ${key}=<directory>`);
      const form = use === 'exporter' ? cacheFormOf(options) : { imageManifest: true, oci: true };

      const client = async ({ signal, sessions }: StoreAccess) => {
        const content = await clientContent(sessions(), `local:${directory}`, { signal });
        if (content !== undefined) return content;
        throw new CodedError('unavailable', `the client that has the cache ${directory} offers no content store now`);
      };
      const put = async ({ descriptor, bytes }: EncodedDocument, context: ExportContext) =>
        (await client(context)).write(descriptor, ReadableStream.from([bytes]), context);
      const openBlob: CacheStore['openBlob'] = async (descriptor, access) => {
        // Of several builds that want it, each has a client of its own.
        const clients = await Promise.allSettled(
          access.sessions().map((id) => client({ ...access, sessions: () => [id] })),
        );
        const there = clients.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
        if (there.length === 0) await client(access);
        const failures: unknown[] = [];
        for (const content of there) {
          try {
            if (await content.has(descriptor, access)) return await content.open(descriptor, access);
          } catch (error) {
            access.signal.throwIfAborted();
            failures.push(error);
          }
        }
        if (failures.length > 0) throw failures[0];
        throw CodedError.of('REF_CONTENT_GONE', `blob ${descriptor.digest} is not in ${directory} of the client`);
      };
      return () => {
        return {
          ...{
            name: directory,
            id: `local ${directory}`,
            parallel: PARALLEL,
            verifies: true,
            forgets: false,
            openBlob,
          },
          place: stores.place('local', { directory }, { name: directory, openBlob }),
          read: async (access) =>
            await readCaches(
              documentsOf(await client(access)),
              { digest: digest as Digest },
              { signal: access.signal, worker: { pool, owner: access.owner } },
            ),
          encode: (content, access) => encodeOciIndex(content, form, { putConfig: put, putManifest: put }, access),
          keepBlob: async (descriptor, access) => await (await client(access)).has(descriptor, access),
          putBlob: async (layer, context) => {
            const content = await client(context);
            if (await content.has(layer.descriptor, context)) return;
            const stream = await layer.open(context);
            try {
              await content.write(layer.descriptor, stream, context);
            } finally {
              if (!stream.locked) await stream.cancel().catch(() => {});
            }
          },
        };
      };
    },
  };
}

function missing(what: string, hint: string): CodedError {
  return CodedError.of('CACHE_ATTRIBUTE', what, { hint });
}

/** Documents of a client's store, by digest alone. */
function documentsOf(content: ClientContent): Parameters<typeof readCaches>[0] {
  const read = async (digest: Digest, size: number, maxBytes: number, options: AbortOptions) => {
    if (size > maxBytes) throw CodedError.of('CACHE_MALFORMED', `blob ${digest} is too large (${size} > ${maxBytes})`);
    const descriptor = { mediaType: 'application/octet-stream', digest, size };
    const bytes = Buffer.concat(await Array.fromAsync(await content.open(descriptor, options)));
    if (digestOf(bytes) !== digest)
      throw CodedError.of('OCI_DIGEST_MISMATCH', `the client's blob ${digest} is not what its digest says`);
    return bytes;
  };
  return {
    getManifest: async (reference, { maxBytes = MAX_CACHE_CONFIG_BYTES, ...options }) => {
      const digest = reference as Digest;
      const size = await content.size(digest, options);
      if (size === undefined)
        throw CodedError.of('CACHE_NOT_FOUND', `there is no manifest ${digest} in the directory of the client`);
      const bytes = await read(digest, size, maxBytes, options);
      // What it is it says itself.
      return { bytes, descriptor: { mediaType: '', digest, size } };
    },
    getBlob: ({ digest, size }, { maxBytes, ...options }) => read(digest, size, maxBytes, options),
  };
}
