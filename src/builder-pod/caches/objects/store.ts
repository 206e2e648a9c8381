import {
  type AbortOptions,
  ANNOTATION_COMPRESSOR,
  CodedError,
  type Descriptor,
  type Digest,
  digestOf,
  inSlices,
  KeyedSemaphore,
  type ProxySettings,
} from '../../../base/index.ts';
import { encodeCacheConfig, MAX_CACHE_CONFIG_BYTES, readObjectCache } from '../../../cache/remote/index.ts';
import { type StreamPool, siblingModule, streamTasksOf, type WorkerPool } from '../../../sys/index.ts';
import { type ExportOptions, withRow } from '../../exporters/index.ts';
import type { CacheContent, CacheStore, CacheType } from '../store.ts';
import type { CacheStores } from '../stores.ts';
import { wrongAttribute } from './attributes.ts';
import type { AsBuilder, ObjectStoreOptions } from './config.ts';

export interface ObjectDeps {
  /** The thread in which stores are talked to, and their clients are loaded. */
  readonly streams: StreamPool;
  /** Reads what comes from them. */
  readonly pool: WorkerPool;
  readonly stores: CacheStores;
  readonly proxies: ProxySettings;
  /** Of the builder, where stores have defaults from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Stores ({@link AsBuilder}) that whoever names one reaches as the builder. */
  readonly ownIdentity: ReadonlySet<string>;
}

interface ObjectType {
  readonly type: string;
  readonly exporting: string;
  readonly optional?: CacheType['optional'];
  /** @throws CodedError CACHE_ATTRIBUTE */
  readonly optionsOf: (options: ExportOptions, env: ObjectDeps['env']) => ObjectStoreOptions;
}

/** What runs at once towards one host, of all builds together, beside what is read; the rest waits. None of these waits for another of its kind. */
const MAX_WRITES = 16;
const MAX_QUESTIONS = 16;

const task = streamTasksOf<typeof import('./task.ts')>(siblingModule(import.meta.url, './task'));

/** Caches in a store of objects: their config is one of them and says what their layers are, which are the others. */
export function objectCaches({ type, exporting, optional = [], optionsOf }: ObjectType, deps: ObjectDeps): CacheType {
  const { streams, stores, proxies } = deps;
  const writes = new KeyedSemaphore(MAX_WRITES);
  const questions = new KeyedSemaphore(MAX_QUESTIONS);
  return {
    type,
    exporting,
    optional,
    replaceable: true,
    store: (given, { direct }) => {
      const { config, name, host, parallel, asBuilder } = optionsOf(given, deps.env);
      if (asBuilder !== undefined && !(direct && asBuilder.direct) && !deps.ownIdentity.has(asBuilder.to))
        throw withoutKey(type, asBuilder);
      const common = { config, proxies };
      const openBlob: CacheStore['openBlob'] = async ({ digest, size }, { signal }) => {
        signal.throwIfAborted();
        const blob = { digest, size };
        return piped(async (into, options) => {
          await streams.run(task('openBlob'), { ...common, host, blob, into }, { ...options, transfer: [into] });
        }, signal);
      };
      const place = stores.place(type, config, { name, openBlob });
      const isThere = async ({ digest, size }: Descriptor, { signal }: AbortOptions) =>
        await streams.run(task('keepBlob'), { ...common, blob: { digest, size } }, { signal });
      const asked = async <T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> => {
        using _place = await questions.acquire(host, { signal });
        return await ask();
      };
      const keepBlob: CacheStore['keepBlob'] = async (descriptor, { signal }) =>
        await asked(() => isThere(descriptor, { signal }), signal);
      return () => ({
        ...{ name, place, parallel, openBlob, keepBlob, verifies: false, forgets: true },
        id: place.store,
        read: async ({ signal, owner }) => {
          const args = { ...common, maxBytes: MAX_CACHE_CONFIG_BYTES };
          const indexes = await asked(() => streams.run(task('readIndexes'), args, { signal }), signal);
          return await Promise.all(
            indexes.map((bytes) => readObjectCache(bytes, { signal, worker: { pool: deps.pool, owner } })),
          );
        },
        encode: async ({ records, layers }, options) => {
          const described = (blob: Digest) => annotationsOf(layers, blob);
          const { bytes, blobs } = await inSlices(encodeCacheConfig(records, described), options);
          const digest = digestOf(bytes);
          return {
            configDigest: digest,
            size: bytes.length,
            blobs: [...new Set(blobs)],
            write: async (context) => {
              const { signal } = context;
              await withRow(context, `writing cache manifest ${name}`, () =>
                asked(() => streams.run(task('writeIndex'), { ...common, bytes }, { signal }), signal),
              );
              return { response: {}, digest };
            },
          };
        },
        putBlob: async (layer, context, onProgress) => {
          const { signal } = context;
          const { digest, size } = layer.descriptor;
          // Before its content is opened, which may come from there as well.
          using _place = await writes.acquire(host, { signal });
          if (await isThere(layer.descriptor, { signal })) return;
          const content = counted(await layer.open(context), onProgress);
          try {
            const args = { ...common, blob: { digest, size }, content };
            await streams.run(task('putBlob'), args, { signal, transfer: [content] });
            context.moved?.('uploaded', size);
          } catch (error) {
            if (!content.locked) await content.cancel().catch(() => {});
            throw error;
          }
        },
      });
    },
  };
}

function withoutKey(type: string, { to }: AsBuilder): CodedError {
  return wrongAttribute(
    `the ${type} cache has no key, and the builder does not show its own identity to ${to}`,
    `give a key (a Build by secretRef), or name ${JSON.stringify(to)} in [own-identity] caches of the builder's configuration`,
  );
}

function annotationsOf(layers: CacheContent['layers'], blob: Digest) {
  const { diffId, descriptor, source } = layers.get(blob)!;
  const { mediaType, size } = source.descriptor;
  const { 'buildkit/createdat': createdAt, [ANNOTATION_COMPRESSOR]: compressor } = descriptor.annotations ?? {};
  return { mediaType, diffID: diffId, size, createdAt, ...(compressor === undefined ? {} : { compressor }) };
}

function counted(content: ReadableStream<Uint8Array>, onProgress: (bytes: number) => void): ReadableStream<Uint8Array> {
  let bytes = 0;
  return content.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length;
        onProgress(bytes);
        controller.enqueue(chunk);
      },
    }),
  );
}

/** What a task in another thread writes, as a stream, which begins when somebody reads; its failure is told as the task tells it. */
function piped(
  run: (into: WritableStream<Uint8Array>, options: { readonly signal: AbortSignal }) => Promise<void>,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const left = new AbortController();
  let begun: ReturnType<typeof begin> | undefined;
  const begin = () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const failure = run(writable, { signal: AbortSignal.any([signal, left.signal]) }).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    return { reader: readable.getReader(), failure };
  };
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        begun ??= begin();
        const { reader, failure } = begun;
        try {
          const next = await Promise.race([reader.read(), failed(failure)]);
          if (!next.done) {
            controller.enqueue(next.value);
            return;
          }
          const why = await failure;
          if (why !== undefined) throw why.error;
          controller.close();
        } catch (error) {
          // The task, which it has failed, says why; what came through the stream is no more than a copy.
          controller.error((await failure)?.error ?? error);
        }
      },
      cancel: async (reason) => {
        if (begun === undefined) return;
        left.abort(reason ?? new CodedError('cancelled', 'nothing more is wanted of the blob'));
        await begun.reader.cancel(reason).catch(() => {});
        await begun.failure;
      },
    },
    { highWaterMark: 0 },
  );
}

/** Settles only when there is one. */
async function failed(failure: Promise<{ readonly error: unknown } | undefined>): Promise<never> {
  const why = await failure;
  if (why !== undefined) throw why.error;
  return await new Promise<never>(() => {});
}
