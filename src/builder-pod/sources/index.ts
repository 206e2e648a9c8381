export * from './git/index.ts';
export * from './http/index.ts';
export * from './image/index.ts';
export {
  noSecrets,
  type ResolvedSource,
  type SourceDescription,
  type SourceFactory,
  type SourceInstance,
  type SourceKey,
  SourceRegistry,
  type SourceRequest,
  type SourceSecrets,
} from './source.ts';
