export { type ImageSourceOptions, imageSource, registryFetcher } from './image-source.ts';
export {
  ImageResolver,
  type ImageResolverOptions,
  type ResolutionMemo,
  type ResolvedImage,
  type ResolveImageOptions,
  type ResolveMode,
} from './resolver.ts';
