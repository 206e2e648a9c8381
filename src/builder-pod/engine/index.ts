export { type BuiltProvenance, keptProvenance, RECORDED_PREDICATE, writeProvenance } from './attesting.ts';
export { Build } from './build.ts';
export {
  type CachedBuild,
  type CacheExporter,
  type CacheExportTypes,
  type ContinuousCache,
  type ExportingBuild,
  type InlineCache,
  type UpdateContext,
  WRITTEN_INDEX,
} from './cache-exports.ts';
export { type CacheAsker, type CacheImporter, type CacheImporters, SECRET_ATTRIBUTE } from './cache-imports.ts';
export { BUILDER_LLB_CAPS } from './capabilities.ts';
export { Engine } from './engine.ts';
export { type BuildFacts, factsOf } from './facts.ts';
export { PulledTally } from './pulled-bytes.ts';
export type {
  BuildEnd,
  BuildObserver,
  BuildWatch,
  ObservedBuild,
  SolveOutcome,
  SolveRequest,
} from './solve.ts';
