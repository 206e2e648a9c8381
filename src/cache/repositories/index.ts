/** Repositories of remote caches as they lie in a registry: what is there, and what of it may go. */
export { type CacheGroup, pruneCaches } from './prune.ts';
export { type RecordGraph, readRecordGraphs } from './record-graph.ts';
export { isCache, readTags, type Tagged } from './tagged.ts';
