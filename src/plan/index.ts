export { planBuild } from './plan.ts';
export { type Reference, references } from './references.ts';
export { solveRequest } from './request.ts';
export type { ClusterValues, SolvePlan } from './solve-plan.ts';
