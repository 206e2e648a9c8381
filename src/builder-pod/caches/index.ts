export { MountCaches } from './mounts/mount-caches.ts';
export { CacheStores } from './stores.ts';
export { cacheTypes } from './types.ts';
