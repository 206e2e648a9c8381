export { planBuild } from './plan.ts';
export { type FluxReference, fluxReferences, type Reference, references } from './references.ts';
export { solveRequest } from './request.ts';
export { type ClusterValues, type FluxArtifact, fluxKey, type SolvePlan } from './solve-plan.ts';
