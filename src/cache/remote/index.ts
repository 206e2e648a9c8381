export { encodeCacheConfig, isTooLarge, MAX_CACHE_CONFIG_BYTES, type RecordToWrite } from './cache-config.ts';
export {
  type CacheManifestForm,
  encodeCacheManifest,
  type ReadCache,
  readCaches,
  readObjectCache,
} from './cache-manifest.ts';
export { encodeInlineRecords, INLINE_KEY } from './inline-records.ts';
export { type CacheBounds, mergeCaches } from './merge.ts';
export { type RemoteCache, remoteCache } from './remote-cache.ts';
