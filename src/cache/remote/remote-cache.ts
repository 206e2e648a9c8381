import type { Digest } from '../../base/index.ts';
import type { ImportedCache, OpContext, Result } from '../../solver/index.ts';
import type { BlobPlace, ImmutableRef, Layer, RefManager } from '../ports.ts';
import { refResult } from '../refs/index.ts';
import type { CacheConfig } from './cache-config.ts';
import { ConfigKeys, resultName } from './config-keys.ts';

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

/** A remote cache to read. Its results are refs that stay lazy until a step mounts them. */
export function remoteCache(
  { config, layers }: RemoteCacheContent,
  options: RemoteCacheOptions,
): ImportedCache<ImmutableRef> {
  const results = new Map<string, readonly Layer[]>();
  for (const [n, record] of config.records.entries())
    for (const [i, { layers: chain }] of record.results.entries()) {
      const known = chain.flatMap((layer) => layers.get(config.layers[layer]!.blob) ?? []);
      if (known.length === chain.length) results.set(resultName(n, i), known);
    }
  return {
    id: options.id,
    keys: new ConfigKeys(config),
    results: {
      exists: (record) => results.has(record),
      load: async (record, context) => await load(results.get(record), options, context),
    },
  };
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
