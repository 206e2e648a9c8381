export { Build, type BuildRequest, type BuildServices } from './build.ts';
export type { CacheImportContext, CacheImporter, CacheImporters } from './cache-imports.ts';
export { BUILDER_LLB_CAPS } from './capabilities.ts';
export { Engine, type EngineOptions } from './engine.ts';
export { type BuildFacts, factsOf, type StepFact } from './facts.ts';
export type {
  BuildEnd,
  BuildObserver,
  BuildWatch,
  ObservedBuild,
  SolveOutcome,
  SolveRequest,
} from './solve.ts';
