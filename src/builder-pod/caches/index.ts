export { CacheStores } from './stores.ts';
export { cacheTypes } from './types.ts';
