export type { LayerTools, RefsOptions } from './context.ts';
export { layerTools } from './layer-tools.ts';
export { localFetcher } from './local-fetcher.ts';
export { Refs } from './manager.ts';
export { RefResultStore, refResult } from './result-store.ts';
export { VisibleBlobs } from './visible-blobs.ts';
