export { execCacheMap } from './exec.ts';
export { fileCacheMap } from './file.ts';
export { bindCacheMap, type OpCacheInput, type OpCacheMap } from './op-cache-map.ts';
export {
  buildCacheMap,
  diffCacheMap,
  mergeCacheMap,
  passthroughCacheMap,
} from './others.ts';
