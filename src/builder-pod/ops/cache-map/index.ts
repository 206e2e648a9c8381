export { execCacheMap } from './exec.ts';
export { fileCacheMap } from './file.ts';
export { sourceParts } from './key-parts.ts';
export { type KeepsDigest, knownAtOnce, knownByWorker, type OpCacheMap } from './op-cache-map.ts';
export {
  diffCacheMap,
  mergeCacheMap,
} from './others.ts';
