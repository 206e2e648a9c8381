export { type BuiltProvenance, keptProvenance, RECORDED_PREDICATE, writeProvenance } from './attesting.ts';
export { Build } from './build.ts';
export type {
  CachedBuild,
  CacheExporter,
  CacheExportTypes,
  CacheWritten,
  ContinuousCache,
  ExportingBuild,
  InlineCache,
  UpdateContext,
} from './cache-exports.ts';
export {
  type CacheAsker,
  type CacheImporter,
  type CacheImporters,
  SECRET_ATTRIBUTE,
  type UnreadCache,
} from './cache-imports.ts';
export { BUILDER_LLB_CAPS } from './capabilities.ts';
export { Engine } from './engine.ts';
export { type BuildFacts, factsOf } from './facts.ts';
export type { StepLayerStores } from './provenance/step-layers.ts';
export { PulledTally } from './pulled-bytes.ts';
export type {
  BuildEnd,
  BuildObserver,
  BuildWatch,
  ObservedBuild,
  SolveOutcome,
  SolveRequest,
} from './solve.ts';
