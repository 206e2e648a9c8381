export * from './git/index.ts';
export * from './http/index.ts';
export * from './image/index.ts';
export {
  noSecrets,
  type Resolved,
  type ResolvedSource,
  resolvedSource,
  type SourceDescription,
  type SourceFactory,
  type SourceInstance,
  type SourceKey,
  SourceRegistry,
  type SourceRequest,
  type SourceSecrets,
} from './source.ts';
