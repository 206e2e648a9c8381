import { type AbortOptions, type Digest, inSlices } from '../../base/index.ts';
import type { ImportedCache, OpContext, Result } from '../../solver/index.ts';
import type { BlobPlace, ImmutableRef, Layer, RefManager } from '../ports.ts';
import { refResult } from '../refs/index.ts';
import { type CacheConfig, type CacheConfigResult, chainOf } from './cache-config.ts';
import { ConfigKeys, resultNamed, unreachedRecords } from './config-keys.ts';

/** A cache that another builder wrote, as it was read. */
export interface RemoteCacheContent {
  readonly config: CacheConfig;
  /** What is known of the blobs of its layers. */
  readonly layers: ReadonlyMap<Digest, Layer>;
}

interface RemoteCacheOptions {
  /** Names the cache: equal ids say the same. */
  readonly id: string;
  /** For people: where it was read. */
  readonly name: string;
  readonly refs: RefManager;
  /** Where the blobs of its layers may be had. */
  readonly places: readonly BlobPlace[];
}

/** A cache that was read, and what of it was not. */
export interface RemoteCache extends ImportedCache<ImmutableRef> {
  /** What is wrong with what nobody can use of it. */
  readonly dropped?: string;
}

/** A remote cache to read. Its results are refs that stay lazy until a step mounts them. */
export async function remoteCache(
  content: RemoteCacheContent,
  options: RemoteCacheOptions,
  { signal }: AbortOptions,
): Promise<RemoteCache> {
  const dropped = await inSlices(whatIsDropped(content), { signal });
  return {
    ...(dropped === undefined ? {} : { dropped }),
    id: options.id,
    keys: await inSlices(ConfigKeys.of(content.config), { signal }),
    results: {
      exists: (record) => layersOf(content, record) !== undefined,
      load: async (record, context) => await load(layersOf(content, record), options, context),
    },
  };
}

/** Yields after each record. */
function* whatIsDropped(content: RemoteCacheContent): Generator<void, string | undefined, void> {
  if ((yield* unreachedRecords(content.config)) > 0) return 'records of it lead in circles';
  for (const { results } of content.config.records) {
    if (results.some((result) => knownLayers(content, result) === undefined))
      return 'of layers of it too little is said';
    yield;
  }
  return undefined;
}

/** Undefined where nothing is known of one of them. */
function layersOf(content: RemoteCacheContent, record: string): readonly Layer[] | undefined {
  const result = resultNamed(content.config, record);
  return result === undefined ? undefined : knownLayers(content, result);
}

function knownLayers({ config, layers }: RemoteCacheContent, result: CacheConfigResult): readonly Layer[] | undefined {
  const chain = chainOf(config, result);
  const known = chain.flatMap((layer) => layers.get(config.layers[layer]!.blob) ?? []);
  return known.length === chain.length ? known : undefined;
}

async function load(
  layers: readonly Layer[] | undefined,
  { refs, places, name }: RemoteCacheOptions,
  { signal, owner, scope }: OpContext,
): Promise<Result<ImmutableRef> | undefined> {
  if (layers === undefined) return undefined;
  const description = layers.at(-1)?.descriptor.annotations?.['buildkit/description'] ?? `imported from ${name}`;
  return refResult(await refs.fromLayers(layers, { signal, owner, scope, places, description }));
}
