export { encodeCacheConfig, isTooLarge, MAX_CACHE_CONFIG_BYTES, type RecordToWrite } from './cache-config.ts';
export { type CacheManifestForm, encodeCacheManifest, type ReadCache, readCaches } from './cache-manifest.ts';
export { remoteCache } from './remote-cache.ts';
