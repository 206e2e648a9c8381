export * from './git/index.ts';
export * from './http/index.ts';
export * from './image/index.ts';
export {
  type ResolvedSource,
  resolvedSource,
  SourceRegistry,
  type SourceSecrets,
  sourcePin,
} from './source.ts';
