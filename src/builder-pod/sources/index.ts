export * from './git/index.ts';
export * from './http/index.ts';
export * from './image/index.ts';
export { noSecrets, type ResolvedSource, resolvedSource, SourceRegistry, type SourceSecrets } from './source.ts';
