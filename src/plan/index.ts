export { planBuild } from './plan.ts';
export { type FluxReference, fluxReferences, type Reference, references } from './references.ts';
export { solveRequest } from './request.ts';
export { scopePath, scopeRepositories, sharedCacheTags } from './shared-cache.ts';
export {
  type CachedBuild,
  type ClusterValues,
  type FluxArtifact,
  fluxKey,
  type PlannedPart,
  type SharedCache,
  type SolvePlan,
} from './solve-plan.ts';
export { workDigest } from './work.ts';
