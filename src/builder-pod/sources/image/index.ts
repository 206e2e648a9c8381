export { ArtifactUnpacker } from './artifact.ts';
export { imageSource, registryFetcher } from './image-source.ts';
export { ImageResolver, type ResolutionMemo } from './resolver.ts';
